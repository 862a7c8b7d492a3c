"""The ports in memory: for tests that need no process, and for running a whole system in one thread.

Real code, held to the same abstract suite as the real adapters: ETags, atomic batches, conditions, keysets, duplicate
detection, scheduling and forwarding behave as in Azure.
"""

import asyncio
import heapq
import json
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.errors import AlreadyExists, ConditionFailed, Missing, Unavailable
from shared.ports import (
    Condition,
    Create,
    Delete,
    Document,
    Operation,
    Patch,
    Query,
    Replace,
    System,
    WireMessage,
)

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_MOST_OPERATIONS = 100
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def _copy[T](document: T) -> T:
    """As a real store would keep it."""
    copied: T = _as_json(document)
    return copied


def _as_json(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return value
    if kind is dict:
        return {name: _as_json(each) for name, each in value.items()}
    if kind is list:
        return [_as_json(each) for each in value]
    return json.loads(json.dumps(value))


class MemoryContainer:
    """shared.ports.Container as a dictionary."""

    def __init__(self) -> None:
        self.now: Callable[[], datetime] = lambda: _BEGINNING
        """The store's own clock, by which it stamps what is written: `_ts`, in seconds."""
        self._partitions: dict[str, dict[str, Document]] = defaultdict(dict)
        self._of_kind: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        """Where documents of each kind are, or were, as (pk, id)."""
        self._etags = 0

    async def read(self, pk: str, id: str) -> Document | None:
        """One document, or None."""
        await asyncio.sleep(0)
        return _copy(self._partitions[pk].get(id))

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        """Those of the documents named as (pk, id) that exist."""
        await asyncio.sleep(0)
        found = (self._partitions[pk].get(id) for pk, id in keys)
        return [_copy(document) for document in found if document]

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        """Do all operations, or none; the new ETags."""
        await asyncio.sleep(0)
        if not 0 < len(operations) <= _MOST_OPERATIONS:
            raise ValueError(f"a batch has 1 to {_MOST_OPERATIONS} operations, not {len(operations)}")
        partition = dict(self._partitions[pk])
        etags = [self._apply(partition, pk, index, each) for index, each in enumerate(operations)]
        self._partitions[pk] = partition
        for each in operations:
            if isinstance(each, Create):
                self._of_kind[each.document["kind"]][pk, each.document["id"]] = None
        return etags

    async def find(self, query: Query) -> list[Document]:
        """At most `query.limit` documents."""
        await asyncio.sleep(0)
        comes_after = operator.lt if query.descending else operator.gt
        found = [
            document
            for document in self._all(query.kind)
            if all(_holds(document, condition) for condition in query.where)
            and (not query.after or comes_after(tuple(document[name] for name in query.order_by), query.after))
        ]
        found.sort(key=lambda document: [document[name] for name in query.order_by], reverse=query.descending)
        return _copy(found[: query.limit])

    def documents(self, kind: str) -> list[Document]:
        """Every document of a kind, for assertions."""
        return [_copy(document) for document in self._all(kind)]

    def _all(self, kind: str) -> Iterator[Document]:
        for pk, id in self._of_kind[kind]:
            document = self._partitions[pk].get(id)
            if document and document["kind"] == kind:
                yield document

    def partition(self, pk: str) -> dict[str, Document]:
        """The documents of a partition by id, for assertions."""
        return self._partitions[pk]

    def _apply(self, partition: dict[str, Document], pk: str, index: int, operation: Operation) -> str:
        match operation:
            case Create(document):
                if document["id"] in partition:
                    raise AlreadyExists(index)
                return self._store(partition, pk, document)
            case Replace(document, etag):
                self._existing(partition, document["id"], index, lambda stored: stored["_etag"] == etag)
                return self._store(partition, pk, document)
            case Patch(id, changes, where):
                changed = self._existing(partition, id, index, lambda stored: where is None or _holds(stored, where))
                for change in changes:
                    added = changed.get(change.name, 0) if change.op == "incr" else None
                    changed[change.name] = change.value if added is None else added + change.value
                return self._store(partition, pk, changed)
            case Delete(id, etag):
                self._existing(partition, id, index, lambda stored: etag in (None, stored["_etag"]))
                del partition[id]
                return ""

    def _existing(
        self, partition: dict[str, Document], id: str, index: int, condition: Callable[[Document], bool]
    ) -> Document:
        if id not in partition:
            raise Missing(index)
        if not condition(partition[id]):
            raise ConditionFailed(index)
        return _copy(partition[id])

    def _store(self, partition: dict[str, Document], pk: str, document: Document) -> str:
        if document["pk"] != pk:
            raise ValueError(f"{document['id']} belongs to partition {document['pk']}, not {pk}")
        self._etags += 1
        etag = f'"{self._etags}"'
        partition[document["id"]] = _copy(document) | {"_etag": etag, "_ts": int(self.now().timestamp())}
        return etag


def _holds(document: Document, condition: Condition) -> bool:
    value = document.get(condition.name)
    return type(value) is type(condition.value) and _COMPARISONS[condition.op](value, condition.value)


class MemoryBroker:
    """shared.ports.Sender, with queues, topics whose subscriptions forward, scheduling and duplicate detection."""

    def __init__(self, topology: Mapping[str, Any], system: System) -> None:
        self._queues: dict[str, list[tuple[datetime, int, WireMessage]]] = {q["name"]: [] for q in topology["queues"]}
        self._topics: dict[str, list[tuple[frozenset[str], str]]] = {t["name"]: [] for t in topology["topics"]}
        for subscription in topology["subscriptions"]:
            self._topics[subscription["topic"]].append((frozenset(subscription["types"]), subscription["forwardTo"]))
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._system = system
        self._sequence = 0
        self.sent: list[tuple[str, WireMessage]] = []
        """Everything that was accepted, duplicates left out, as (destination, message)."""

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        """Hand the messages to a queue or topic, visible from `at` on."""
        await asyncio.sleep(0)
        for message in messages:
            if message.id not in self._seen[destination]:
                self._seen[destination].add(message.id)
                self.sent.append((destination, message))
                self._route(destination, message, at or self._system.now())

    async def check(self, destination: str) -> None:
        """Whether there is such a queue or topic. Raises Unavailable."""
        if destination not in self._queues.keys() | self._topics.keys():
            raise Unavailable(f"there is no {destination}")

    def receive(self, queue: str) -> WireMessage | None:
        """Take the next visible message off a queue."""
        waiting = self._queues[queue]
        if waiting and waiting[0][0] <= self._system.now():
            return heapq.heappop(waiting)[2]
        return None

    def forget(self) -> None:
        """The window of duplicate detection ends: from now on every message id is new."""
        self._seen.clear()

    def next_due(self) -> datetime | None:
        """When the earliest message of any queue is visible; None when all are empty."""
        return min((waiting[0][0] for waiting in self._queues.values() if waiting), default=None)

    def _route(self, destination: str, message: WireMessage, at: datetime) -> None:
        if destination in self._queues:
            self._sequence += 1
            heapq.heappush(self._queues[destination], (at, self._sequence, message))
            return
        type = str((message.properties or {}).get("cloudEvents_type"))
        for types, forward_to in self._topics[destination]:
            if type in types:
                self._route(forward_to, message, at)
