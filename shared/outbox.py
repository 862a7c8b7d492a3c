"""The transactional outbox: an aggregate, the messages that its change sends and the audit entry of whoever of the
staff changed it are one batch in one partition.

`commit` writes, then publishes, then deletes the outbox documents. Whatever dies in between leaves them behind, and the
sweep, a timer of every context, publishes them. A message may so be sent twice, under one message id, never be lost.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched

from shared import metrics
from shared.audit import AuditEntry, audit_document
from shared.codec import decode, encode, parse_rfc3339, rfc3339
from shared.concurrency import for_each
from shared.errors import Contended, Transient, Unparseable
from shared.messaging import Message, again, to_wire
from shared.parking import Cause, ParkedMessages
from shared.ports import Condition, Container, Create, Delete, Document, Operation, Query, Sender, System, WireMessage
from shared.telemetry import continued, log, logged_with, sending

OUTBOX = "outbox"
"""What stands for the queue of what is parked because the outbox can't read it."""
_PAGE = 200
_MOST_IN_A_BATCH = 100


@dataclass(frozen=True, slots=True)
class OutboxTimes:
    """`grace`: how old a document must be for the sweep to take it for left behind. `pause`: how long after a failed
    publishing nobody but the sweep tries that destination again, so that an outage doesn't slow every request down.
    `parked`: how long a document that can't be read is kept, `audited` how long an audit entry."""

    grace: timedelta = timedelta(seconds=30)
    pause: timedelta = timedelta(seconds=5)
    parked: timedelta = timedelta(days=90)
    audited: timedelta = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A message in the outbox, as it is stored in the partition of the aggregate that it tells of."""

    id: str
    pk: str
    destination: str
    created_at: datetime
    message: Message


class Outbox:
    """One context's outbox, in its container."""

    def __init__(self, container: Container, sender: Sender, system: System, times: OutboxTimes) -> None:
        self._container = container
        self._sender = sender
        self._system = system
        self._times = times
        self._parked = ParkedMessages(container, system, times.parked)
        self._paused_until: dict[str, datetime] = {}

    async def commit(
        self, pk: str, operations: Sequence[Operation], messages: Sequence[Message], audit: AuditEntry | None = None
    ) -> list[str]:
        """Write the operations, the messages and the entry in one batch, then publish; the ETags of the operations.

        Raises MessageTooLarge before anything is written, and what `Container.write` raises. That publishing failed is
        not an error: the sweep does it.
        """
        etags, unpublished = await self.write(pk, operations, messages, audit)
        await self.publish(unpublished)
        return etags

    async def write(
        self, pk: str, operations: Sequence[Operation], messages: Sequence[Message], audit: AuditEntry | None = None
    ) -> tuple[list[str], list[Unpublished]]:
        """The first half of `commit`, for whoever commits many aggregates and publishes once."""
        unpublished = [self._unpublished(pk, message) for message in messages]
        documents = [{"kind": "outbox", **encode(each)} for each in unpublished]
        if audit:
            documents.append(audit_document(audit, pk, self._system.now(), self._times.audited))
        try:
            etags = await self._container.write(pk, [*operations, *map(Create, documents)])
        except Contended:
            # It may be this very batch that the store has seen before, its answer lost: then its messages are due. They
            # are published as they are stored: whoever won a race may have said something else under the same id.
            stored = await self._container.read_many([(pk, each.id) for each in unpublished])
            await self.publish(await self._readable(stored))
            raise
        return etags[: len(operations)], unpublished

    async def publish(self, unpublished: Sequence[Unpublished]) -> None:
        """The second half: publish what was written, but to destinations that failed a moment ago."""
        now = self._system.now()
        due = [each for each in unpublished if self._paused_until.get(each.destination, now) <= now]
        sent, failures = await self._send(due)
        for destination, failure in failures.items():
            self._paused_until[destination] = self._system.now() + self._times.pause
            log.warning("publishing to %s failed, the sweep will do it: %s", destination, failure)
        try:
            await self._clear(sent)
        except Transient as failure:
            # A busy store isn't waited for: what is left costs one more sending, under an id that the broker knows.
            log.warning("published, but not cleared; the sweep will publish again: %s", failure)

    async def publish_again(self, *messages: Message) -> None:
        """Announce facts that stand already: the same events under fresh message ids, nothing written. Raises
        Unavailable or Throttled."""
        by_destination: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_destination[message.destination].append(again(_traced(message), self._system.new_id()))
        for destination, fresh_ones in by_destination.items():
            await self._hand_over(destination, fresh_ones)

    async def sweep(self) -> int:
        """Publish what a crash or an outage left behind, oldest first; how many messages.

        A destination or a partition that fails holds up no other. Raises the first failure once the others are through.
        """
        before = Condition("createdAt", "<=", rfc3339(self._system.now() - self._times.grace))
        page = Query("outbox", (before,), ("createdAt", "id"), limit=_PAGE)
        swept = 0
        unreachable: set[str] = set()
        failures: list[Transient] = []
        oldest: timedelta | None = None
        while documents := await self._container.find(page):
            oldest = oldest or self._system.now() - parse_rfc3339(documents[0]["createdAt"])
            readable = await self._readable(documents)
            sent, failed = await self._send([each for each in readable if each.destination not in unreachable])
            unreachable |= failed.keys()
            failures += failed.values()
            try:
                await self._clear(sent)
            except Transient as failure:
                failures.append(failure)
            swept += len(sent)
            page = replace(page, after=(documents[-1]["createdAt"], documents[-1]["id"]))
        metrics.OUTBOX_AGE.record(oldest.total_seconds() if oldest else 0)
        if swept:
            log.info("the sweep published %d messages", swept)
        if failures:
            raise failures[0]
        return swept

    def _unpublished(self, pk: str, message: Message) -> Unpublished:
        message = _traced(message)
        to_wire(message)  # Raises MessageTooLarge now, before anything is written.
        return Unpublished(message.id, pk, message.destination, self._system.now(), message)

    async def _readable(self, documents: Sequence[Document]) -> list[Unpublished]:
        """Those that can be published. What can't be, another version wrote: it is parked, and holds up none."""
        readable: list[Unpublished] = []
        for document in documents:
            try:
                readable.append(decode(Unpublished, document))
            except Unparseable as fault:
                await self._park(document, f"the outbox can't read it: {fault}")
        return readable

    async def _park(self, document: Document, reason: str) -> None:
        pk, id = document["pk"], document["id"]
        whole = WireMessage(id, json.dumps(document).encode(), correlation_id=pk)
        with logged_with(message_id=id, queue=OUTBOX, subject=pk):
            try:
                await self._parked.park(id, whole, OUTBOX, Cause.UNREADABLE, reason)
                await self._delete((pk, [Delete(id)]))
            except (Transient, Contended) as failure:
                log.warning("parking failed, the next sweep tries again: %r", failure)

    async def _send(self, unpublished: Sequence[Unpublished]) -> tuple[list[Unpublished], dict[str, Transient]]:
        """Send to every destination at once; what went, and the failures by destination."""
        by_destination: dict[str, list[Unpublished]] = defaultdict(list)
        for each in unpublished:
            by_destination[each.destination].append(each)
        failures: dict[str, Transient] = {}

        async def send(destination: str) -> list[Unpublished]:
            group = by_destination[destination]
            try:
                await self._hand_over(destination, [each.message for each in group])
            except Transient as failure:
                failures[destination] = failure
                return []
            return group

        sent = await for_each(by_destination, send)
        return [each for group in sent for each in group], failures

    async def _hand_over(self, destination: str, messages: Sequence[Message]) -> None:
        with ExitStack() as spans:
            await self._sender.send(destination, [spans.enter_context(_sending(each)) for each in messages])

    async def _clear(self, published: Sequence[Unpublished]) -> None:
        by_partition: dict[str, list[Operation]] = defaultdict(list)
        for each in published:
            by_partition[each.pk].append(Delete(each.id))
        await for_each(by_partition.items(), self._delete)

    async def _delete(self, partition: tuple[str, list[Operation]]) -> None:
        pk, deletions = partition
        for batch in batched(deletions, _MOST_IN_A_BATCH, strict=False):
            try:
                await self._container.write(pk, batch)
            except Contended:
                # The sweep, or a copy of this handler, is clearing them too. What this leaves, the next sweep takes.
                log.info("outbox documents were cleared by another")


def _traced(message: Message) -> Message:
    """What it tells of may have a trace of its own, that of an order say: then it goes on in that one."""
    return replace(message, traceparent=continued(message.traceparent))


@contextmanager
def _sending(message: Message) -> Iterator[WireMessage]:
    with sending(
        f"send {message.name}", message.traceparent, message_id=message.id, subject=message.subject
    ) as traceparent:
        yield to_wire(replace(message, traceparent=traceparent))
