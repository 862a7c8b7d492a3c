"""What catalog's handlers need from storage."""

from collections.abc import Sequence
from typing import Protocol

from services.catalog.domain import Product
from shared.contracts import Contract


class Products(Protocol):
    """The catalogue."""

    async def get(self, sku: str) -> Product | None:
        """One product, or None."""
        ...

    async def find(self, skus: Sequence[str]) -> dict[str, Product]:
        """Those of the products that exist, by SKU."""
        ...

    async def put(self, product: Product, event: Contract | None) -> None:
        """Store the product, new or over the one that was read, with the event. It is published with `publish`.

        Raises AlreadyExists or ConditionFailed when it has changed since it was read.
        """
        ...

    async def publish(self) -> None:
        """Publish the events of everything that was put, together."""
        ...
