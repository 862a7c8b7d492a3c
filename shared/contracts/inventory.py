"""What inventory takes and announces. Commands carry all lines, since one may overtake another."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Line, OrderCommand, OrderEvent

SHORTAGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReserveStock(OrderCommand):
    """Set every line's quantity aside for the order, or nothing. Without effect once the order has given up."""

    lines: tuple[Line, ...]
    short_since: datetime | None = None
    """Since when inventory waits for what other orders may give back. Inventory's own: orders sends none."""
    give_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseStock(OrderCommand):
    """Give back what was set aside, and see to it that nothing is set aside any more."""

    lines: tuple[Line, ...]


class CommitStock(OrderCommand):
    """What was set aside has left the house."""


class StockReserved(OrderEvent):
    """Every line is set aside."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A line that was short when that was decided: so many were wanted, and so many nobody had set aside."""

    sku: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class StockRejected(OrderEvent):
    """At least one line was short; nothing is set aside. Names the first twenty short lines, and counts all."""

    shortages: tuple[Shortage, ...] = ()
    shortage_count: int = 0


class StockReleased(OrderEvent):
    """Nothing is set aside for the order, and nothing ever will be."""


class StockCommitted(OrderEvent):
    """Every line has left the stock."""
