"""The control over HTTP: `/_health`, `/_stats`, `/_faults` as in every stand-in, and a look at entities and messages.

- `GET /_entities`: `[{"name", "kind", "active", "locked", "scheduled", "deferred", "deadLettered"}]`.
- `GET /_messages?entity=…&state=…&correlationId=…&limit=…`: messages, oldest first; each parameter may be absent.
  `state` is one of active, locked, scheduled, deferred, deadLettered.
- `POST /_faults` takes the kinds `reset`, `hang`, `slow`, `status` (400, 401, 404, 408, 410, 413, 500, 501, 503 or 507,
  as the matching AMQP condition), and `duplicate` (a message is delivered, and a copy of it too). Operations are Open,
  Attach, Send, Receive, Settle, Renew, Peek, Cancel, PutToken; `path` is searched in the entity's path. `$cbs`, where
  clients put their tokens, is hit only if `path` or PutToken names it: SDKs that can't attach it wait for ever.
- Two kinds act at once: `outage` resets every connection and refuses new ones for `seconds` (1 by default),
  `expire-locks` ends all locks (of the entities that `path` is found in).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import Fault, Faults, Stats, control_routes
from local.service_bus.broker import Broker
from local.service_bus.entities import State, Stored
from local.service_bus.frames import decoded, owned
from local.service_bus.refusal import CONDITIONS
from local.service_bus.server import Server

_KINDS = frozenset({"reset", "hang", "slow", "status", "duplicate"})
_NOT_CBS = r"^(?!\$cbs$)"
_AT_ONCE = frozenset({"outage", "expire-locks"})
_STATES = ("active", "locked", "scheduled", "deferred", "deadLettered")


class BrokerFaults(Faults):
    """Faults with the broker's own kinds; those that act at once are handed to `act` and never kept."""

    def __init__(self) -> None:
        super().__init__(_KINDS)
        self.act: Callable[[Fault], None]

    def add(self, wish: object) -> Fault:
        """As in `Faults`."""
        fault = Faults(_KINDS | _AT_ONCE).add(wish)
        if fault.kind == "status" and fault.status not in CONDITIONS:
            raise ValueError(f"invalid value for 'status': {fault.status}; known: {sorted(CONDITIONS)}")
        if fault.kind in _AT_ONCE:
            self.act(fault)
            return fault
        wishes: dict[str, object] = dict(wish) if isinstance(wish, dict) else {}
        if fault.kind == "duplicate":
            wishes["operation"] = "Receive"
        if fault.operation != "PutToken":
            wishes.setdefault("path", _NOT_CBS)
        return super().add(wishes)


def application(server: Server, faults: BrokerFaults, stats: Stats) -> Starlette:
    """The control's application. It runs in the event loop of the AMQP server, so that neither needs locks."""
    broker = server.dispatcher.broker
    outages = set[asyncio.Task[None]]()

    def act(fault: Fault) -> None:
        if fault.kind == "outage":
            outages.add(asyncio.ensure_future(server.outage(1 if fault.seconds is None else fault.seconds)))
        else:
            broker.expire_locks(fault.path)
            server.dispatcher.soon()

    faults.act = act

    async def get_stats(_: Request) -> Response:
        by_entity = {path: dict(counts) for path, counts in broker.by_entity.items()}
        return JSONResponse(stats.snapshot() | {"connections": len(server.connections), "byEntity": by_entity})

    async def get_entities(_: Request) -> Response:
        shown = []
        for entity in broker.directory.entities.values():
            counts = dict.fromkeys(_STATES, 0)
            for stored in (*entity.box.messages.values(), *entity.dead.messages.values()):
                counts[_state(stored)] += 1
            shown.append({"name": entity.path, "kind": entity.kind} | counts)
        return JSONResponse(shown)

    async def get_messages(request: Request) -> Response:
        wanted = request.query_params
        unknown = set(wanted) - {"entity", "state", "correlationId", "limit"}
        if unknown or wanted.get("state", "active") not in _STATES or not wanted.get("limit", "1").isdecimal():
            return JSONResponse({"error": f"known: entity, state ({', '.join(_STATES)}), correlationId, limit"}, 400)
        if "entity" in wanted and wanted["entity"].lower() not in broker.directory.entities:
            return JSONResponse({"error": f"no entity named {wanted['entity']!r}"}, 404)
        found = []
        for stored in _messages(broker, wanted.get("entity")):
            if wanted.get("state") not in (None, _state(stored)):
                continue
            if wanted.get("correlationId") in (None, broker.store.read(stored).correlation_id):
                found.append(_shown(stored, broker.encoded(stored)))
            if len(found) >= int(wanted.get("limit", "1000")):
                break
        return JSONResponse(found)

    return Starlette(
        routes=[
            Route("/_stats", get_stats),
            Route("/_entities", get_entities),
            Route("/_messages", get_messages),
            *control_routes(faults, stats),
        ]
    )


def _messages(broker: Broker, name: str | None) -> Iterator[Stored]:
    for path, entity in broker.directory.entities.items():
        if name is None or path == name.lower():
            for box in (entity.box, entity.dead):
                yield from (box.messages[seq] for seq in sorted(box.messages))


def _state(stored: Stored) -> str:
    if stored.box.dead:
        return "deadLettered"
    if stored.lock is not None:
        return "locked"
    return {State.ACTIVE: "active", State.SCHEDULED: "scheduled", State.DEFERRED: "deferred"}[stored.state]


def _shown(stored: Stored, encoded: bytes) -> dict[str, Any]:
    message = decoded(encoded)
    shown: dict[str, Any] = {
        "entity": stored.box.entity.path,
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
    if not isinstance(body, bytes):
        return shown | {"body": _plain(body)}
    try:
        return shown | {"body": body.decode()}
    except UnicodeDecodeError:
        return shown | {"body": base64.b64encode(body).decode(), "encoding": "base64"}


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(owned(value))
