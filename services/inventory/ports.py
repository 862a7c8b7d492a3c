"""What inventory's handlers need from storage."""

from collections.abc import Sequence
from typing import Protocol

from services.inventory.domain import Decision, ReservationState, StockItem
from shared.audit import AuditEntry
from shared.messaging import Message


class Stock(Protocol):
    """Stock items and reservations: each call changes one product and the order's reservation of it together."""

    async def take(self, sku: str, order_id: str, quantity: int) -> bool:
        """Set aside; False where too few are available. Taken before, in whatever state: True, nothing changes."""
        ...

    async def give_back(self, sku: str, order_id: str, quantity: int) -> None:
        """End the reservation and give back what it held; where there is none, see to it that none can follow.

        Raises BrokenPromise where it was used up.
        """
        ...

    async def use_up(self, sku: str, order_id: str, quantity: int) -> None:
        """End the reservation: what it held has left the house. Raises BrokenPromise where it isn't active."""
        ...

    async def reservations(self, order_id: str, skus: Sequence[str]) -> dict[str, ReservationState]:
        """How the order's reservation stands, by SKU; without those of which it has, or had, none."""
        ...


class StockItems(Protocol):
    """Stock items as people count them."""

    async def get(self, sku: str) -> StockItem | None:
        """The item, or None."""
        ...

    async def find(self, skus: Sequence[str]) -> dict[str, StockItem]:
        """Those of the items that exist, by SKU, in a few requests."""
        ...

    async def add(self, item: StockItem, audit: AuditEntry | None) -> StockItem:
        """Store a new one. Raises AlreadyExists."""
        ...

    async def save(self, item: StockItem, audit: AuditEntry | None) -> StockItem:
        """Replace the one that was read. Raises ConditionFailed when it has changed since."""
        ...


class Decisions(Protocol):
    """One decision an order."""

    async def get(self, order_id: str) -> Decision | None:
        """The decision, or None."""
        ...

    async def create(self, decision: Decision, messages: Sequence[Message] = ()) -> Decision:
        """Store the first decision together with what it sends. Raises AlreadyExists: another copy decided."""
        ...

    async def save(self, decision: Decision, messages: Sequence[Message] = ()) -> None:
        """Replace the one that was read, together with what that sends. Raises ConditionFailed when it has changed."""
        ...
