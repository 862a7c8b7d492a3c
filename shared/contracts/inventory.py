"""What inventory takes and announces. Commands carry all lines, since one may overtake another."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Command, Event, Line

SHORTAGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReserveStock(Command):
    """Set every line's quantity aside for the order, or nothing. Without effect once the order has given up."""

    order_id: str
    lines: tuple[Line, ...]
    short_since: datetime | None = None
    """Since when inventory waits for what other orders may give back. Inventory's own: orders sends none."""
    give_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseStock(Command):
    """Give back what was set aside, and see to it that nothing is set aside any more."""

    order_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class CommitStock(Command):
    """What was set aside has left the house."""

    order_id: str


@dataclass(frozen=True, slots=True)
class StockReserved(Event):
    """Every line is set aside."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Shortage:
    """A line that was short when that was decided: so many were wanted, and so many nobody had set aside."""

    sku: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class StockRejected(Event):
    """At least one line was short; nothing is set aside. Names the first twenty short lines, and counts all."""

    order_id: str
    shortages: tuple[Shortage, ...] = ()
    shortage_count: int = 0


@dataclass(frozen=True, slots=True)
class StockReleased(Event):
    """Nothing is set aside for the order, and nothing ever will be."""

    order_id: str


@dataclass(frozen=True, slots=True)
class StockCommitted(Event):
    """Every line has left the stock."""

    order_id: str
