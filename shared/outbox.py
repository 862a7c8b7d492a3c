"""The transactional outbox: an aggregate and the messages that its change sends are one batch in one partition.

`commit` writes, then publishes, then deletes the outbox documents. Whatever dies in between leaves them behind, and the
sweep, a timer of every context, publishes them. A message may so be sent twice, under one message id, never be lost.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched

from shared.codec import decode, rfc3339
from shared.concurrency import for_each
from shared.errors import Contended, Transient, Unparseable
from shared.messaging import Message, again, from_document, to_document, to_wire
from shared.ports import (
    Condition,
    Container,
    Create,
    Delete,
    Document,
    Operation,
    Query,
    Sender,
    System,
    WireMessage,
)
from shared.telemetry import current_traceparent, log, log_event

_PAGE = 200
_MOST_IN_A_BATCH = 100


@dataclass(frozen=True, slots=True)
class OutboxTimes:
    """`grace`: how old a document must be for the sweep to take it for left behind. `pause`: how long after a failed
    publishing nobody but the sweep tries that destination again, so that an outage doesn't slow every request down.
    `parked`: how long a document that can't be read is kept."""

    grace: timedelta = timedelta(seconds=30)
    pause: timedelta = timedelta(seconds=5)
    parked: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Published:
    """What publishing needs of an outbox document."""

    destination: str
    message: Message


class Outbox:
    """One context's outbox, in its container."""

    def __init__(self, container: Container, sender: Sender, system: System, times: OutboxTimes) -> None:
        self._container = container
        self._sender = sender
        self._system = system
        self._times = times
        self._paused_until: dict[str, datetime] = {}

    async def commit(self, pk: str, operations: Sequence[Operation], messages: Sequence[Message]) -> list[str]:
        """Write the operations and the messages in one batch, then publish; the ETags of the operations.

        Raises MessageTooLarge before anything is written, and what `Container.write` raises. That publishing failed is
        not an error: the sweep does it.
        """
        etags, documents = await self.write(pk, operations, messages)
        await self.publish(documents)
        return etags

    async def write(
        self, pk: str, operations: Sequence[Operation], messages: Sequence[Message]
    ) -> tuple[list[str], list[Document]]:
        """The first half of `commit`, for whoever commits many aggregates and publishes once."""
        documents = [self._document(pk, message) for message in messages]
        try:
            etags = await self._container.write(pk, [*operations, *map(Create, documents)])
        except Contended:
            # It may be this very batch that the store has seen before, its answer lost: then its messages are due. They
            # are published as they are stored: whoever won a race may have said something else under the same id.
            await self.publish(await self._container.read_many([(pk, each["id"]) for each in documents]))
            raise
        return etags[: len(operations)], documents

    async def publish(self, documents: Sequence[Document]) -> None:
        """The second half: publish what was written, but to destinations that failed a moment ago."""
        now = self._system.now()
        due = [each for each in documents if self._paused_until.get(each["destination"], now) <= now]
        sent, failures = await self._send(due)
        for destination, failure in failures.items():
            self._paused_until[destination] = self._system.now() + self._times.pause
            log.warning("publishing to %s failed, the sweep will do it: %s", destination, failure)
        try:
            await self._clear(sent)
        except Transient as failure:
            log.warning("published, but not cleared; the sweep will publish again: %s", failure)

    async def publish_again(self, *messages: Message) -> None:
        """Announce facts that stand already: the same events under fresh message ids, nothing written."""
        by_destination: dict[str, list[WireMessage]] = defaultdict(list)
        for message in messages:
            fresh = again(replace(message, traceparent=current_traceparent()), self._system.new_id())
            by_destination[fresh.destination].append(to_wire(fresh))
        for destination, fresh_ones in by_destination.items():
            await self._sender.send(destination, fresh_ones)

    async def sweep(self) -> int:
        """Publish what a crash or an outage left behind, oldest first; how many messages.

        A destination that fails holds up no other. Raises its failure once the others are through.
        """
        before = Condition("createdAt", "<=", rfc3339(self._system.now() - self._times.grace))
        page = Query("outbox", (before,), ("createdAt", "id"), limit=_PAGE)
        swept = 0
        failed: dict[str, Transient] = {}
        while documents := await self._container.find(page):
            readable = [each for each in documents if await self._is_readable(each)]
            sent, failures = await self._send([each for each in readable if each["destination"] not in failed])
            failed |= failures
            await self._clear(sent)
            swept += len(sent)
            page = replace(page, after=(documents[-1]["createdAt"], documents[-1]["id"]))
        if swept:
            log.info("the sweep published %d messages", swept)
        for failure in failed.values():
            raise failure
        return swept

    async def _is_readable(self, document: Document) -> bool:
        """Whether it can be published. What can't be, another version wrote: it is parked beside, and holds up none."""
        try:
            decode(_Published, document)
        except Unparseable as fault:
            parked = document | {"id": f"parked:{document['id']}", "kind": "parked", "queue": "outbox"}
            parked |= {"attempts": 1, "occurrences": 1, "ttl": int(self._times.parked.total_seconds())}
            parked |= {"reason": f"the outbox can't read it: {fault}", "parkedAt": rfc3339(self._system.now())}
            with suppress(Contended):
                await self._container.write(document["pk"], [Create(parked), Delete(document["id"])])
                log_event("message_parked", "%s in the outbox can't be read: %s", document["id"], fault)
            return False
        return True

    def _document(self, pk: str, message: Message) -> Document:
        message = replace(message, traceparent=current_traceparent())
        to_wire(message)
        return {
            "id": message.id,
            "pk": pk,
            "kind": "outbox",
            "destination": message.destination,
            "createdAt": rfc3339(self._system.now()),
            "message": to_document(message),
        }

    async def _send(self, documents: Sequence[Document]) -> tuple[list[Document], dict[str, Transient]]:
        """Send to every destination at once; the documents that went, and the failures by destination."""
        by_destination: dict[str, list[Document]] = defaultdict(list)
        for document in documents:
            by_destination[document["destination"]].append(document)
        failures: dict[str, Transient] = {}

        async def send(destination: str) -> list[Document]:
            group = by_destination[destination]
            try:
                await self._sender.send(destination, [to_wire(from_document(each["message"])) for each in group])
            except Transient as failure:
                failures[destination] = failure
                return []
            return group

        sent = await for_each(by_destination, send)
        return [document for group in sent for document in group], failures

    async def _clear(self, documents: Sequence[Document]) -> None:
        by_partition: dict[str, list[Operation]] = defaultdict(list)
        for document in documents:
            by_partition[document["pk"]].append(Delete(document["id"]))
        await for_each(by_partition.items(), self._delete)

    async def _delete(self, partition: tuple[str, list[Operation]]) -> None:
        pk, deletions = partition
        for batch in batched(deletions, _MOST_IN_A_BATCH, strict=False):
            try:
                await self._container.write(pk, batch)
            except Contended:
                # The sweep, or a copy of this handler, is clearing them too. What this leaves, the next sweep takes.
                log.info("outbox documents were cleared by another")
