"""The queues, topics and subscriptions that the topology names, with the messages that each holds in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from local.service_bus.codec import Envelope, application_property
from local.service_bus.refusal import Refused
from local.service_bus.store import Stored
from local.topology import Queue, Subscription, Topology

DEAD = "/$DeadLetterQueue"


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
    """A queue, topic or subscription; times in milliseconds. A topic's box holds nothing but scheduled messages."""

    path: str
    kind: Literal["queue", "topic", "subscription"]
    lock: int = 60_000
    max_delivery_count: int = 10
    window: int = 0
    ttl: int | None = None
    dead_letter_on_expiration: bool = False
    types: tuple[str, ...] | None = None
    forward_to: Entity | None = None
    forward_dead_letters_to: Entity | None = None
    subscriptions: list[Entity] = field(default_factory=list)
    box: Box = field(init=False)
    dead: Box = field(init=False)

    def __post_init__(self) -> None:
        self.box = Box(self.path, self)
        self.dead = Box(self.path + DEAD, self, dead=True)

    def wants(self, envelope: Envelope) -> bool:
        """Whether a subscription's filter takes the message."""
        return self.types is None or application_property(envelope.bare, "cloudEvents_type") in self.types


class Directory:
    """Finds entities and boxes by their paths, ignoring case, as Service Bus does."""

    def __init__(self, topology: Topology) -> None:
        self.entities: dict[str, Entity] = {}
        for topic in topology.topics:
            window, ttl = _ms(topic.duplicate_detection_window), _ms(topic.default_message_ttl)
            self._add(Entity(topic.name, "topic", window=window or 0, ttl=ttl))
        for queue in topology.queues:
            entity = self._add(_receivable(queue.name, "queue", queue))
            entity.window = _ms(queue.duplicate_detection_window) or 0
        for subscription in topology.subscriptions:
            path = f"{subscription.topic}/Subscriptions/{subscription.name}"
            entity = self._add(_receivable(path, "subscription", subscription))
            entity.types = subscription.types
            self.entity(subscription.topic).subscriptions.append(entity)
        sources: tuple[Queue | Subscription, ...] = (*topology.queues, *topology.subscriptions)
        for source in sources:
            path = f"{source.topic}/Subscriptions/{source.name}" if isinstance(source, Subscription) else source.name
            entity = self.entity(path)
            entity.forward_to = self.entity(source.forward_to) if source.forward_to else None
            target = source.forward_dead_letters_to
            entity.forward_dead_letters_to = self.entity(target) if target else None
        self.boxes = {box.path: box for entity in self.entities.values() for box in (entity.box, entity.dead)}

    def entity(self, path: str) -> Entity:
        """The entity of this path; Refused when there is none."""
        try:
            return self.entities[path.lower()]
        except KeyError:
            raise Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.") from None

    def box(self, path: str) -> Box:
        """What a receiver of this path draws from: an entity's messages or its dead letters."""
        if path.lower().endswith(DEAD.lower()):
            return self.entity(path[: -len(DEAD)]).dead
        return self.entity(path).box

    def _add(self, entity: Entity) -> Entity:
        self.entities[entity.path.lower()] = entity
        return entity


def _receivable(path: str, kind: Literal["queue", "subscription"], source: Queue | Subscription) -> Entity:
    return Entity(
        path,
        kind,
        lock=round(source.lock_duration * 1000),
        max_delivery_count=source.max_delivery_count,
        ttl=_ms(source.default_message_ttl),
        dead_letter_on_expiration=source.dead_letter_on_expiration,
    )


def _ms(duration: float | None) -> int | None:
    return None if duration is None else round(duration * 1000)
