"""Catalog's rules: what importing a product changes, and what is announced of it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

_ON_ITS_WAY = timedelta(minutes=1)
"""For so long an announcement may still be under way, so that it needs no repetition."""


class Announced(StrEnum):
    """What a change of a product means to others."""

    LISTED = "ProductListed"
    PRICE_CHANGED = "PriceChanged"
    DELISTED = "ProductDelisted"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What others were told of a product last: which event, of which version, when."""

    event: Announced
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """What the shop sells; `price` in minor units. `version` rises with every change."""

    sku: str
    name: str
    price: int
    currency: str
    listed: bool
    version: int = 1
    announcement: Announcement | None = field(default=None, compare=False)
    """None in what is imported, and in what was stored before this was remembered."""
    etag: str = field(default="", compare=False, metadata={"stored": False})

    def imported_over(self, stored: "Product | None", at: datetime) -> "Product":
        """This import as the next version of what is stored, with what is to be announced; `stored` itself where
        nothing changes."""
        if stored is None:
            return replace(self, announcement=Announcement(self._listing, self.version, at))
        same = replace(self, version=stored.version, announcement=stored.announcement, etag=stored.etag)
        if same == stored:
            return stored
        changed = replace(same, version=stored.version + 1)
        event = changed._announced(stored)
        return replace(changed, announcement=Announcement(event, changed.version, at)) if event else changed

    def announcement_to_repeat(self, at: datetime) -> Announcement | None:
        """What to tell again of a product that hasn't changed, as it was told: somebody may have missed it."""
        if self.announcement is None:
            return Announcement(self._listing, self.version, at)
        return self.announcement if at - self.announcement.at > _ON_ITS_WAY else None

    def _announced(self, before: "Product") -> Announced | None:
        if before.listed != self.listed:
            return self._listing
        return Announced.PRICE_CHANGED if (before.price, before.currency) != (self.price, self.currency) else None

    @property
    def _listing(self) -> Announced:
        return Announced.LISTED if self.listed else Announced.DELISTED
