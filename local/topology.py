"""The system's entities as the local stack reads them from `infra/topology.json`.

`load` promises that what it returns is whole and consistent: every name that one entry gives of another
exists, and an unknown field is refused rather than ignored. Durations (ISO 8601 in the file) are
milliseconds here.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from local.state import StackError

FILE = Path(__file__).parent.parent / "infra/topology.json"
"""This repository's own."""

AZURES_OWN = {"apps"}
"""Sections that only a deployment to Azure reads: how far a context's app scales, and what it answers."""

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class TopologyError(StackError):
    """The topology file isn't one: the message names the entry and what is wrong with it."""


def milliseconds(duration: str) -> int:
    """The length of an ISO 8601 duration of days, hours, minutes, seconds; ValueError for anything else."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise ValueError(f"not an ISO 8601 duration of days, hours, minutes and seconds: {duration!r}")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return round((days * 86400 + hours * 3600 + minutes * 60 + rest) * 1000)


type Duration = Annotated[int, BeforeValidator(lambda value: milliseconds(value) if isinstance(value, str) else value)]

_AS_WRITTEN = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Container:
    """A Cosmos DB container. `default_ttl` is in seconds; -1: only with a `ttl` of its own; None: never.

    `indexing_policy` is in Azure's form; None: the default, which takes every property.
    """

    name: str
    partition_key: str
    default_ttl: int | None = None
    indexing_policy: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_AS_WRITTEN)
class Receivable:
    """What messages are received from. None means: no end of a message's life, no forwarding."""

    lock_duration: Duration = 60_000
    max_delivery_count: int = 10
    default_message_ttl: Duration | None = None
    dead_letter_on_expiration: bool = False
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Queue(Receivable):
    """A Service Bus queue. None means: no duplicate detection."""

    name: str
    max_size_in_megabytes: int = 1024
    duplicate_detection_window: Duration | None = None


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Topic:
    """A Service Bus topic."""

    name: str
    duplicate_detection_window: Duration | None = None
    default_message_ttl: Duration | None = None


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Subscription(Receivable):
    """A subscription, whose one rule takes the messages whose `cloudEvents_type` is one of `types`; None takes all."""

    topic: str
    name: str
    types: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """Where it is in its namespace."""
        return f"{self.topic}/Subscriptions/{self.name}"


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Grant:
    """What one context may do: names of queues and topics, or `<topic>/Subscriptions/<name>`.

    Whoever manages a queue sees its length, too, which the platform needs to scale what receives from it.
    """

    context: str
    send: frozenset[str] = frozenset()
    receive: frozenset[str] = frozenset()
    manage: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, config=_AS_WRITTEN)
class Topology:
    """Everything in the file."""

    contexts: tuple[str, ...] = ()
    containers: tuple[Container, ...] = ()
    queues: tuple[Queue, ...] = ()
    topics: tuple[Topic, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    grants: tuple[Grant, ...] = ()


def load(path: Path = FILE) -> Topology:
    """Read the file; TopologyError when it isn't a consistent topology, OSError when it can't be read."""
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise TopologyError(f"{path}: {error}") from error


def parse(document: Any) -> Topology:
    """`load` for a document that has been read already."""
    if not isinstance(document, dict):
        raise TopologyError("a topology is an object of sections")
    ours = {section: entries for section, entries in document.items() if section not in AZURES_OWN}
    try:
        topology = _TOPOLOGY.validate_json(json.dumps(ours))
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        label, *place = map(str, first["loc"])
        if place:
            entry = document[label][int(place[0])]
            named = entry.get("name", entry.get("context")) if isinstance(entry, dict) else entry
            label = f"{label.removesuffix('s')} {named!r}"
        complaint = "unknown field" if first["type"] == "unexpected_keyword_argument" else first["msg"]
        raise TopologyError(": ".join([label, *place[1:2], complaint])) from None
    _check(topology)
    return topology


_TOPOLOGY = TypeAdapter(Topology)


def _check(topology: Topology) -> None:
    queues = _names(topology.queues)
    topics = _names(topology.topics)
    _names(topology.containers)
    entities = queues | topics
    paths = {subscription.path for subscription in topology.subscriptions}
    if queues & topics:
        raise TopologyError(f"a queue and a topic share the name {min(queues & topics)!r}")
    if len(paths) < len(topology.subscriptions):
        raise TopologyError("two subscriptions of a topic share a name")
    for subscription in topology.subscriptions:
        _known(f"subscription {subscription.name!r}", topics, [subscription.topic])
    receivables: tuple[Queue | Subscription, ...] = (*topology.queues, *topology.subscriptions)
    for entity in receivables:
        targets = [t for t in (entity.forward_to, entity.forward_dead_letters_to) if t is not None]
        _known(f"{type(entity).__name__.lower()} {entity.name!r}", entities, targets)
    for grant in topology.grants:
        _known(f"grant {grant.context!r}", set(topology.contexts), [grant.context])
        _known(f"grant {grant.context!r}", entities, grant.send)
        _known(f"grant {grant.context!r}", queues | paths, grant.receive)
        _known(f"grant {grant.context!r}", queues, grant.manage)


def _names(entries: Iterable[Container | Queue | Topic]) -> set[str]:
    names = [entry.name for entry in entries]
    if twice := [name for name in names if names.count(name) > 1]:
        raise TopologyError(f"two entries of one kind share the name {twice[0]!r}")
    return {*names}


def _known(label: str, names: set[str], wanted: Iterable[str]) -> None:
    for name in wanted:
        if name not in names:
            raise TopologyError(f"{label} names {name!r}, which doesn't exist")
