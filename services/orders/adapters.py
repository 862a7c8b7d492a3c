"""Orders' storage: an order in a partition of its own, a price in another."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.orders.domain import Order, Wanted
from services.orders.erasure import Erasure, Placed
from services.orders.prices import Price
from services.orders.process import FINAL, Step
from shared.audit import AuditEntry
from shared.codec import decode, encode, rfc3339
from shared.errors import AlreadyExists, ConditionFailed, Unparseable
from shared.listing import find_readable, keyset
from shared.messaging import Message, derived_id
from shared.outbox import Outbox
from shared.ports import Change, Condition, Container, Create, Document, Patch, Query, Replace

_PRICE = "price"
_COUNT_KEPT_SECONDS = 120
"""Longer than the minute that is counted, by more than instances' clocks are apart."""


class OrderAdapter:
    """services.orders.ports.Orders."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, order_id: str) -> Order | None:
        """The order, or None."""
        document = await self._container.read(order_id, order_id)
        return _order(document) if document and document["kind"] == "order" else None

    async def add(self, order: Order, messages: Sequence[Message], audit: AuditEntry | None = None) -> Order:
        """Store a new one. Raises AlreadyExists."""
        [etag] = await self._outbox.commit(order.id, [Create(_document(order))], messages, audit)
        return replace(order, etag=etag)

    async def save(self, order: Order, messages: Sequence[Message], audit: AuditEntry | None = None) -> Order:
        """Replace the one that was read. Raises ConditionFailed."""
        [etag] = await self._outbox.commit(order.id, [Replace(_document(order), order.etag)], messages, audit)
        return replace(order, etag=etag)

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Order]:
        """The next of those wanted, newest first, by keyset. What can't be read is left out."""
        query = Query("order", (), ("placedAt", "id"), keyset(after), size, descending=True)
        values = {"customerId": [wanted.customer_id]} if wanted.customer_id is not None else {}
        values |= {"step": [*map(str, wanted.steps)]} if wanted.statuses else {}
        return await find_readable(self._container, query, values, _order)

    async def placed(self, customer_id: str | None, until: datetime, after: tuple[str, ...], size: int) -> list[Placed]:
        """A customer's, or anybody's, that were placed by then, oldest first."""
        of_customer = (Condition("customerId", "=", customer_id),) if customer_id is not None else ()
        where = (*of_customer, Condition("placedAt", "<=", rfc3339(until)))
        documents = await self._container.find(Query("order", where, ("placedAt", "id"), after, size))
        return [_placed(each) for each in documents]

    async def waiting(
        self, steps: Sequence[Step], until: datetime, after: tuple[datetime, str] | None, size: int
    ) -> list[Order]:
        """The next of those in these steps since then or longer, by keyset. What can't be read is left out."""
        since = Condition("since", "<=", rfc3339(until))
        query = Query("order", (since,), ("since", "id"), keyset(after), size)
        return await find_readable(self._container, query, {"step": [*map(str, steps)]}, _order)

    async def due(self, now: datetime, after: tuple[str, str] | None, size: int) -> list[tuple[str, str]]:
        """Those to be sent again or given up by now, longest due first."""
        due = Condition("chaseAt", "<=", rfc3339(now))
        documents = await self._container.find(Query("order", (due,), ("chaseAt", "id"), after or (), size))
        return [(document["chaseAt"], document["id"]) for document in documents]

    async def unpublished(self, order_id: str, messages: Sequence[Message]) -> set[str]:
        """The ids of those of the order's messages that are still in the outbox."""
        documents = await self._container.read_many([(order_id, message.id) for message in messages])
        return {document["id"] for document in documents}


