"""Contracts as CloudEvents 1.0 in binary mode over AMQP, and back.

Two ids matter. The *event id* is the fact: derived from its aggregate, what happened and its number, so that two copies
of a handler announce the same one. The *message id* is one sending of it: the event id the first time, a fresh one
whenever a fact is announced or a command sent again, since the broker drops an id that it has seen.

Source: CloudEvents 1.0.2 and its AMQP protocol binding, section 3.1.
"""

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pkgutil import iter_modules
from typing import Any
from uuid import UUID, uuid5

from shared import codec, contracts
from shared.contracts import Command, Contract, Event
from shared.errors import MessageTooLarge, UnknownType, Unparseable
from shared.ports import Document, System, WireMessage

MAX_BYTES = 240_000
"""Body and properties of one message; the Standard tier of Service Bus takes 256 KB in all."""

LONGEST_ATTRIBUTE = 200
"""Of an id, a type and a subject: whatever names a partition must be much shorter than 2,048 bytes."""

_IDS = UUID("6f1ab0a4-6a3d-5c0e-9a3c-0d0f9c5a7e11")


@dataclass(frozen=True, slots=True)
class Message:
    """One sending of one contract. `data` is the contract as JSON; `destination` a queue or topic."""

    id: str
    event_id: str
    type: str
    subject: str
    time: str
    destination: str
    data: Document
    retry_until: str | None = None
    """Of a command that will be sent again: from then on a fresh copy is on its way, and this one needs no retry."""
    traceparent: str | None = None

    @property
    def name(self) -> str:
        """That of its contract, in whichever version."""
        return self.type.split(".")[-2]

    @property
    def contract(self) -> Contract:
        """What it says. Raises Unparseable for an unknown type, or data that isn't of its shape."""
        found: Contract = codec.decode(contract_class(self.type), self.data)
        return found


def derived_id(*parts: object) -> str:
    """The same UUID for the same parts, for ever (version 5, RFC 9562)."""
    return str(uuid5(_IDS, "\n".join(map(str, parts))))


def event_id(cls: type[Contract], subject: str, number: int = 0) -> str:
    """The id of a fact or a command, in whichever version it is told: the fact is one. Whoever knows what, of which
    aggregate and its number knows it."""
    return derived_id(f"orderflow.{owner(cls)}.{contract_name(cls)}.v1", subject, number)


def contract_name(cls: type[Contract]) -> str:
    """What is said, in whichever version: `ShipmentDispatched` of ShipmentDispatchedV2, too."""
    return _name_and_version(cls)[0]


def type_name(cls: type[Contract]) -> str:
    """`orderflow.<context>.<Name>.v1`, or `.v2` of a class `<Name>V2`."""
    name, version = _name_and_version(cls)
    return f"orderflow.{owner(cls)}.{name}.v{version}"


def _name_and_version(cls: type[Contract]) -> tuple[str, str]:
    name, *version = re.split(r"V(?=\d+$)", cls.__name__)
    return name, "".join(version) or "1"


@cache
def contract_class(type: str) -> type[Contract]:
    """The contract of that type name. Raises Unparseable for one that nobody declares, UnknownType for one of ours."""
    cls = catalogue().get(type)
    if cls is None:
        error = UnknownType if type.startswith("orderflow.") else Unparseable
        raise error(f"unknown type {type[:200]!r}")
    return cls


@cache
def catalogue() -> Mapping[str, type[Contract]]:
    """Every version of every contract, by its type."""
    modules = (
        importlib.import_module(each.name) for each in iter_modules(contracts.__path__, f"{contracts.__name__}.")
    )
    return {
        type_name(cls): cls
        for module in modules
        for name, cls in vars(module).items()
        if isinstance(cls, type)
        and issubclass(cls, Command | Event)
        and not name.startswith("_")
        and cls.__module__ == module.__name__
    }


def owner(cls: type[Contract]) -> str:
    """Whose it is: who takes a command, or in whose topic an event goes."""
    return cls.__module__.rpartition(".")[2]


