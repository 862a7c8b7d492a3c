"""The request-response operations of `<entity>/$management` and `$cbs`.

Azure Service Bus documentation, "AMQP 1.0 in Azure Service Bus: request-response-based operations".
"""

import uuid
from collections.abc import Callable
from typing import Any

from proton import UNDESCRIBED, Array, Data, Message, int32, timestamp

from local.service_bus.broker import Broker, Outcome
from local.service_bus.codec import parse
from local.service_bus.entities import Directory, Entity, State
from local.service_bus.frames import decoded, encoded, owned, reading
from local.service_bus.refusal import Refused
from local.service_bus.security import MANAGEMENT, Tokens, path_of

CBS = "$cbs"
_OUTCOMES: dict[str, Outcome] = {
    "completed": "completed", "abandoned": "abandoned", "defered": "deferred", "suspended": "deadLettered",
    "unlocked": "released",
}  # fmt: skip
_MAX_PEEKED = 250
_UNSUPPORTED = "isn't supported by this stand-in."


class Request:
    """One request on a management node; MalformedError when it isn't an AMQP message."""

    def __init__(self, encoded: bytes) -> None:
        message = decoded(encoded)
        with reading():
            self._id, self._reply_to, body = owned(message.id), message.reply_to, message.body
        self.properties: dict[str, Any] = message.properties if isinstance(message.properties, dict) else {}
        self.text = body if isinstance(body, str) else ""
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        self.name = str(self.properties.get("operation", "")).removeprefix("com.microsoft:")

    @property
    def operation(self) -> str:
        """What faults and counters call it."""
        return "PutToken" if self.name == "put-token" else _HANDLERS.get(self.name, ("Other",))[0]

    def argument[T](self, name: str, kind: type[T]) -> T:
        """A value of the body's map; Refused where it is missing or of another type."""
        value = self.body.get(name)
        if not isinstance(value, kind):
            raise Refused("com.microsoft:argument-error", f"The request's '{name}' isn't a {kind.__name__}.")
        return value

    def elements[T](self, name: str, kind: type[T]) -> list[T]:
        """The elements of an array or list in the body's map; Refused where they aren't all of that type."""
        value = self.body.get(name)
        found = value.elements if isinstance(value, Array) else value
        if not isinstance(found, list | tuple) or not all(isinstance(element, kind) for element in found):
            raise Refused("com.microsoft:argument-error", f"The request's '{name}' isn't an array of {kind.__name__}.")
        return list(found)

    def reply(self, status: int, description: str, condition: str | None = None, body: Any = None) -> Message:
        """The answer to this request, with its status under the names that either node's clients look for."""
        properties: dict[str, object] = {
            "statusCode": int32(status), "statusDescription": description, "errorCondition": condition,
            "status-code": int32(status), "status-description": description, "error-condition": condition,
        }  # fmt: skip
        return Message(correlation_id=self._id, address=self._reply_to, properties=properties, body=body)


def put_token(request: Request, directory: Directory, tokens: Tokens) -> Message:
    """`$cbs`: keep the token that the request carries, for the namespace or an entity in it."""
    if request.name != "put-token":
        raise Refused("amqp:not-implemented", f"The operation '{request.name}' {_UNSUPPORTED}")
    audience = str(request.properties.get("name", ""))
    tokens.put(request.text, audience)
    if path := path_of(audience).removesuffix(MANAGEMENT):
        directory.entity(path)
    return request.reply(202, "Accepted")


def manage(request: Request, broker: Broker, entity: Entity, tokens: Tokens) -> Message:
    """`<entity>/$management`: carry the request out, if a token allows it."""
    if request.name not in _HANDLERS:
        raise Refused("amqp:not-implemented", f"The operation '{request.name}' {_UNSUPPORTED}")
    _, right, handler = _HANDLERS[request.name]
    tokens.demand(entity, right)
    body = handler(request, broker, entity)
    return request.reply(204, "No Content") if body is None else request.reply(200, "OK", body=body)


def _renew(request: Request, broker: Broker, _entity: Entity) -> object:
    ends = [timestamp(broker.renew(lock.bytes_le)) for lock in request.elements("lock-tokens", uuid.UUID)]
    return {"expirations": _array(Data.TIMESTAMP, ends)}


def _peek(request: Request, broker: Broker, entity: Entity) -> object:
    first, count = request.argument("from-sequence-number", int), request.argument("message-count", int)
    found = broker.peek(entity, first, min(count, _MAX_PEEKED))
    return {"messages": [{"message": encoded} for encoded in found]} if found else None


def _schedule(request: Request, broker: Broker, entity: Entity) -> object:
    encoded = [item.get("message") for item in request.elements("messages", dict)]
    envelopes = [parse(item) for item in encoded if isinstance(item, bytes)]
    if len(envelopes) < len(encoded) or any(envelope.scheduled is None for envelope in envelopes):
        raise Refused("com.microsoft:argument-error", "A message to schedule needs x-opt-scheduled-enqueue-time.")
    return {"sequence-numbers": _array(Data.LONG, broker.send(entity, envelopes))}


def _cancel(request: Request, broker: Broker, entity: Entity) -> object:
    for stored in broker.find(entity, set(request.elements("sequence-numbers", int)), State.SCHEDULED):
        broker.remove(stored)
    return {}


def _receive(request: Request, broker: Broker, entity: Entity) -> object:
    found = broker.find(entity, set(request.elements("sequence-numbers", int)), State.DEFERRED)
    if request.argument("receiver-settle-mode", int) == 0:
        return {"messages": [{"message": broker.consume(stored)} for stored in found]}
    locked = [broker.lock(stored) for stored in found]
    return {"messages": [{"message": data, "lock-token": uuid.UUID(bytes_le=lock)} for lock, data in locked]}


def _settle(request: Request, broker: Broker, _entity: Entity) -> object:
    status = request.argument("disposition-status", str)
    if status not in _OUTCOMES:
        raise Refused("amqp:not-implemented", f"The disposition '{status}' {_UNSUPPORTED}")
    given = {"DeadLetterReason": "deadletter-reason", "DeadLetterErrorDescription": "deadletter-description"}
    reasons = {name: request.body[field] for name, field in given.items() if request.body.get(field)}
    with reading():
        properties = encoded({**(request.body.get("properties-to-modify") or {}), **reasons})
    locks = {lock.bytes_le for lock in request.elements("lock-tokens", uuid.UUID)}
    for lock in locks:
        broker.held(lock)
    for lock in locks:
        broker.settle(lock, _OUTCOMES[status], properties)
    return {}


def _array(kind: int, elements: list[Any]) -> Array:
    undescribed: Any = UNDESCRIBED
    return Array(undescribed, kind, *elements)


# What faults and counters call an operation, the right that it takes, and what carries it out.
_HANDLERS: dict[str, tuple[str, str, Callable[[Request, Broker, Entity], object]]] = {
    "schedule-message": ("Send", "send", _schedule),
    "cancel-scheduled-message": ("Cancel", "send", _cancel),
    "peek-message": ("Peek", "receive", _peek),
    "receive-by-sequence-number": ("Receive", "receive", _receive),
    "renew-lock": ("Renew", "receive", _renew),
    "update-disposition": ("Settle", "receive", _settle),
}
