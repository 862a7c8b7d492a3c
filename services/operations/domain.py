"""What operations keeps of an event, and where an order stands by its events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

TEXT = 200
SHORTAGES = 20
_TOLD = ("reason", "code", "total", "currency", "shortages", "shortageCount", "shipmentId", "number", "authorisedUntil")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event: which, of what, when, in which trace, and what of it a timeline tells. Nothing of a person is in it.

    `order_id` is None of what no order's event is; `recorded_at` is by the store's clock, in seconds.
    """

    event_id: str
    order_id: str | None
    subject: str = field(metadata={"stored_as": "of"})  # what is called `subject` is in the index, and costs
    context: str
    name: str
    at: datetime
    trace_id: str | None
    told: dict[str, Any]
    recorded_at: int = field(default=0, metadata={"stored": False})

    @property
    def place(self) -> tuple[int, str]:
        """Where it is among all events, by the store's clock."""
        return self.recorded_at, self.event_id


def told(data: Mapping[str, Any]) -> dict[str, Any]:
    """What of an event's data is kept: of its lines the number, and of nothing more than a timeline shows."""
    kept = {name: _short(data[name]) for name in _TOLD if data.get(name) not in (None, [])}
    return kept | ({"lines": len(data["lines"])} if "lines" in data else {})


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return value[:SHORTAGES]
    return value[:TEXT] if isinstance(value, str) else value


class State(StrEnum):
    """Where an order stands: what it waits for, or how it ended."""

    STOCK = "stock"
    PAYMENT = "payment"
    DISPATCH = "dispatch"
    UNDO = "undo"
    SETTLE = "settle"
    COMPLETED = "completed"
    PAYMENT_DUE = "payment_due"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


UNDER_WAY = {State.STOCK, State.PAYMENT, State.DISPATCH, State.UNDO, State.SETTLE}
SHOWN_BY = {
    State.COMPLETED: {"OrderCompleted"},
    State.PAYMENT_DUE: {"OrderPaymentDue"},
    State.CANCELLED: {"OrderCancelled"},
    State.REJECTED: {"OrderRejected"},
    State.SETTLE: {"OrderShipped", "ShipmentDispatched"},
    State.UNDO: {"StockRejected", "PaymentDeclined", "ShipmentCancelled", "StockReleased", "PaymentVoided"},
    State.DISPATCH: {"OrderConfirmed", "PaymentAuthorised", "ShipmentCreated"},
    State.PAYMENT: {"StockReserved"},
    State.STOCK: {"OrderPlaced"},
}
"""By which events each state is known, the latest state first: which events there are counts, not in which order they
came or which time they say, since the contexts' clocks are apart."""


def standing(events: Iterable[Recorded]) -> tuple[State, datetime] | None:
    """Where an order with these events stands, and since when; None where they tell nothing of that.

    That an order is recalled, or undone because it took too long, no event tells until somebody has answered.
    """
    at: dict[str, datetime] = {}
    for event in events:
        at[event.name] = min(event.at, at.get(event.name, event.at))
    for state, names in SHOWN_BY.items():
        if known := names & at.keys():
            return state, min(at[name] for name in known)
    return None


@dataclass(frozen=True, slots=True)
class Difference:
    """What doesn't agree, under a name that stays, and in words. Nobody is named in them."""

    code: str
    words: str


STOCK, INTENT = "stock:", "intent:"
"""What the id of a disagreement begins with that is no order's: of a product's stock, of an intent at the provider."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What doesn't agree about an order, a product or an intent, and what each said of it; `reason` is why a person
    lets it be."""

    id: str = field(metadata={"stored_as": "about"})
    found_at: datetime = field(metadata={"stored_as": "createdAt"})
    looked_at: datetime
    differences: tuple[Difference, ...]
    sides: dict[str, Any]
    reason: str | None = None
    etag: str = field(default="", compare=False, metadata={"stored": False})

    @property
    def codes(self) -> tuple[str, ...]:
        """The names of what doesn't agree."""
        return tuple(each.code for each in self.differences)

    @property
    def sku(self) -> str | None:
        """The product's, of what is about a product."""
        return self.id.removeprefix(STOCK) if self.id.startswith(STOCK) else None

    @property
    def order_id(self) -> str | None:
        """The order's, of what is about one, or about an intent that was made for one."""
        if self.id.startswith(INTENT):
            return str(self.sides["payments"]["orderId"])
        return None if self.sku else self.id


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to which second what there was is compared."""

    at: int
    etag: str = field(default="", compare=False, metadata={"stored": False})
