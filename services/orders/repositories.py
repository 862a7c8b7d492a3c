"""Orders' storage: an order in a partition of its own, a price in another."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from services.orders.domain import Order, Wanted
from services.orders.erasure import Erasure, Placed
from services.orders.prices import Price
from services.orders.process import FINAL, Step
from shared.codec import encode, rfc3339
from shared.errors import AlreadyExists, ConditionFailed, Unparseable
from shared.listing import find_readable, keyset
from shared.messaging import Message, derived_id
from shared.ports import Change, Condition, Container, Create, Document, Patch, Query, Replace
from shared.repository import Repository, restored

_PRICE = "price"
_COUNT_KEPT_SECONDS = 120
"""Longer than the minute that is counted, by more than instances' clocks are apart."""


class Orders(Repository[Order]):
    """The orders."""

    aggregate = Order

    async def get(self, order_id: str) -> Order | None:
        """The order, or None."""
        document = await self._container.read(order_id, order_id)
        return restored(Order, document) if document and document["kind"] == "order" else None

    async def find(self, order_ids: Collection[str]) -> list[Order]:
        """Those of the orders that exist, in any order, in one request."""
        documents = await self._container.read_many([(order_id, order_id) for order_id in order_ids])
        return [restored(Order, each) for each in documents if each["kind"] == "order"]

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Order]:
        """The next of those wanted, newest first, strictly after (placed at, id). What can't be read is left out."""
        query = Query("order", (), ("placedAt", "id"), keyset(after), size, descending=True)
        values = {"customerId": [wanted.customer_id]} if wanted.customer_id is not None else {}
        values |= {"step": [*map(str, wanted.steps)]} if wanted.statuses else {}
        return await find_readable(self._container, query, values, partial(restored, Order))

    async def placed(self, customer_id: str | None, until: datetime, after: tuple[str, ...], size: int) -> list[Placed]:
        """Those of a customer, or of anybody, that were placed by then, oldest first, strictly after this place; those
        that can't be read, too."""
        of_customer = (Condition("customerId", "=", customer_id),) if customer_id is not None else ()
        where = (*of_customer, Condition("placedAt", "<=", rfc3339(until)))
        documents = await self._container.find(Query("order", where, ("placedAt", "id"), after, size))
        return [_placed(each) for each in documents]

    async def waiting(
        self, steps: Sequence[Step], until: datetime, after: tuple[datetime, str] | None, size: int
    ) -> list[Order]:
        """The next of those that came to one of these steps by then, longest there first, strictly after (since, id).
        What can't be read is left out."""
        since = Condition("since", "<=", rfc3339(until))
        query = Query("order", (since,), ("since", "id"), keyset(after), size)
        values = {"step": [*map(str, steps)]}
        return await find_readable(self._container, query, values, partial(restored, Order))

    async def due(self, now: datetime, after: tuple[str, str] | None, size: int) -> list[tuple[str, str]]:
        """Those to be sent again or given up by now, as (when, order id), longest due first, strictly after the one
        given."""
        due = Condition("chaseAt", "<=", rfc3339(now))
        documents = await self._container.find(Query("order", (due,), ("chaseAt", "id"), after or (), size))
        return [(document["chaseAt"], document["id"]) for document in documents]

    async def unpublished(self, order_id: str, messages: Sequence[Message]) -> set[str]:
        """The ids of those of the order's messages that are still in the outbox."""
        documents = await self._container.read_many([(order_id, message.id) for message in messages])
        return {document["id"] for document in documents}

    def _document(self, order: Order) -> Document:
        # What is final waits for nothing, and isn't to be found among what does.
        waiting = {} if order.step in FINAL else {"since": rfc3339(order.since)}
        return {**encode(order), **waiting, "pk": order.id, "kind": "order"}


class Erasures(Repository[Erasure]):
    """What is to be forgotten, of one customer or by time (None): each in a partition of its own."""

    aggregate = Erasure

    async def get(self, customer_id: str | None) -> Erasure | None:
        """What is to be forgotten of the customer, or None."""
        id = _erasure_id(customer_id)
        return await self._read(id, id)

    async def end(self, erasure: Erasure) -> None:
        """Nothing of the one that was read is due: leave it to the store to delete, since a delete knows no ETag; what
        is wished meanwhile begins anew. Raises ConditionFailed."""
        document = self._document(replace(erasure, place=(), due=())) | {"ttl": 1}
        await self._container.write(document["pk"], [Replace(document, erasure.etag)])

    async def wished(self, after: Erasure | None, size: int) -> list[Erasure]:
        """What customers wish to be forgotten, the oldest wish first, strictly after the one given."""
        behind = keyset((after.created_at, _erasure_id(after.customer_id)) if after else None)
        documents = await self._container.find(Query("erasure", (), ("createdAt", "id"), behind, size))
        return [restored(Erasure, document) for document in documents]

    def _document(self, erasure: Erasure) -> Document:
        id, kind = _erasure_id(erasure.customer_id), "retention" if erasure.customer_id is None else "erasure"
        return {"id": id, "pk": id, "kind": kind, **encode(erasure)}


class OrderCounts:
    """How many orders each caller has placed in a minute: a document for each of both."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def count(self, subject: str, minute: datetime, most: int) -> bool:
        """Count one more, perhaps twice, or tell by False that there were `most` already."""
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


class Prices(Repository[Price]):
    """The replica of the catalogue's prices."""

    aggregate = Price

    async def get(self, sku: str) -> Price | None:
        """One product's price, or None."""
        return await self._read(_partition(sku), _PRICE)

    async def find(self, skus: Sequence[str]) -> dict[str, Price]:
        """Those of the prices that are known, by SKU, in a few requests."""
        documents = await self._container.read_many([(_partition(sku), _PRICE) for sku in skus])
        return {document["sku"]: restored(Price, document) for document in documents}

    def _document(self, price: Price) -> Document:
        return {"id": _PRICE, "pk": _partition(price.sku), "kind": _PRICE, **encode(price)}


def _erasure_id(customer_id: str | None) -> str:
    """A subject may hold what no key may."""
    return derived_id("retention") if customer_id is None else derived_id("erasure", customer_id)


def _partition(sku: str) -> str:
    return f"price:{sku}"


def _placed(document: Document) -> Placed:
    order: Order | Unparseable
    try:
        order = restored(Order, document)
    except Unparseable as fault:
        order = fault
    return Placed(document["placedAt"], document["id"], bool(document.get("forgottenAt")), order)
