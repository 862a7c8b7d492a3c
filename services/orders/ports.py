"""What orders' handlers need from storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.orders.domain import Order, Wanted
from services.orders.erasure import Erasure, Placed
from services.orders.prices import Price
from services.orders.process import Step
from shared.audit import AuditEntry
from shared.messaging import Message


class Orders(Protocol):
    """The orders."""

    async def get(self, order_id: str) -> Order | None:
        """The order, or None."""
        ...

    async def add(self, order: Order, messages: Sequence[Message], audit: AuditEntry | None = None) -> Order:
        """Store a new one together with what it sends. Raises AlreadyExists."""
        ...

    async def save(self, order: Order, messages: Sequence[Message], audit: AuditEntry | None = None) -> Order:
        """Replace the one that was read, together with what that sends. Raises ConditionFailed when it has changed."""
        ...

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Order]:
        """The next of those wanted, newest first, strictly after (placed at, id). What can't be read is left out."""
        ...

    async def placed(self, customer_id: str | None, until: datetime, after: tuple[str, ...], size: int) -> list[Placed]:
        """Those of a customer, or of anybody, that were placed by then, oldest first, strictly after this place; those
        that can't be read, too."""
        ...

    async def waiting(
        self, steps: Sequence[Step], until: datetime, after: tuple[datetime, str] | None, size: int
    ) -> list[Order]:
        """The next of those that came to one of these steps by then, longest there first, strictly after (since, id).
        What can't be read is left out."""
        ...

    async def due(self, now: datetime, after: tuple[str, str] | None, size: int) -> list[tuple[str, str]]:
        """Those to be seen to by now, as (when, order id), longest due first, strictly after the one given."""
        ...

    async def unpublished(self, order_id: str, messages: Sequence[Message]) -> set[str]:
        """The ids of those of the order's messages that are still in the outbox."""
        ...


class Erasures(Protocol):
    """What is to be forgotten, of one customer or by time (None)."""

    async def get(self, customer_id: str | None) -> Erasure | None:
        """What is to be forgotten of the customer, or None."""
        ...

    async def save(self, erasure: Erasure, audit: AuditEntry | None = None) -> Erasure:
        """Store it, new or over the one that was read. Raises AlreadyExists or ConditionFailed when it has changed."""
        ...

    async def end(self, erasure: Erasure) -> None:
        """Nothing of the one that was read is due. Raises ConditionFailed when it has changed."""
        ...

    async def wished(self, after: Erasure | None, size: int) -> list[Erasure]:
        """What customers wish to be forgotten, the oldest wish first, strictly after the one given."""
        ...


class OrderCounts(Protocol):
    """How many orders each caller has placed in a minute."""

    async def count(self, subject: str, minute: datetime, most: int) -> bool:
        """Count one more, perhaps twice, or tell by False that there were `most` already."""
        ...


class Prices(Protocol):
    """The replica of the catalogue's prices."""

    async def get(self, sku: str) -> Price | None:
        """One product's price, or None."""
        ...

    async def find(self, skus: Sequence[str]) -> dict[str, Price]:
        """Those of the prices that are known, by SKU, in a few requests."""
        ...

    async def put(self, price: Price) -> None:
        """Store it, new or over the one that was read. Raises AlreadyExists or ConditionFailed when it has changed."""
        ...
