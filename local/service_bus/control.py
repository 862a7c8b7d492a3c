"""The control over HTTP: `/_health`, `/_stats`, `/_faults` as in every stand-in, and a look at entities and messages.

- `GET /_entities`: `[{"name", "kind", "active", "locked", "scheduled", "deferred", "deadLettered"}]`.
- `GET /_messages?entity=…&state=…&correlationId=…&limit=…`: messages, oldest first; each parameter may be absent.
  `state` is one of active, locked, scheduled, deferred, deadLettered.
- `POST /_faults` takes the kinds `reset`, `hang`, `slow` and `status` (400, 401, 404, 408, 410, 413, 500, 501, 503 or
  507, as the matching AMQP condition). Operations are Open, Attach, Send, Receive, Settle, Renew, Peek, Cancel and
  PutToken; `path` is searched in the entity's path. `$cbs`, where clients put their tokens, is hit only if `path` or
  PutToken names it: SDKs that can't attach it wait for ever.
- `lost`, of Settle alone, confirms to a client what isn't done: the message comes again when its lock has ended.
- Three kinds act at once: `outage` resets every connection and refuses new ones for `seconds` (1 by default),
  `expire-locks` ends all locks, `detach` all links (of the entities that `path` is found in).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import Fault, Faults, Stats, control_routes
from local.service_bus.entities import Entity, Stored
from local.service_bus.frames import decoded, owned
from local.service_bus.refusal import CONDITIONS
from local.service_bus.server import Server

_NOT_CBS = r"^(?!\$cbs$)"
_AT_ONCE = frozenset({"outage", "expire-locks", "detach"})
KINDS = frozenset({"reset", "hang", "slow", "status", "lost"}) | _AT_ONCE
_STATES = ("active", "locked", "scheduled", "deferred", "deadLettered")


class BrokerFaults(Faults):
    """Faults with the broker's own kinds; those that act at once are handed to `act` and never kept."""

    act: Callable[[Fault], None]

    def add(self, wish: object) -> Fault:
        """As in `Faults`."""
        fault = Faults(KINDS).add(wish)
        if fault.kind == "status" and fault.status not in CONDITIONS:
            raise ValueError(f"invalid value for 'status': {fault.status}; known: {sorted(CONDITIONS)}")
        if fault.kind == "lost" and fault.operation != "Settle":
            raise ValueError("invalid value for 'operation': the kind 'lost' is of Settle alone")
        if fault.kind in _AT_ONCE:
            self.act(fault)
            return fault
        unless_named: dict[str, object] = {} if fault.operation == "PutToken" else {"path": _NOT_CBS}
        return super().add(unless_named | cast(dict[str, object], wish))


def application(server: Server, faults: BrokerFaults, stats: Stats) -> Starlette:
    """The control's application. It runs in the event loop of the AMQP server, so that neither needs locks."""
    broker = server.dispatcher.broker
    outages = set[asyncio.Task[None]]()

    def act(fault: Fault) -> None:
        path = fault.path.pattern if fault.path else ""
        if fault.kind == "outage":
            outages.add(asyncio.ensure_future(server.outage(1 if fault.seconds is None else fault.seconds)))
        elif fault.kind == "expire-locks":
            broker.expire_locks(path)
            server.dispatcher.soon()
        else:
            for connection in list(server.connections):
                connection.detach(path)
        stats.fault(fault)

    faults.act = act

    entities = [entity for entity in broker.directory.entities.values() if entity is entity.owner]

    async def get_entities(_: Request) -> Response:
        none = dict.fromkeys(_STATES, 0)
        counts = [(entity, Counter(map(_state, _messages(entity)))) for entity in entities]
        return JSONResponse([{"name": entity.path, "kind": entity.kind} | none | count for entity, count in counts])

    async def get_messages(request: Request) -> Response:
        wanted = request.query_params
        unknown = set(wanted) - {"entity", "state", "correlationId", "limit"}
        if unknown or wanted.get("state", "active") not in _STATES or not wanted.get("limit", "1").isdecimal():
            return JSONResponse({"error": f"known: entity, state ({', '.join(_STATES)}), correlationId, limit"}, 400)
        looked_in = [each for each in entities if wanted.get("entity", each.path).lower() == each.path.lower()]
        if not looked_in:
            return JSONResponse({"error": f"no entity named {wanted['entity']!r}"}, 404)
        found = (
            stored
            for stored in chain.from_iterable(map(_messages, looked_in))
            if wanted.get("state") in (None, _state(stored))
            and wanted.get("correlationId") in (None, broker.store.read(stored).correlation_id)
        )
        limited = islice(found, int(wanted.get("limit", "1000")))
        return JSONResponse([_shown(stored, broker.encoded(stored)) for stored in limited])

    own = [Route("/_entities", get_entities), Route("/_messages", get_messages)]
    return Starlette(routes=[*own, *control_routes(faults, stats)])


def _messages(entity: Entity) -> Iterator[Stored]:
    for each in (entity, entity.dead):
        yield from (each.messages[seq] for seq in sorted(each.messages))


def _state(stored: Stored) -> str:
    if stored.entity.kind == "dead letters":
        return "deadLettered"
    return "locked" if stored.lock is not None else stored.state.name.lower()


def _shown(stored: Stored, encoded: bytes) -> dict[str, Any]:
    message = decoded(encoded)
    shown: dict[str, Any] = {
        "entity": stored.entity.owner.path,
        "state": _state(stored),
        "sequenceNumber": stored.seq,
        "deliveryCount": stored.delivery_count,
        "enqueuedTime": stored.enqueued / 1000,
        "scheduledTime": None if stored.due is None else stored.due / 1000,
        "messageId": _plain(message.id),
        "correlationId": _plain(message.correlation_id),
        "contentType": message.content_type,
        "properties": {name: _plain(value) for name, value in (message.properties or {}).items()},
    }
    body = message.body
    return shown | {"body": body.decode(errors="backslashreplace") if isinstance(body, bytes) else _plain(body)}


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(owned(value))