def destination(cls: type[Contract]) -> str:
    """Of a command the queue of whoever owns it, of an event its owner's topic."""
    return owner(cls) if issubclass(cls, Command) else f"{owner(cls)}-events"


def first(
    contract: Contract, subject: str, at: datetime, number: int = 0, retry_until: datetime | None = None
) -> Message:
    """The first sending: its message id is the event id, the same whoever makes it.

    `subject` is the aggregate; `number` tells repeatable facts of one aggregate apart.
    """
    cls = contract.__class__
    id = event_id(cls, subject, number)
    return Message(
        id=id,
        event_id=id,
        type=type_name(cls),
        subject=subject,
        time=codec.rfc3339(at),
        destination=destination(cls),
        data=codec.encode(contract),
        retry_until=codec.rfc3339(retry_until) if retry_until else None,
    )


def fact(event: Contract, order_id: str, system: System) -> Message:
    """The message that announces an event of this order for the first time."""
    return first(event, order_id, system.now())


def has_given_up(give_up_at: datetime | None, system: System) -> bool:
    """Whether a command comes after its sender has given up. It is undone, or will be, so that doing nothing is safe;
    doing it would take what a live order could have had. Where clocks are apart, it is sent again, or undone."""
    return give_up_at is not None and give_up_at <= system.now()


def again(message: Message, fresh_id: str) -> Message:
    """The same fact or command, sent once more."""
    return replace(message, id=fresh_id)


def to_wire(message: Message) -> WireMessage:
    """The message as the broker carries it. Raises MessageTooLarge."""
    properties = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": message.event_id,
        "cloudEvents_type": message.type,
        "cloudEvents_source": "/" + message.type.split(".")[1],
        "cloudEvents_time": message.time,
        "cloudEvents_subject": message.subject,
        "cloudEvents_dataschema": f"urn:{message.type.replace('.', ':')}",
    }
    if message.retry_until:
        properties["orderflow_retryUntil"] = message.retry_until
    if message.traceparent:
        properties["traceparent"] = message.traceparent
    body = _body(message.data)
    size = len(body) + sum(len(name) + len(value.encode()) for name, value in properties.items())
    if size > MAX_BYTES:
        raise MessageTooLarge(f"{message.type} for {message.subject} has {size} bytes; the limit is {MAX_BYTES}")
    return WireMessage(id=message.id, body=body, correlation_id=message.subject, properties=properties)


def _body(data: Document) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def restated(wire: WireMessage, contract: object) -> WireMessage:
    """The same message with another state of its contract."""
    return replace(wire, body=_body(codec.encode(contract)))


def from_wire(wire: WireMessage, queue: str) -> Message:
    """The message that came from `queue`. Raises Unparseable, saying what is wrong with it."""
    properties: Mapping[str, Any] = wire.properties or {}
    if properties.get("cloudEvents_specversion") != "1.0":
        raise Unparseable("not a CloudEvent: the property cloudEvents_specversion should be '1.0'")
    attributes = {name: properties.get(f"cloudEvents_{name}") for name in ("id", "type", "subject", "time")}
    for name, value in attributes.items():
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ATTRIBUTE:
            raise Unparseable(
                f"the property cloudEvents_{name} should be a text of 1 to {LONGEST_ATTRIBUTE} characters"
            )
    try:
        codec.rfc3339(codec.parse_rfc3339(str(attributes["time"])))
    except (ValueError, OverflowError):
        raise Unparseable("the property cloudEvents_time should be a time (RFC 3339)") from None
    try:
        data = json.loads(wire.body)
    except (ValueError, RecursionError):
        raise Unparseable("the body is not JSON") from None
    return Message(
        id=wire.id,
        event_id=str(attributes["id"]),
        type=str(attributes["type"]),
        subject=str(attributes["subject"]),
        time=str(attributes["time"]),
        destination=queue,
        data=data,
        retry_until=_text(properties.get("orderflow_retryUntil")),
        traceparent=_text(properties.get("traceparent")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
