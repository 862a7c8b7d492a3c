"""Operations' storage: each event a document in its order's partition, the sums in one of their own, and what doesn't
agree."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from services.operations.domain import Cursor, Disagreement, Recorded
from services.operations.projections import Head, Place, nonzero
from shared.audit import AuditEntry
from shared.codec import decode, encode
from shared.listing import find_readable, keyset, readable
from shared.messaging import catalogue, contract_name, derived_id, event_id
from shared.outbox import Outbox
from shared.ports import Condition, Container, Create, Delete, Document, Query
from shared.repository import Repository, restored, storing

_SUMS = "sums"
_CURSOR = "compared"


class Events:
    """Each event once, beside the others of its order: what is kept goes by itself, later than anybody needs it."""

    def __init__(self, container: Container, keep: timedelta) -> None:
        self._container = container
        # An event tells of what happened up to `keep` later, and that of a day as long ago: see decision 24.
        self._ttl = int((2 * keep + timedelta(days=2)).total_seconds())

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        # What is no order's has a partition that no order's id can name.
        pk = event.order_id or f"{event.context}:{event.subject}"
        document = {"id": f"event:{event.event_id}", "pk": pk, "kind": "event", "ttl": self._ttl, **encode(event)}
        await self._container.write(pk, [Create(document)])

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        of = (Condition("pk", "=", order_id),)
        found = await find_readable(self._container, Query("event", of, limit=most), {}, _recorded)
        return [event for event in found if event.order_id == order_id]

    async def after(self, place: tuple[int, str], until: int | None, most: int) -> Sequence[Recorded]:
        """The next ones strictly behind (recorded at, event id), in this order, that were recorded by `until`. What
        can't be read is left out."""
        settled = (Condition("_ts", "<=", until),) if until is not None else ()
        query = Query("event", settled, ("_ts", "id"), (place[0], f"event:{place[1]}"), most)
        return await find_readable(self._container, query, {}, _recorded)

    async def facts(
        self, order_ids: Collection[str], names: Collection[str], known: Collection[Recorded] = ()
    ) -> Sequence[Recorded]:
        """Of these orders the events of these names, of which each has one at most: by their ids, which derive from
        type and order. What is known already isn't read again."""
        facts = [cls for cls in catalogue().values() if contract_name(cls) in names]
        ids = {(order_id, event_id(fact, order_id)) for order_id in order_ids for fact in facts}
        ids -= {(event.order_id or "", event.event_id) for event in known}
        documents = await self._container.read_many([(order_id, f"event:{id}") for order_id, id in sorted(ids)])
        return [*known, *readable(documents, _recorded)]


def _recorded(document: Document) -> Recorded:
    return replace(decode(Recorded, document), recorded_at=document["_ts"])


class Sums:
    """How many of what there was, in models that are moved on over the events, one at a time: all in one partition, so
    that what was counted and how far is one write."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def head(self) -> Head | None:
        """How far they have come; None before the first event."""
        document = await self._container.read(_SUMS, "head")
        if document is None:
            return None
        return replace(restored(Head, document), written_at=document["_ts"])

    async def save(
        self, head: Head, sums: Mapping[Place, Mapping[str, int]] | None = None, audit: AuditEntry | None = None
    ) -> Head:
        """Replace what was read, and add that to the sums, in one write or not at all. Raises Contended where another
        has moved on since."""
        head, added = head.adding(sums or {})
        stored = await self._stored(added)
        operations = [storing({"id": "head", "pk": _SUMS, "kind": "head", **encode(head)}, head.etag)]
        for place, counts in added.items():
            was = stored.get(place.id, {})
            total = _counts(was, place)
            total.update(counts)
            of = {"id": place.id, "pk": _SUMS, "kind": "sum", "model": place.model, "counts": nonzero(total)}
            life = {"ttl": place.seconds} if place.seconds else {}
            operations.append(storing(of | life, was.get("_etag", "")))
        [etag, *_] = await self._outbox.commit(_SUMS, operations, [], audit)
        return replace(head, etag=etag)

    async def of(self, head: Head, places: Collection[Place]) -> Mapping[str, Mapping[str, int]]:
        """The sums at these places, by their ids, with what this head holds of them."""
        stored = await self._stored(places)
        found = {place: _counts(stored.get(place.id, {}), place) for place in places}
        for each in head.held:
            if each.place in found:
                found[each.place].update(each.counts)
        return {place.id: nonzero(counts) for place, counts in found.items()}

    async def _stored(self, places: Collection[Place]) -> dict[str, Document]:
        found = await self._container.read_many([(_SUMS, place.id) for place in places])
        return {document["id"]: document for document in found}


def _counts(document: Document, place: Place) -> Counter[str]:
    """What was counted there: in its slot may be the sums of a model of before."""
    return Counter(document["counts"] if document.get("model") == place.model else {})


class Disagreements(Repository[Disagreement]):
    """What doesn't agree, each in a partition of its own by an id that any text may have; and how far events were
    looked into for more."""

    aggregate = Disagreement

    def __init__(self, container: Container, outbox: Outbox, keep: timedelta) -> None:
        super().__init__(container, outbox)
        self._keep = keep

    async def cursor(self) -> Cursor | None:
        """How far what there was is compared; None before the first run."""
        document = await self._container.read(_CURSOR, _CURSOR)
        return restored(Cursor, document) if document else None

    async def move(self, cursor: Cursor) -> Cursor:
        """Store it, new or over the one that was read. Raises Contended where another has moved it."""
        document = {"id": _CURSOR, "pk": _CURSOR, "kind": "cursor", **encode(cursor)}
        [etag] = await self._container.write(_CURSOR, [storing(document, cursor.etag)])
        return replace(cursor, etag=etag)

    async def get(self, id: str) -> Disagreement | None:
        """The one about this, open or let be, or None."""
        key = _key(id)
        return await self._read(key, key)

    async def open(self, after: tuple[datetime, str] | None, size: int) -> Sequence[Disagreement]:
        """The next of those that nobody has let be, oldest first, strictly behind (found at, id). What can't be read is
        left out."""
        behind = keyset((after[0], _key(after[1])) if after else None)
        query = Query("disagreement", (), ("createdAt", "id"), behind, size)
        return await find_readable(self._container, query, {}, partial(restored, Disagreement))

    async def end(self, disagreement: Disagreement) -> None:
        """Delete the one that was read: all agree. Raises Contended where it has changed."""
        key = _key(disagreement.id)
        await self._container.write(key, [Delete(key, disagreement.etag)])

    def _document(self, disagreement: Disagreement) -> Document:
        key = _key(disagreement.id)
        document = {"id": key, "pk": key, "kind": "disagreement", **encode(disagreement)}
        if disagreement.reason is not None:
            # One that was let be is forgotten some time after nobody finds it any more.
            document |= {"kind": "let-be", "ttl": int(self._keep.total_seconds())}
        return document


def _key(id: str) -> str:
    return derived_id("disagreement", id)
