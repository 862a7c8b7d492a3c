"""The queues, topics and subscriptions that the topology names, and the messages in them. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from local.service_bus.codec import Envelope
from local.service_bus.refusal import Refused
from local.topology import Queue, Subscription, Topology

DEAD = "/$DeadLetterQueue"


class State(IntEnum):
    """A message's state, numbered as in the annotation `x-opt-message-state`."""

    ACTIVE, DEFERRED, SCHEDULED = range(3)


@dataclass(slots=True, eq=False)
class Stored:
    """A message's place and state, kept in memory; the message itself is on disk.

    `lock` is the delivery tag under which a receiver holds it until `locked_until`. Locks are in memory alone: they end
    with the process. Of one that was forwarded, `origin` is its sequence number where it came in first (else 0), and
    `source` the entity that dead-lettered it. `size` is in bytes.
    """

    seq: int
    box: Box
    state: State
    delivery_count: int
    enqueued: int
    due: int | None
    expires: int | None
    origin: int
    source: str | None
    size: int
    lock: bytes | None = None
    locked_until: int = 0


@dataclass(slots=True, eq=False)
class Box:
    """Where messages lie: an entity's own, or its dead letters. `ready` is a heap of numbers, some of them stale."""

    path: str
    entity: Entity
    dead: bool = False
    messages: dict[int, Stored] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Entity:
    """A queue, topic or subscription, and the bytes of its messages. A topic's box holds only scheduled messages."""

    path: str
    kind: Literal["queue", "topic", "subscription"]
    window: int = 0
    ttl: int | None = None
    lock: int = 0
    max_delivery_count: int = 0
    max_size: int | None = None
    dead_letter_on_expiration: bool = False
    types: tuple[str, ...] | None = None
    forward_to: Entity | None = None
    forward_dead_letters_to: Entity | None = None
    subscriptions: list[Entity] = field(default_factory=list)
    size: int = 0
    box: Box = field(init=False)
    dead: Box = field(init=False)

    def __post_init__(self) -> None:
        self.box, self.dead = Box(self.path, self), Box(self.path + DEAD, self, dead=True)

    def wants(self, envelope: Envelope) -> bool:
        """Whether a subscription's filter takes the message."""
        return self.types is None or envelope.type in self.types

    def check_room(self, size: int) -> None:
        """Refused when it can't take so many bytes more."""
        if self.max_size is not None and self.size + size > self.max_size:
            raise Refused("amqp:resource-limit-exceeded", f"The queue '{self.path}' is full: {self.size} bytes.")


class Directory:
    """Finds entities and boxes by their paths, ignoring case, as Service Bus does."""

    def __init__(self, topology: Topology) -> None:
        self.entities: dict[str, Entity] = {}
        for topic in topology.topics:
            window, ttl = _ms(topic.duplicate_detection_window), _ms(topic.default_message_ttl)
            self.entities[topic.name.lower()] = Entity(topic.name, "topic", window or 0, ttl)
        sources: tuple[Queue | Subscription, ...] = (*topology.queues, *topology.subscriptions)
        for source in sources:
            entity = _receivable(source)
            self.entities[entity.path.lower()] = entity
            if isinstance(source, Subscription):
                self.entity(source.topic).subscriptions.append(entity)
        for source in sources:
            entity, to, dead_to = self.entity(_path(source)), source.forward_to, source.forward_dead_letters_to
            entity.forward_to = self.entity(to) if to else None
            entity.forward_dead_letters_to = self.entity(dead_to) if dead_to else None
        self.boxes = {box.path: box for entity in self.entities.values() for box in (entity.box, entity.dead)}

    def entity(self, path: str) -> Entity:
        """The entity of this path; Refused when there is none."""
        if path.lower() not in self.entities:
            raise Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.")
        return self.entities[path.lower()]

    def box(self, path: str) -> Box:
        """What a receiver of this path draws from: an entity's messages or its dead letters."""
        if path.lower().endswith(DEAD.lower()):
            return self.entity(path[: -len(DEAD)]).dead
        return self.entity(path).box


def _path(source: Queue | Subscription) -> str:
    return source.name if isinstance(source, Queue) else f"{source.topic}/Subscriptions/{source.name}"


def _receivable(source: Queue | Subscription) -> Entity:
    entity = Entity(_path(source), "queue", ttl=_ms(source.default_message_ttl), lock=_ms(source.lock_duration) or 0)
    entity.max_delivery_count = source.max_delivery_count
    entity.dead_letter_on_expiration = source.dead_letter_on_expiration
    if isinstance(source, Queue):
        entity.window = _ms(source.duplicate_detection_window) or 0
        entity.max_size = source.max_size_in_megabytes * 2**20
    else:
        entity.kind, entity.types = "subscription", source.types
    return entity


def _ms(duration: float | None) -> int | None:
    return None if duration is None else round(duration * 1000)
