"""Inventory's storage on a container.

Partition `sku:<SKU>`: the stock item and one reservation an order. Partition = order: the decision. Stock is never
read, then written: taking is a patch under a condition in one batch with the reservation that it makes, so that
contention on a popular product never turns into retries, nor into overselling, and a batch that is sent twice changes
nothing twice.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from services.inventory.domain import Decision, ReservationState, StockItem
from shared.codec import encode
from shared.errors import AlreadyExists, BrokenPromise, ConditionFailed, Contended, Missing
from shared.ports import Change, Condition, Create, Document, Patch, Query
from shared.repository import Repository, restored

_STOCK = "stock"
_RESERVATION, _ITEM = 0, 1
_MOST_SUMMED = 1000
"""Reservations of one product: what is read in a second."""
_KEPT_SECONDS = 30 * 24 * 3600
"""How long a reservation outlives its end; the decision outlives it."""


class Stock(Repository[StockItem]):
    """Stock items as people count them, and orders' reservations of them: each taking and giving back changes one item
    and the order's reservation of it together."""

    aggregate = StockItem

    async def get(self, sku: str) -> StockItem | None:
        """The item, or None."""
        return await self._read(_partition(sku), _STOCK)

    async def find(self, skus: Sequence[str]) -> dict[str, StockItem]:
        """Those of the items that exist, by SKU, in a few requests."""
        documents = await self._container.read_many([(_partition(sku), _STOCK) for sku in skus])
        return {document["sku"]: restored(StockItem, document) for document in documents}

    async def take(self, sku: str, order_id: str, quantity: int) -> bool:
        """Set aside; False where too few are available. Taken before, in whatever state: True, nothing changes."""
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
        """End the reservation and give back what it held; leave a tombstone where there is none, so that none can
        follow. Raises BrokenPromise where it was used up."""
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
        """End the reservation: what it held has left the house. Raises BrokenPromise where it isn't active."""
        try:
            await self._end(sku, order_id, "committed", Change("incr", "onHand", -quantity))
        except Missing as missing:
            raise BrokenPromise(f"a reservation of {order_id} is not there") from missing
        except ConditionFailed as failed:
            await self._expect(sku, order_id, "committed", failed)

    async def reservations(self, lines: Sequence[tuple[str, str]]) -> dict[str, dict[str, ReservationState]]:
        """How the reservations of these lines, each an order and a SKU, stand, by both; without those that there
        aren't, or never were."""
        documents = await self._container.read_many([(_partition(sku), _id(order_id)) for order_id, sku in lines])
        found: dict[str, dict[str, ReservationState]] = defaultdict(dict)
        for each in documents:
            found[each["orderId"]][each["sku"]] = ReservationState(each["state"])
        return found

    async def reserved(self, sku: str) -> int | None:
        """How many units its active reservations have; None where these are too many to add up."""
        of = Condition("pk", "=", _partition(sku)), Condition("state", "=", "active")
        found = await self._container.find(Query("reservation", of, limit=_MOST_SUMMED + 1))
        return sum(each["quantity"] for each in found) if len(found) <= _MOST_SUMMED else None

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

    def _document(self, item: StockItem) -> Document:
        return {"id": _STOCK, "pk": _partition(item.sku), "kind": "stock", **encode(item)}


class Decisions(Repository[Decision]):
    """One decision an order."""

    aggregate = Decision

    async def get(self, order_id: str) -> Decision | None:
        """The decision about an order, or None."""
        return await self._read(order_id, "decision")

    async def find(self, order_ids: Collection[str]) -> list[Decision]:
        """The decisions about these orders, in any order, in one request."""
        return await self._read_many([(order_id, "decision") for order_id in order_ids])

    def _document(self, decision: Decision) -> Document:
        return {"id": "decision", "pk": decision.order_id, "kind": "decision", **encode(decision)}


def _partition(sku: str) -> str:
    return f"sku:{sku}"


def _id(order_id: str) -> str:
    return f"res:{order_id}"


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
