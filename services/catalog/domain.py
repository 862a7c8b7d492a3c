"""Catalog's rules: what importing a product changes, and what is announced of it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Announced(StrEnum):
    """What a change of a product means to others."""

    LISTED = "ProductListed"
    PRICE_CHANGED = "PriceChanged"
    DELISTED = "ProductDelisted"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Product:
    """What the shop sells; `price` in minor units. `version` rises with every change."""

    sku: str
    name: str
    price: int
    currency: str
    listed: bool
    version: int = 1
    etag: str = field(default="", compare=False, metadata={"stored": False})

    def imported_over(self, stored: "Product | None") -> "Product":
        """This import as the next version of what is stored; equal to it where nothing changes."""
        if stored is None:
            return self
        same = replace(self, version=stored.version, etag=stored.etag)
        return stored if same == stored else replace(same, version=stored.version + 1)

    def announced(self, before: "Product | None") -> Announced:
        """What others need to hear of the step from `before` to this."""
        if before is None or before.listed != self.listed:
            return Announced.LISTED if self.listed else Announced.DELISTED
        if (before.price, before.currency) != (self.price, self.currency):
            return Announced.PRICE_CHANGED
        return Announced.NOTHING
