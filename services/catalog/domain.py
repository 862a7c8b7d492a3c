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
class Change:
    """Which request made a version of a product."""

    request_id: str
    version: int


_CHANGES_KEPT = 4
"""So many changes of one product are remembered, for a request that is tried again because the answer was lost."""


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
    changes: tuple[Change, ...] = field(default=(), compare=False)
    etag: str = field(default="", compare=False, metadata={"stored": False})

    def imported_over(self, stored: "Product | None", request_id: str, at: datetime) -> "Product":
        """This import as the next version of what is stored, with what is to be announced; `stored` itself where
        nothing changes."""
        if stored is None:
            listed = Announcement(self._listing, self.version, at)
            return replace(self, announcement=listed, changes=(Change(request_id, self.version),))
        same = replace(self, version=stored.version, announcement=stored.announcement, etag=stored.etag)
        if same == stored:
            return stored
        version = stored.version + 1
        changes = (*stored.changes, Change(request_id, version))[-_CHANGES_KEPT:]
        event = self._event_after(stored)
        announcement = Announcement(event, version, at) if event else stored.announcement
        return replace(same, version=version, changes=changes, announcement=announcement)

    def version_of(self, request_id: str) -> int | None:
        """The version that this request made, if it is one of the last."""
        return next((change.version for change in self.changes if change.request_id == request_id), None)

    def announcement_to_repeat(self, at: datetime) -> Announcement | None:
        """What to tell again of a product that hasn't changed, as it was told: somebody may have missed it."""
        if self.announcement is None:
            return Announcement(self._listing, self.version, at)
        return self.announcement if at - self.announcement.at > _ON_ITS_WAY else None

    def _event_after(self, before: "Product") -> Announced | None:
        if before.listed != self.listed:
            return self._listing
        return Announced.PRICE_CHANGED if (before.price, before.currency) != (self.price, self.currency) else None

    @property
    def _listing(self) -> Announced:
        return Announced.LISTED if self.listed else Announced.DELISTED
