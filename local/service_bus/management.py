"""The request-response operations of `<entity>/$management` and `$cbs`.

Azure Service Bus documentation, "AMQP 1.0 in Azure Service Bus: request-response-based operations".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from proton import UNDESCRIBED, Array, Data, Message, ProtonException, int32, timestamp

from local.service_bus.broker import Broker, Outcome
from local.service_bus.codec import parse
from local.service_bus.entities import Box
from local.service_bus.refusal import Refused
from local.service_bus.security import Tokens

MANAGEMENT, CBS = "/$management", "$cbs"
_VENDOR = "com.microsoft:"
_OUTCOMES: dict[str, Outcome] = {
    "completed": "complete", "abandoned": "abandon", "defered": "defer", "suspended": "dead-letter",
    "unlocked": "release",
}  # fmt: skip
# What faults and counters call the operations.
OPERATIONS = {
    "put-token": "PutToken", "schedule-message": "Send", "cancel-scheduled-message": "Cancel", "peek-message": "Peek",
    "renew-lock": "Renew", "update-disposition": "Settle", "receive-by-sequence-number": "Receive",
}  # fmt: skip


class Request:
    """One request on a management node; Refused when it isn't an AMQP message."""

    def __init__(self, encoded: bytes) -> None:
        self.message = Message()
        try:
            self.message.decode(encoded)
        except ProtonException as error:
            raise Refused("amqp:decode-error", str(error)) from error
        properties: Any = self.message.properties
        self.properties: dict[str, Any] = properties or {}
        self.body: dict[str, Any] = self.message.body if isinstance(self.message.body, dict) else {}
        self.name = str(self.properties.get("operation", "")).removeprefix(_VENDOR)

    @property
    def operation(self) -> str:
        """What faults and counters call it."""
        return OPERATIONS.get(self.name, "Management")

    def argument(self, name: str) -> Any:
        """A value of the body's map; Refused where it is missing."""
        if name not in self.body:
            raise Refused("com.microsoft:argument-error", f"The request has no '{name}'.")
        value = self.body[name]
        return value.elements if isinstance(value, Array) else value

    def reply(self, status: int, description: str, condition: str | None = None, body: Any = None) -> Message:
        """The answer to this request, with its status under the names that either node's clients look for."""
        properties: dict[str, object] = {
            "statusCode": int32(status), "statusDescription": description,
            "status-code": int32(status), "status-description": description,
        }  # fmt: skip
        if condition is not None:
            properties |= {"errorCondition": condition, "error-condition": condition}
        return Message(correlation_id=self.message.id, address=self.message.reply_to, properties=properties, body=body)


def put_token(request: Request, tokens: Tokens) -> Message:
    """`$cbs`: keep the token that the request carries."""
    if request.name != "put-token":
        raise Refused("amqp:not-implemented", f"$cbs knows put-token, not '{request.name}'.")
    tokens.put(str(request.message.body), str(request.properties.get("name", "")))
    return request.reply(202, "Accepted")


def manage(request: Request, broker: Broker, box: Box, tokens: Tokens) -> Message:
    """`<entity>/$management`: carry the request out, if a token allows it."""
    if request.name not in _HANDLERS:
        raise Refused("amqp:not-implemented", f"The operation '{request.name}' isn't supported by this stand-in.")
    right, handler = _HANDLERS[request.name]
    tokens.demand(box.path, box.entity.path, right)
    body = handler(request, broker, box)
    return request.reply(200, "OK", body=body) if body is not None else request.reply(204, "No Content")


def _array(kind: int, items: list[Any]) -> Array:
    undescribed: Any = UNDESCRIBED
    return Array(undescribed, kind, *items)


def _renew(request: Request, broker: Broker, _box: Box) -> object:
    ends = [broker.renew(token.bytes_le) for token in request.argument("lock-tokens")]
    return {"expirations": _array(Data.TIMESTAMP, [timestamp(end) for end in ends])}


def _peek(request: Request, broker: Broker, box: Box) -> object:
    found = broker.peek(box, int(request.argument("from-sequence-number")), int(request.argument("message-count")))
    return {"messages": [{"message": encoded} for encoded in found]} if found else None


def _schedule(request: Request, broker: Broker, box: Box) -> object:
    envelopes = [parse(bytes(item["message"])) for item in request.argument("messages")]
    if box.dead or any(envelope.scheduled is None for envelope in envelopes):
        raise Refused("com.microsoft:argument-error", "A message to schedule needs x-opt-scheduled-enqueue-time.")
    numbers = broker.send(box.entity, envelopes)
    return {"sequence-numbers": _array(Data.LONG, numbers)}


def _cancel(request: Request, broker: Broker, box: Box) -> object:
    broker.cancel(box.entity, [int(number) for number in request.argument("sequence-numbers")])
    return {}


def _receive(request: Request, broker: Broker, box: Box) -> object:
    found = broker.by_sequence_number(box, [int(number) for number in request.argument("sequence-numbers")])
    messages: list[dict[str, object]] = []
    for stored in found:
        lock = broker.lock(stored)
        messages.append({"message": broker.delivered(stored), "lock-token": uuid.UUID(bytes_le=lock)})
        if int(request.argument("receiver-settle-mode")) == 0:
            broker.settle(lock, "complete")
    return {"messages": messages} if messages else None


def _settle(request: Request, broker: Broker, _box: Box) -> object:
    status = str(request.argument("disposition-status"))
    if status not in _OUTCOMES:
        raise Refused("amqp:not-implemented", f"The disposition '{status}' isn't supported by this stand-in.")
    if request.body.get("properties-to-modify"):
        raise Refused("amqp:not-implemented", "properties-to-modify isn't supported by this stand-in.")
    tokens = [token.bytes_le for token in request.argument("lock-tokens")]
    reason, description = request.body.get("deadletter-reason"), request.body.get("deadletter-description")
    for token in tokens:
        broker.held(token)
    for token in tokens:
        broker.settle(token, _OUTCOMES[status], str(reason or ""), str(description or ""))
    return {}


_HANDLERS: dict[str, tuple[str, Callable[[Request, Broker, Box], object]]] = {
    "renew-lock": ("receive", _renew), "peek-message": ("receive", _peek), "schedule-message": ("send", _schedule),
    "cancel-scheduled-message": ("send", _cancel), "receive-by-sequence-number": ("receive", _receive),
    "update-disposition": ("receive", _settle),
}  # fmt: skip