class ErasureAdapter:
    """services.orders.ports.Erasures: each in a partition of its own."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, customer_id: str | None) -> Erasure | None:
        """The customer's, or None."""
        id = _erasure_id(customer_id)
        document = await self._container.read(id, id)
        return _erasure(document) if document else None

    async def save(self, erasure: Erasure, audit: AuditEntry | None = None) -> Erasure:
        """Store it, new or over the one that was read. Raises AlreadyExists or ConditionFailed."""
        document = _erasure_document(erasure)
        change = Replace(document, erasure.etag) if erasure.etag else Create(document)
        [etag] = await self._outbox.commit(document["pk"], [change], [], audit)
        return replace(erasure, etag=etag)

    async def end(self, erasure: Erasure) -> None:
        """Leave it to the store to delete, since a delete knows no ETag; what is wished meanwhile begins anew. Raises
        ConditionFailed."""
        document = _erasure_document(replace(erasure, place=(), due=())) | {"ttl": 1}
        await self._container.write(document["pk"], [Replace(document, erasure.etag)])

    async def wished(self, after: Erasure | None, size: int) -> list[Erasure]:
        """Those of customers, oldest first."""
        behind = keyset((after.created_at, _erasure_id(after.customer_id)) if after else None)
        documents = await self._container.find(Query("erasure", (), ("createdAt", "id"), behind, size))
        return [_erasure(document) for document in documents]


class OrderCountAdapter:
    """services.orders.ports.OrderCounts: a document for each caller and minute."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def count(self, subject: str, minute: datetime, most: int) -> bool:
        """Count one more; False where there were `most` already."""
        # A subject may hold what no key may, and is nobody's business there.
        partition = derived_id("orders-of", subject)
        id = rfc3339(minute)
        first = {"id": id, "pk": partition, "kind": "order-count", "count": 1, "ttl": _COUNT_KEPT_SECONDS}
        try:
            await self._container.write(partition, [Create(first)])
        except AlreadyExists:
            one_more = Patch(id, (Change("incr", "count", 1),), Condition("count", "<", most))
            try:
                await self._container.write(partition, [one_more])
            except ConditionFailed:
                return False
        return True


class PriceAdapter:
    """services.orders.ports.Prices."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def get(self, sku: str) -> Price | None:
        """One product's price, or None."""
        document = await self._container.read(_partition(sku), _PRICE)
        return _price(document) if document else None

    async def find(self, skus: Sequence[str]) -> dict[str, Price]:
        """Those of the prices that are known, by SKU."""
        documents = await self._container.read_many([(_partition(sku), _PRICE) for sku in skus])
        return {document["sku"]: _price(document) for document in documents}

    async def put(self, price: Price) -> None:
        """Store it, new or over the one that was read. Raises AlreadyExists or ConditionFailed."""
        document = {"id": _PRICE, "pk": _partition(price.sku), "kind": _PRICE, **encode(price)}
        change = Replace(document, price.etag) if price.etag else Create(document)
        await self._container.write(_partition(price.sku), [change])


def _erasure_id(customer_id: str | None) -> str:
    """A subject may hold what no key may."""
    return derived_id("retention") if customer_id is None else derived_id("erasure", customer_id)


def _erasure(document: Document) -> Erasure:
    return replace(decode(Erasure, document), etag=document["_etag"])


def _erasure_document(erasure: Erasure) -> Document:
    id, kind = _erasure_id(erasure.customer_id), "retention" if erasure.customer_id is None else "erasure"
    return {"id": id, "pk": id, "kind": kind, **encode(erasure)}


def _partition(sku: str) -> str:
    return f"price:{sku}"


def _price(document: Document) -> Price:
    return replace(decode(Price, document), etag=document["_etag"])


def _order(document: Document) -> Order:
    return replace(decode(Order, document), etag=document["_etag"])


def _placed(document: Document) -> Placed:
    order: Order | Unparseable
    try:
        order = _order(document)
    except Unparseable as fault:
        order = fault
    return Placed(document["placedAt"], document["id"], bool(document.get("forgottenAt")), order)


def _document(order: Order) -> Document:
    # What is final waits for nothing, and isn't to be found among what does.
    waiting = {} if order.step in FINAL else {"since": rfc3339(order.since)}
    return {**encode(order), **waiting, "id": order.id, "pk": order.id, "kind": "order"}
