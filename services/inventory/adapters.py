"""Inventory's storage on a container.

Partition `sku:<SKU>`: the stock item and one reservation an order. Partition = order: the decision. Stock is never
read, then written: taking is a patch under a condition in one batch with the reservation that it makes, so that
contention on a popular product never turns into retries, nor into overselling, and a batch that is sent twice changes
nothing twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.inventory.domain import Decision, ReservationState, StockItem
from shared.audit import AuditEntry
from shared.codec import decode, encode
from shared.errors import AlreadyExists, BrokenPromise, ConditionFailed, Contended, Missing
from shared.messaging import Message
from shared.outbox import Outbox
from shared.ports import Change, Condition, Container, Create, Document, Patch, Replace

_STOCK = "stock"
_RESERVATION, _ITEM = 0, 1
_KEPT_SECONDS = 30 * 24 * 3600
"""How long a reservation outlives its end; the decision outlives it."""


class StockAdapter:
    """services.inventory.ports.Stock and StockItems."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def take(self, sku: str, order_id: str, quantity: int) -> bool:
        """Set aside; False where too few are available."""
        reservation = _reservation(sku, order_id, quantity, "active")
        enough = Condition("available", ">=", quantity)
        try:
            # In this order: a reservation that exists says "taken" whatever the stock says by now.
            await self._container.write(
                _partition(sku), [Create(reservation), Patch(_STOCK, (Change("incr", "available", -quantity),), enough)]
            )
        except AlreadyExists:
            return True
        except (ConditionFailed, Missing):
            return False
        return True

    async def give_back(self, sku: str, order_id: str, quantity: int) -> None:
        """End the reservation and give back what it held; leave a tombstone where there is none."""
        try:
            await self._end(sku, order_id, "released", Change("incr", "available", quantity))
        except Missing as missing:
            if missing.index != _RESERVATION:
                raise BrokenPromise(f"the stock item of a reservation of {order_id} is gone") from missing
            # A frozen copy could still take: the tombstone makes it find the reservation there. If one has been
            # made just now, AlreadyExists starts again from the patch.
            tombstone = _reservation(sku, order_id, quantity, "released") | {"ttl": _KEPT_SECONDS}
            await self._container.write(_partition(sku), [Create(tombstone)])
        except ConditionFailed as failed:
            await self._expect(sku, order_id, "released", failed)

    async def use_up(self, sku: str, order_id: str, quantity: int) -> None:
        """End the reservation: what it held has left the house."""
        try:
            await self._end(sku, order_id, "committed", Change("incr", "onHand", -quantity))
        except Missing as missing:
            raise BrokenPromise(f"a reservation of {order_id} is not there") from missing
        except ConditionFailed as failed:
            await self._expect(sku, order_id, "committed", failed)

    async def reservations(self, order_id: str, skus: Sequence[str]) -> dict[str, ReservationState]:
        """How those reservations of the order stand that there are, by SKU."""
        documents = await self._container.read_many([(_partition(sku), _id(order_id)) for sku in skus])
        return {document["sku"]: ReservationState(document["state"]) for document in documents}

    async def _end(self, sku: str, order_id: str, state: str, change: Change) -> None:
        end = (Change("set", "state", state), Change("set", "ttl", _KEPT_SECONDS))
        active = Condition("state", "=", "active")
        await self._container.write(_partition(sku), [Patch(_id(order_id), end, active), Patch(_STOCK, (change,))])

    async def _expect(self, sku: str, order_id: str, state: str, failed: ConditionFailed) -> None:
        """The reservation wasn't active. Ended in this way: done. Active or gone: an old read, again."""
        reservation = await self._container.read(_partition(sku), _id(order_id))
        found = reservation["state"] if reservation else None
        if found in (None, "active"):
            raise Contended("an old read of a reservation") from failed
        if found != state:
            raise BrokenPromise(f"a reservation of {order_id} is {found}, not {state}") from failed

    async def get(self, sku: str) -> StockItem | None:
        """The stock item, or None."""
        document = await self._container.read(_partition(sku), _STOCK)
        return _item(document) if document else None

    async def find(self, skus: Sequence[str]) -> dict[str, StockItem]:
        """Those of the items that exist, by SKU."""
        documents = await self._container.read_many([(_partition(sku), _STOCK) for sku in skus])
        return {document["sku"]: _item(document) for document in documents}

    async def add(self, item: StockItem, audit: AuditEntry | None) -> StockItem:
        """Store a new stock item. Raises AlreadyExists."""
        [etag] = await self._outbox.commit(_partition(item.sku), [Create(_stock_document(item))], [], audit)
        return replace(item, etag=etag)

    async def save(self, item: StockItem, audit: AuditEntry | None) -> StockItem:
        """Replace the stock item that was read. Raises ConditionFailed."""
        change = Replace(_stock_document(item), item.etag)
        [etag] = await self._outbox.commit(_partition(item.sku), [change], [], audit)
        return replace(item, etag=etag)


class DecisionAdapter:
    """services.inventory.ports.Decisions."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, order_id: str) -> Decision | None:
        """The decision about an order, or None."""
        document = await self._container.read(order_id, "decision")
        return replace(decode(Decision, document), etag=document["_etag"]) if document else None

    async def create(self, decision: Decision, messages: Sequence[Message] = ()) -> Decision:
        """Store the first decision. Raises AlreadyExists."""
        [etag] = await self._outbox.commit(decision.order_id, [Create(_decision_document(decision))], messages)
        return replace(decision, etag=etag)

    async def save(self, decision: Decision, messages: Sequence[Message] = ()) -> None:
        """Replace the decision that was read. Raises ConditionFailed."""
        change = Replace(_decision_document(decision), decision.etag)
        await self._outbox.commit(decision.order_id, [change], messages)


def _partition(sku: str) -> str:
    return f"sku:{sku}"


def _id(order_id: str) -> str:
    return f"res:{order_id}"


def _item(document: Document) -> StockItem:
    return replace(decode(StockItem, document), etag=document["_etag"])


def _stock_document(item: StockItem) -> Document:
    return {"id": _STOCK, "pk": _partition(item.sku), "kind": "stock", **encode(item)}


def _decision_document(decision: Decision) -> Document:
    return {"id": "decision", "pk": decision.order_id, "kind": "decision", **encode(decision)}


def _reservation(sku: str, order_id: str, quantity: int, state: str) -> Document:
    return {
        "id": _id(order_id),
        "pk": _partition(sku),
        "kind": "reservation",
        "orderId": order_id,
        "sku": sku,
        "quantity": quantity,
        "state": state,
    }
