"""What shipping's handlers need from storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.shipping.domain import Shipment, Wanted
from shared.audit import AuditEntry
from shared.messaging import Message


class Shipments(Protocol):
    """One shipment an order."""

    async def get(self, order_id: str) -> Shipment | None:
        """The shipment, or None."""
        ...

    async def add(self, shipment: Shipment, messages: Sequence[Message], audit: AuditEntry | None = None) -> None:
        """Store a new one together with what it sends. Raises AlreadyExists."""
        ...

    async def save(self, shipment: Shipment, messages: Sequence[Message], audit: AuditEntry | None = None) -> Shipment:
        """Replace the one that was read, together with what that sends. Raises ConditionFailed when it has changed."""
        ...

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Shipment]:
        """The next of those wanted, oldest first, strictly after (created at, id). What can't be read is left out."""
        ...
