"""What catalog's handlers need from storage."""

from collections.abc import Sequence
from typing import Protocol

from services.catalog.domain import Announcement, Product
from shared.audit import AuditEntry


class Products(Protocol):
    """The catalogue."""

    async def get(self, sku: str) -> Product | None:
        """One product, or None."""
        ...

    async def find(self, skus: Sequence[str]) -> dict[str, Product]:
        """Those of the products that exist, by SKU; without any that can't be read, which `get` raises for."""
        ...

    async def put(self, product: Product, announcement: Announcement | None, audit: AuditEntry | None) -> None:
        """Store the product, new or over the one that was read, and what is announced of it, with `publish`.

        Raises AlreadyExists or ConditionFailed when it has changed since it was read.
        """
        ...

    def announce_again(self, product: Product, announcement: Announcement) -> None:
        """Tell with `publish` once more what was told of a product that hasn't changed."""
        ...

    async def publish(self) -> None:
        """Publish, together, what is to be announced of everything that was put. Then what is announced again: raises
        Unavailable or Throttled where that can't be."""
        ...
