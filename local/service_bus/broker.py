"""What happens to messages: routing, duplicate detection, locks, delivery counts, dead letters, schedules, expiry.

Nothing here knows AMQP connections. Whoever calls it commits the store before the outcome leaves the process.
"""

import heapq
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from local.faults import Stats
from local.service_bus.codec import Envelope, encode, string, with_application_properties, with_message_id
from local.service_bus.entities import Directory, Entity, State, Stored
from local.service_bus.refusal import Refused
from local.service_bus.store import Store

MAX_MESSAGE_SIZE = 256 * 1024
_MAX_HOPS, _MAX_MESSAGE_ID, _LONGEST_WAIT = 4, 128, 1_000

Outcome = Literal["completed", "abandoned", "released", "deferred", "deadLettered"]


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Broker:
    """All messages of all entities. `awake` gathers the entities that may have something for a receiver."""

    def __init__(self, directory: Directory, store: Store, stats: Stats) -> None:
        self.directory, self.store, self._stats = directory, store, stats
        self.awake: set[Entity] = set()
        self._locks: dict[bytes, Stored] = {}
        self._timers: list[tuple[int, int, str]] = []
        for stored in store.load(directory.entities):
            self._place(stored)

    # Sending

    def send(self, entity: Entity, envelopes: list[Envelope]) -> list[int]:
        """Take messages in, all or none: into their queue, to their topic's subscriptions, or aside until they are due.

        The sequence number of each; 0 for what nobody gets, a duplicate among them.
        """
        if entity.kind not in ("queue", "topic"):
            raise Refused("amqp:not-allowed", f"Messages can't be sent to '{entity.path}'.")
        if any(len(envelope.message_id or "") > _MAX_MESSAGE_ID for envelope in envelopes):
            raise Refused("com.microsoft:argument-error", f"A message id has at most {_MAX_MESSAGE_ID} characters.")
        entity.check_room(sum(envelope.size for envelope in envelopes))
        return [self._send(entity, envelope) for envelope in envelopes]

    def _send(self, entity: Entity, envelope: Envelope) -> int:
        self._stats.add("messagesSent", of=entity.path)
        if envelope.message_id is None:
            envelope = with_message_id(envelope, uuid.uuid4().hex)
        if self._is_duplicate(entity, envelope):
            return 0
        if envelope.scheduled is not None and envelope.scheduled > now_ms():
            return self._keep(entity, envelope, due=envelope.scheduled)
        return self._publish(entity, envelope)

    def _is_duplicate(self, entity: Entity, envelope: Envelope) -> bool:
        message_id = envelope.message_id or ""
        if not entity.window or self.store.first_seen(entity.path, message_id, now_ms(), entity.window):
            return False
        self._stats.add("duplicatesDropped")
        return True

    def _publish(self, entity: Entity, envelope: Envelope) -> int:
        seq = 0
        for place in entity.subscriptions if entity.kind == "topic" else [entity]:
            if place.types is not None and envelope.type not in place.types:
                continue
            if place.forward_to is None:
                seq = self._keep(place, envelope)
            elif envelope.hops == _MAX_HOPS:
                self._bury(place, envelope, "MaxTransferHopCountExceeded", f"It was forwarded {_MAX_HOPS} times.")
            else:
                origin = envelope.origin or self.store.next_seq(place.path)
                try:
                    self._forward(place.forward_to, replace(envelope, origin=origin))
                except Refused as refused:
                    self._bury(place, envelope, "ForwardingFailed", str(refused))
        return seq

    def _forward(self, path: str, envelope: Envelope) -> None:
        target = self.directory.entity(path)
        target.check_room(envelope.size)
        if not self._is_duplicate(target, envelope):
            self._publish(target, replace(envelope, hops=envelope.hops + 1))

    def _bury(self, entity: Entity, envelope: Envelope, *reason: str, seq: int = 0, delivery_count: int = 0) -> None:
        """Make a message one of the entity's dead letters, or of those that it forwards them to."""
        self._stats.add("deadLettered")
        if reason:
            added = zip(("DeadLetterReason", "DeadLetterErrorDescription"), map(string, reason), strict=True)
            envelope = with_application_properties(envelope, dict(added))
        if entity.forward_dead_letters_to is not None and envelope.hops < _MAX_HOPS:
            forwarded = replace(envelope, origin=envelope.origin or seq, source=entity.path)
            with suppress(Refused):
                self._forward(entity.forward_dead_letters_to, forwarded)
                return
        self._keep(entity.dead, envelope, seq=seq, delivery_count=delivery_count)

    def _keep(
        self, entity: Entity, envelope: Envelope, *, seq: int = 0, due: int | None = None, delivery_count: int = 0
    ) -> int:
        seq, now = seq or self.store.next_seq(entity.owner.path), now_ms()
        lives = [ttl for ttl in (envelope.ttl, entity.default_message_ttl) if ttl is not None]
        expires = now + min(lives) if lives and due is None and entity is entity.owner else None
        state = State.ACTIVE if due is None else State.SCHEDULED
        stored = Stored(seq, entity, state, delivery_count, now, due, expires, envelope.size)
        self.store.insert(stored, envelope)
        self._place(stored)
        return seq

    def _place(self, stored: Stored) -> None:
        stored.entity.messages[stored.seq] = stored
        stored.entity.owner.size += stored.size
        self.offer(stored)
        if stored.due is not None:
            self._remind(stored.due, stored)

    def find(self, entity: Entity, sequence_numbers: set[int], state: State) -> list[Stored]:
        """The messages of these numbers; Refused when one isn't there in this state, or is locked."""
        found = []
        for seq in sorted(sequence_numbers):
            stored = entity.messages.get(seq)
            if stored is None or stored.state is not state or stored.lock is not None:
                raise Refused("com.microsoft:message-not-found", f"There is no {state.name.lower()} message {seq}.")
            found.append(stored)
        return found

    # Receiving

    def offer(self, stored: Stored) -> None:
        """Let receivers have a message that nobody holds, if it is one to be received."""
        if stored.state is State.ACTIVE:
            heapq.heappush(stored.entity.ready, stored.seq)
            self.awake.add(stored.entity)
            if stored.expires is not None:
                self._remind(stored.expires, stored)

    def take(self, entity: Entity) -> Stored | None:
        """The next message for a receiver, in order of sequence numbers; the caller locks it."""
        while entity.ready:
            stored = entity.messages.get(heapq.heappop(entity.ready))
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
        self._stats.add("messagesDelivered", of=stored.entity.path)
        return stored.lock, self.encoded(stored)

    def consume(self, stored: Stored) -> bytes:
        """Deliver a message to a receiver that wants no lock: the message, which is gone then."""
        encoded = self.encoded(stored)
        for name in ("messagesDelivered", "completed"):
            self._stats.add(name, of=stored.entity.path)
        self.remove(stored)
        return encoded

    def peek(self, entity: Entity, first: int, count: int) -> list[bytes]:
        """Up to `count` messages from sequence number `first` on, in any state."""
        numbers = heapq.nsmallest(count, (seq for seq in entity.messages if seq >= first))
        return [self.encoded(entity.messages[seq]) for seq in numbers]

    def encoded(self, stored: Stored) -> bytes:
        """The whole message with the broker's annotations."""
        envelope, lock = self.store.read(stored), stored.lock
        said = {
            "x-opt-sequence-number": stored.seq,
            "x-opt-enqueued-time": stored.enqueued,
            "x-opt-enqueue-sequence-number": envelope.origin or None,
            "x-opt-message-state": stored.state or None,
            "x-opt-locked-until": stored.locked_until if lock else None,
            "x-opt-deadletter-source": envelope.source,
        }
        own = {name: value for name, value in said.items() if value is not None}
        return encode(envelope, stored.delivery_count, own, uuid.UUID(bytes_le=lock) if lock else None)

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
        if outcome == "deadLettered" and stored.entity.kind == "dead letters":
            raise Refused("amqp:not-allowed", "A dead letter can't be dead-lettered again.")
        self._unlock(stored)
        if properties:
            edited = with_application_properties(self.store.read(stored), properties)
            self.store.delete(stored)
            self.store.insert(stored, edited)
        if outcome == "deadLettered":
            self._dead_letter(stored)
            return
        self._stats.add(outcome, of=stored.entity.path)
        match outcome:
            case "completed":
                self.remove(stored)
            case "abandoned":
                self._failed(stored)
            case "released":
                self.offer(stored)
            case "deferred":
                stored.state = State.DEFERRED
                self.store.update(stored)

    def _extend(self, stored: Stored) -> None:
        stored.locked_until = now_ms() + stored.entity.lock_duration
        self._remind(stored.locked_until, stored)

    def _unlock(self, stored: Stored) -> None:
        if stored.lock is not None:
            del self._locks[stored.lock]
            stored.lock = None

    def _failed(self, stored: Stored) -> None:
        stored.delivery_count += 1
        if stored.delivery_count >= stored.entity.max_delivery_count:
            text = f"Message could not be consumed after {stored.delivery_count} delivery attempts."
            self._dead_letter(stored, "MaxDeliveryCountExceeded", text)
        else:
            self.store.update(stored)
            self.offer(stored)

    def _dead_letter(self, stored: Stored, *reason: str) -> None:
        envelope, count = self.store.read(stored), stored.delivery_count
        self.remove(stored)
        self._bury(stored.entity, envelope, *reason, seq=stored.seq, delivery_count=count)

    def remove(self, stored: Stored) -> None:
        """Take a message out for good."""
        self._unlock(stored)
        del stored.entity.messages[stored.seq]
        stored.entity.owner.size -= stored.size
        self.store.delete(stored)

    # Time

    def tick(self) -> float:
        """Do what has become due: locks that end, schedules, expiry. After how many seconds to call again."""
        now = now_ms()
        while self._timers and self._timers[0][0] <= now:
            _, seq, path = heapq.heappop(self._timers)
            stored = self.directory.entity(path).messages.get(seq)
            if stored is None:
                continue
            if stored.lock is not None:
                if stored.locked_until <= now:
                    self._unlock(stored)
                    self._stats.add("locksExpired")
                    self._failed(stored)
            elif stored.due is not None and stored.due <= now:
                envelope = self.store.read(stored)
                self.remove(stored)
                self._publish(stored.entity, envelope)
            elif stored.expires is not None and stored.expires <= now and stored.state is State.ACTIVE:
                self._expire(stored)
        wait = min(self._timers[0][0] - now, _LONGEST_WAIT) if self._timers else _LONGEST_WAIT
        return max(0, wait) / 1000

    def expire_locks(self, path: str) -> None:
        """End every lock now, as if its time had passed, of entities whose path the pattern is found in."""
        for stored in self._locks.values():
            if re.search(path, stored.entity.path):
                stored.locked_until = 0
                self._remind(0, stored)

    def _remind(self, at: int, stored: Stored) -> None:
        heapq.heappush(self._timers, (at, stored.seq, stored.entity.path))

    def _expire(self, stored: Stored) -> None:
        self._stats.add("expired")
        if stored.entity.dead_letter_on_expiration:
            self._dead_letter(stored, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self.remove(stored)
