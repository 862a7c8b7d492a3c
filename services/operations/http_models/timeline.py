"""An order's timeline in an answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.operations.asked import HoldingsView
from services.operations.domain import Disagreement, Recorded, State
from services.operations.http_models.contexts import DisagreementView, ParkedEverywhereView
from services.operations.ports import Said
from services.operations.queries import Timeline, estimated_request_units
from shared.codec import rfc3339
from shared.fields import Moment, MoneyView, View, optional


class ShortLineView(View):
    """A line that was short when that was decided."""

    sku: str
    wanted: int
    available: int


class EventView(View):
    """One event, and what of it is worth telling."""

    context: str
    name: str
    happened_at: Moment
    """By the clock of whoever announced it; another's may be apart."""
    recorded_at: Moment
    """By the store's clock, to the second."""
    seconds_since_previous: float
    trace_id: str | None = optional()
    reason: str | None = optional()
    code: str | None = optional()
    """Why a payment was declined."""
    shortages: list[ShortLineView] | None = optional()
    """The first short lines."""
    shipment_id: str | None = optional()
    number: int | None = optional()
    """Which correction of the shipment it is."""
    authorised_until: Moment | None = optional()
    """Until when the money is held."""

    @classmethod
    def of(cls, event: Recorded, previous: Recorded) -> "EventView":
        """The event as it is shown behind the previous one."""
        return cls.model_validate(
            {
                "context": event.context,
                "name": event.name,
                "happenedAt": rfc3339(event.at),
                "recordedAt": rfc3339(datetime.fromtimestamp(event.recorded_at, UTC)),
                "secondsSincePrevious": (event.at - previous.at).total_seconds(),
                "traceId": event.trace_id,
                **event.told,
            }
        )


class TimelineView(View):
    """What became of an order, told by its events."""

    order_id: str
    state: State | None = optional()
    """What it waits for, or how it ended; left out while no event tells."""
    since: Moment
    """Since when it has been so."""
    why: str
    """In words, why it is where it is."""
    total: MoneyView | None = optional()
    line_count: int | None = optional()
    trace_id: str | None = optional()
    """The trace of the request that placed it."""
    disagreement: DisagreementView | None = optional()
    """Where they don't agree about it, and nobody has let that be."""
    others: HoldingsView
    """What the others say of it now."""
    parked: ParkedEverywhereView
    """Its messages that can't succeed."""
    events: list[EventView]
    """Earliest first."""
    is_whole: bool
    """False where it has more events than are shown."""
    messages: int
    """How many events these are, and commands that were answered; those that were sent again are not counted."""
    estimated_request_units: int | None = optional()
    """What an order of so many lines costs on its whole way, by the count on paper: no measurement of this one."""

    @classmethod
    def of(
        cls, timeline: Timeline, others: HoldingsView, parked: Mapping[str, Said | None], found: Disagreement | None
    ) -> "TimelineView":
        """The timeline as it is shown."""
        events, found = timeline.events, found if found and found.reason is None else None
        differ = [each.words for each in found.differences] if found else []
        placed = timeline.first("OrderPlaced")
        of_order: dict[str, Any] = {}
        if placed:
            of_order = {
                "total": MoneyView(amount=placed.told["total"], currency=placed.told["currency"]),
                "line_count": placed.told["lines"],
                "trace_id": placed.trace_id,
                "estimated_request_units": estimated_request_units(placed.told["lines"]),
            }
        return cls(
            order_id=timeline.order_id,
            state=timeline.state,
            since=rfc3339(timeline.since),
            why=" ".join([timeline.why, *differ]),
            disagreement=DisagreementView.of(found) if found else None,
            others=others,
            parked=ParkedEverywhereView.of(parked),
            events=[EventView.of(*pair) for pair in zip(events, (events[0], *events[:-1]), strict=True)],
            is_whole=timeline.is_whole,
            messages=timeline.messages,
            **of_order,
        )
