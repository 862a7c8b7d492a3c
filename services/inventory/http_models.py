"""Inventory's bodies."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from services.inventory.domain import Decision, ReservationState, State, StockItem
from shared.fields import Body, View, optional
from shared.paging import Page

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


class ReservedView(StockView):
    """How many of a product are in the house and not set aside, and what its reservations say of that."""

    reserved: int | None
    """Units of its active reservations. Null where they are too many to add up, or the item changed meanwhile."""

    @classmethod
    def of(cls, item: StockItem, reserved: int | None = None) -> "ReservedView":
        """Both as whoever compares them sees them."""
        return cls(**StockView.of(item).model_dump(), reserved=reserved)


class ReservationView(View):
    """A line of an order, and how its reservation stands."""

    sku: str
    quantity: int
    state: ReservationState | None = optional()
    """Left out where there is none, or none any more: it outlives its end by 30 days."""


class ReservationsView(View):
    """What was decided about an order, and what became of each line."""

    order_id: str
    decision: State
    lines: list[ReservationView]
    units: dict[ReservationState, int]
    """How many in all, by how they stand."""

    @classmethod
    def of(cls, decision: Decision, states: Mapping[str, ReservationState]) -> "ReservationsView":
        """The order's reservations as whoever operates it sees them."""
        units = Counter[ReservationState]()
        for line in decision.lines:
            if line.sku in states:
                units[states[line.sku]] += line.quantity
        lines = [
            ReservationView(sku=line.sku, quantity=line.quantity, state=states.get(line.sku)) for line in decision.lines
        ]
        return cls(order_id=decision.order_id, decision=decision.state, lines=lines, units=units)


class ReservationsPage(Page[ReservationsView]):
    """What was asked for, without that about which nothing was decided yet."""
