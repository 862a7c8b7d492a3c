"""Inventory's bodies."""

from typing import Annotated

from pydantic import Field

from services.inventory.domain import StockItem
from shared.fields import Body, View

_MOST = 1_000_000_000


class StockCount(Body):
    """How many of a product are in the house."""

    on_hand: Annotated[int, Field(ge=0, le=_MOST)]
    """With what is set aside for orders."""


class StockView(View):
    """How many of a product are in the house, and how many of those are not set aside for an order."""

    sku: str
    on_hand: int
    available: int

    @classmethod
    def of(cls, item: StockItem) -> "StockView":
        """The item as callers see it."""
        return cls(sku=item.sku, on_hand=item.on_hand, available=item.available)
