"""What happens to messages: routing, duplicate detection, locks, delivery counts, dead letters, schedules, expiry.

Nothing here knows AMQP connections. Whoever calls it commits the store before the outcome leaves the process.
"""

from __future__ import annotations

import heapq
import re
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from local.faults import Stats
from local.service_bus.codec import Envelope, encode, string, with_application_properties, with_message_id
from local.service_bus.entities import Box, Directory, Entity, State, Stored
from local.service_bus.refusal import Refused
from local.service_bus.store import Store

MAX_MESSAGE_SIZE = 256 * 1024
_MAX_HOPS, _MAX_MESSAGE_ID = 4, 128

Outcome = Literal["complete", "abandon", "release", "defer", "dead-letter"]
_COUNTED = {"complete": "completed", "abandon": "abandoned", "release": "released", "defer": "deferred"}


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Broker:
    """All messages of all entities. `awake` gathers the boxes that may have something for a receiver."""

    def __init__(self, directory: Directory, store: Store, stats: Stats) -> None:
        self.directory, self.store, self._stats = directory, store, stats
        self.by_entity: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.awake: set[Box] = set()
        self._locks: dict[bytes, Stored] = {}
        self._timers: list[tuple[int, int, str]] = []
        for stored in store.load(directory.boxes):
            self._place(stored)

    # Sending

    def send(self, entity: Entity, envelopes: list[Envelope]) -> list[int]:
        """Take messages in, all or none: into their queue, to their topic's subscriptions, or aside until they are due.

        The sequence number of each; 0 for what nobody gets, a duplicate among them.
        """
        if entity.kind == "subscription":
            raise Refused("amqp:not-allowed", f"Messages can't be sent to the subscription '{entity.path}'.")
        if any(len(envelope.message_id or "") > _MAX_MESSAGE_ID for envelope in envelopes):
            raise Refused("com.microsoft:argument-error", f"A message id has at most {_MAX_MESSAGE_ID} characters.")
        entity.check_room(sum(map(_size, envelopes)))
        return [self._send(entity, _identified(envelope)) for envelope in envelopes]

    def cancel(self, entity: Entity, sequence_numbers: set[int]) -> None:
        """Take scheduled messages back; Refused, with nothing done, when one isn't there."""
        for stored in self.find(entity.box, sequence_numbers, State.SCHEDULED):
            self._remove(stored)

    def copy(self, stored: Stored) -> None:
        """Put a second copy of a message beside it (a fault: what a sender's lost confirmation leads to)."""
        self._keep(stored.box, self.store.read(stored))

    def _send(self, entity: Entity, envelope: Envelope) -> int:
        self._count("messagesSent", entity)
        if self._is_duplicate(entity, envelope):
            return 0
        if envelope.scheduled is not None and envelope.scheduled > now_ms():
            return self._keep(entity.box, envelope, due=envelope.scheduled)
        return self._publish(entity, envelope)

    def _is_duplicate(self, entity: Entity, envelope: Envelope) -> bool:
        if not entity.window or envelope.message_id is None:
            return False
        if self.store.first_seen(entity.path, envelope.message_id, now_ms(), entity.window):
            return False
        self._count("duplicatesDropped", entity)
        return True

    def _publish(
        self, entity: Entity, envelope: Envelope, origin: int = 0, source: str | None = None, hops: int = 0
    ) -> int:
        seq = 0
        for place in entity.subscriptions if entity.kind == "topic" else [entity]:
            if place.kind == "subscription" and not place.wants(envelope):
                continue
            if place.forward_to is None:
                seq = self._keep(place.box, envelope, origin=origin, source=source)
            elif hops == _MAX_HOPS:
                text = f"The message was forwarded more than {_MAX_HOPS} times."
                self._bury(place, _with_reason(envelope, "MaxTransferHopCountExceeded", text), origin=origin)
            else:
                try:
                    number = origin or self.store.next_seq(place.path)
                    self._forward(place.forward_to, envelope, number, source, hops)
                except Refused as refused:
                    self._bury(place, _with_reason(envelope, "ForwardingFailed", str(refused)), origin=origin)
        return seq

    def _forward(self, target: Entity, envelope: Envelope, origin: int, source: str | None, hops: int) -> None:
        target.check_room(_size(envelope))
        if not self._is_duplicate(target, envelope):
            self._publish(target, envelope, origin, source, hops + 1)

    def _bury(self, entity: Entity, envelope: Envelope, *, origin: int, seq: int = 0, delivery_count: int = 0) -> None:
        """Make a message one of the entity's dead letters, or of those that it forwards them to."""
        self._count("deadLettered", entity)
        if entity.forward_dead_letters_to is not None:
            with suppress(Refused):
                self._forward(entity.forward_dead_letters_to, envelope, origin or seq, entity.path, 0)
                return
        self._keep(entity.dead, envelope, seq=seq, delivery_count=delivery_count, origin=origin)

    def _keep(
        self, box: Box, envelope: Envelope, *, seq: int = 0, due: int | None = None, delivery_count: int = 0,
        origin: int = 0, source: str | None = None,
    ) -> int:  # fmt: skip
        seq, now = seq or self.store.next_seq(box.entity.path), now_ms()
        lives = [ttl for ttl in (envelope.ttl, box.entity.ttl) if ttl is not None]
        expires = now + min(lives) if lives and due is None and not box.dead else None
        state = State.ACTIVE if due is None else State.SCHEDULED
        size = _size(envelope)
        stored = Stored(seq, box, state, delivery_count, now, due, expires, origin, source, size)
        self.store.insert(stored, envelope)
        self._place(stored)
        return seq

    def _place(self, stored: Stored) -> None:
        stored.box.messages[stored.seq] = stored
        stored.box.entity.size += stored.size
        self.offer(stored)
        if stored.due is not None:
            self._remind(stored.due, stored)

    def find(self, box: Box, sequence_numbers: set[int], state: State) -> list[Stored]:
        """The messages of these numbers; Refused when one isn't there in this state, or is locked."""
        found = []
        for seq in sorted(sequence_numbers):
            stored = box.messages.get(seq)
            if stored is None or stored.state is not state or stored.lock is not None:
                raise Refused("com.microsoft:message-not-found", f"There is no {state.name.lower()} message {seq}.")
            found.append(stored)
        return found

    # Receiving

    def offer(self, stored: Stored) -> None:
        """Let receivers have a message that nobody holds, if it is one to be received."""
        if stored.state is State.ACTIVE:
            heapq.heappush(stored.box.ready, stored.seq)
            self.awake.add(stored.box)
            if stored.expires is not None:
                self._remind(stored.expires, stored)

    def take(self, box: Box) -> Stored | None:
        """The next message for a receiver, in order of sequence numbers; the caller locks it."""
        while box.ready:
            stored = box.messages.get(heapq.heappop(box.ready))
            if stored is None or stored.lock is not None or stored.state is not State.ACTIVE:
                continue
            if stored.expires is None or stored.expires > now_ms():
                return stored
            self._expire(stored)
        return None

    def lock(self, stored: Stored) -> tuple[bytes, bytes]:
        """Lock a message for a receiver: the lock token, as a delivery tag (a UUID, little-endian), and the message."""
        stored.lock = uuid.uuid4().bytes_le
        self._locks[stored.lock] = stored
        self._extend(stored)
        self._count("messagesDelivered", stored.box.entity)
        return stored.lock, self.encoded(stored)

    def consume(self, stored: Stored) -> bytes:
        """Deliver a message to a receiver that wants no lock: the message, which is gone then."""
        encoded = self.encoded(stored)
        for name in ("messagesDelivered", "completed"):
            self._count(name, stored.box.entity)
        self._remove(stored)
        return encoded

    def peek(self, box: Box, first: int, count: int) -> list[bytes]:
        """Up to `count` messages from sequence number `first` on, in any state."""
        numbers = heapq.nsmallest(count, (seq for seq in box.messages if seq >= first))
        return [self.encoded(box.messages[seq]) for seq in numbers]

    def encoded(self, stored: Stored) -> bytes:
        """The whole message with the broker's annotations."""
        own: dict[str, object] = {
            "x-opt-sequence-number": stored.seq,
            "x-opt-enqueued-time": stored.enqueued,
        }
        if stored.origin:
            own["x-opt-enqueue-sequence-number"] = stored.origin
        if stored.state is not State.ACTIVE:
            own["x-opt-message-state"] = stored.state
        if stored.lock is not None:
            own["x-opt-locked-until"] = stored.locked_until
        if stored.source is not None:
            own["x-opt-deadletter-source"] = stored.source
        lock = None if stored.lock is None else uuid.UUID(bytes_le=stored.lock)
        return encode(self.store.read(stored), stored.delivery_count, own, lock)

    # Settling

    def held(self, lock: bytes) -> Stored:
        """The message under this lock; Refused when the lock has ended."""
        stored = self._locks.get(lock)
        if stored is None or stored.locked_until <= now_ms():
            text = "The lock supplied is invalid. Either the lock expired, or the message has already been removed."
            raise Refused("com.microsoft:message-lock-lost", text)
        return stored

    def renew(self, lock: bytes) -> int:
        """Extend a lock to the entity's full duration from now; its new end."""
        stored = self.held(lock)
        self._extend(stored)
        return stored.locked_until

    def settle(self, lock: bytes, outcome: Outcome, properties: Mapping[str, bytes] = {}) -> None:
        """End a lock with what its receiver decided, who may set application properties (encoded)."""
        stored = self.held(lock)
        if outcome == "dead-letter" and stored.box.dead:
            raise Refused("amqp:not-allowed", "A dead letter can't be dead-lettered again.")
        self._unlock(stored)
        if properties:
            self.store.rewrite(stored, with_application_properties(self.store.read(stored).bare, properties))
        if outcome in _COUNTED:
            self._count(_COUNTED[outcome], stored.box.entity)
        match outcome:
            case "complete":
                self._remove(stored)
            case "abandon":
                self._failed(stored)
            case "release":
                self.offer(stored)
            case "defer":
                stored.state = State.DEFERRED
                self.store.update(stored)
            case "dead-letter":
                self._dead_letter(stored)

    def _extend(self, stored: Stored) -> None:
        stored.locked_until = now_ms() + stored.box.entity.lock
        self._remind(stored.locked_until, stored)

    def _unlock(self, stored: Stored) -> None:
        if stored.lock is not None:
            del self._locks[stored.lock]
            stored.lock = None

    def _failed(self, stored: Stored) -> None:
        stored.delivery_count += 1
        if stored.delivery_count < stored.box.entity.max_delivery_count or stored.box.dead:
            self.store.update(stored)
            self.offer(stored)
        else:
            text = f"Message could not be consumed after {stored.delivery_count} delivery attempts."
            self._dead_letter(stored, "MaxDeliveryCountExceeded", text)

    def _dead_letter(self, stored: Stored, reason: str = "", description: str = "") -> None:
        envelope = self.store.read(stored)
        if reason:
            envelope = _with_reason(envelope, reason, description)
        self._remove(stored)
        count, origin = stored.delivery_count, stored.origin
        self._bury(stored.box.entity, envelope, origin=origin, seq=stored.seq, delivery_count=count)

    def _remove(self, stored: Stored) -> None:
        self._unlock(stored)
        del stored.box.messages[stored.seq]
        stored.box.entity.size -= stored.size
        self.store.delete(stored)

    # Time

    def tick(self) -> int | None:
        """Do what has become due: locks that end, schedules, expiry. When to call again, in milliseconds since 1970."""
        now = now_ms()
        while self._timers and self._timers[0][0] <= now:
            _, seq, path = heapq.heappop(self._timers)
            stored = self.directory.boxes[path].messages.get(seq)
            if stored is None:
                continue
            if stored.lock is not None:
                if stored.locked_until <= now:
                    self._unlock(stored)
                    self._count("locksExpired", stored.box.entity)
                    self._failed(stored)
            elif stored.due is not None and stored.due <= now:
                envelope = self.store.read(stored)
                self._remove(stored)
                self._publish(stored.box.entity, envelope)
            elif stored.expires is not None and stored.expires <= now and stored.state is State.ACTIVE:
                self._expire(stored)
        return self._timers[0][0] if self._timers else None

    def expire_locks(self, path: str | None = None) -> None:
        """End every lock now, as if its time had passed; only of entities whose path the pattern is found in."""
        for stored in self._locks.values():
            if path is None or re.search(path, stored.box.path):
                stored.locked_until = 0
                self._remind(0, stored)

    def _remind(self, at: int, stored: Stored) -> None:
        heapq.heappush(self._timers, (at, stored.seq, stored.box.path))

    def _expire(self, stored: Stored) -> None:
        self._count("expired", stored.box.entity)
        if stored.box.entity.dead_letter_on_expiration:
            self._dead_letter(stored, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(stored)

    def _count(self, name: str, entity: Entity) -> None:
        self._stats.add(name)
        self.by_entity[entity.path][name] += 1


def _with_reason(envelope: Envelope, reason: str, description: str) -> Envelope:
    added = {"DeadLetterReason": string(reason), "DeadLetterErrorDescription": string(description)}
    return replace(envelope, bare=with_application_properties(envelope.bare, added))


def _identified(envelope: Envelope) -> Envelope:
    return envelope if envelope.message_id is not None else with_message_id(envelope, uuid.uuid4().hex)


def _size(envelope: Envelope) -> int:
    return len(envelope.header) + len(envelope.annotations) + len(envelope.bare)
