"""The queues, topics and subscriptions that the topology names, and the messages in them. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Literal

from local.service_bus.refusal import Refused
from local.topology import Receivable, Topology

DEAD = "/$DeadLetterQueue"


class State(IntEnum):
    """A message's state, numbered as in the annotation `x-opt-message-state`."""

    ACTIVE, DEFERRED, SCHEDULED = range(3)


@dataclass(slots=True, eq=False)
class Stored:
    """A message's place and state, kept in memory; the message itself is on disk, in `row`.

    `lock` is the delivery tag under which a receiver holds it until `locked_until`. Locks are in memory alone: they end
    with the process. `size` is in bytes.
    """

    seq: int
    entity: Entity
    state: State
    delivery_count: int
    enqueued: int
    due: int | None
    expires: int | None
    size: int
    row: int = 0
    lock: bytes | None = None
    locked_until: int = 0


@dataclass(slots=True, eq=False)
class Entity:
    """A queue, topic or subscription with its messages, of which a topic has only scheduled ones; or its dead letters.

    `owner` is the entity whose dead letters these are, or itself: its `size` in bytes and its numbers count for both.
    `ready` is a heap of numbers, some of them stale.
    """

    path: str
    kind: Literal["queue", "topic", "subscription", "dead letters"]
    window: int | None = None
    default_message_ttl: int | None = None
    lock_duration: int = 0
    max_delivery_count: int = 2**31
    dead_letter_on_expiration: bool = False
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None
    max_size: int | None = None
    types: tuple[str, ...] | None = None
    subscriptions: list[Entity] = field(default_factory=list)
    messages: dict[int, Stored] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)
    size: int = 0
    owner: Entity = field(init=False)
    dead: Entity = field(init=False)

    def __post_init__(self) -> None:
        self.owner = self
        if self.kind != "dead letters":
            self.dead = Entity(self.path + DEAD, "dead letters", lock_duration=self.lock_duration)
            self.dead.owner = self

    def check_room(self, size: int) -> None:
        """Refused when it can't take so many bytes more."""
        if self.max_size is not None and self.size + size > self.max_size:
            raise Refused("amqp:resource-limit-exceeded", f"The queue '{self.path}' is full: {self.size} bytes.")


class Directory:
    """Finds entities by their paths, ignoring case, as Service Bus does."""

    def __init__(self, topology: Topology) -> None:
        self.entities: dict[str, Entity] = {}
        for topic in topology.topics:
            self._add(Entity(topic.name, "topic", topic.duplicate_detection_window, topic.default_message_ttl))
        for queue in topology.queues:
            window, max_size = queue.duplicate_detection_window, queue.max_size_in_megabytes * 2**20
            self._add(Entity(queue.name, "queue", window, max_size=max_size, **_shared(queue)))
        for subscription in topology.subscriptions:
            entity = Entity(subscription.path, "subscription", types=subscription.types, **_shared(subscription))
            self._add(entity)
            self.entity(subscription.topic).subscriptions.append(entity)

    def _add(self, entity: Entity) -> None:
        self.entities |= {each.path.lower(): each for each in (entity, entity.dead)}

    def entity(self, path: str) -> Entity:
        """The entity, or the dead letters, of this path; Refused when there is none."""
        if path.lower() not in self.entities:
            raise Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.")
        return self.entities[path.lower()]


def _shared(source: Receivable) -> dict[str, Any]:
    return {each.name: getattr(source, each.name) for each in fields(Receivable)}
