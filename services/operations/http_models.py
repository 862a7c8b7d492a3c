"""Operations' bodies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from services.operations.asked import Holdings
from services.operations.domain import Recorded, State
from services.operations.ports import Said
from services.operations.queries import Timeline, estimated_request_units
from shared.codec import rfc3339
from shared.fields import Moment, MoneyView, OptionalText, Parameters, View, optional
from shared.replaying import ParkedPage, ParkedView
from shared.waits import WaitView


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


class Health(StrEnum):
    """How a context is, or all of them: the last that fits one."""

    READY = "ready"
    UNKNOWN = "unknown"
    NOT_READY = "not_ready"


class ContextView(View):
    """A context as it tells of itself; its name alone where it gives no answer."""

    name: str
    health: Health
    version: str | None = optional()
    commit: str | None = optional()
    checked_at: Moment | None = optional()
    dependencies: dict[str, str] | None = optional()
    """What it can't work without: `up`, or what is wrong with it."""
    functions: dict[str, str] | None = optional()
    """What starts each of its functions: a request, a queue, or the `timer`."""

    @classmethod
    def of(cls, name: str, said: Said | None) -> "ContextView":
        """What the context said, if it said how it is."""
        if said is None or "dependencies" not in said.body:
            return cls(name=name, health=Health.UNKNOWN)
        health = Health.READY if said.status == 200 else Health.NOT_READY
        return cls.model_validate(said.body | {"name": name, "health": health})


class RegistryView(View):
    """Every context, and how they are in all."""

    health: Health
    contexts: list[ContextView]

    @classmethod
    def of(cls, said: Mapping[str, Said | None]) -> "RegistryView":
        """What each context said."""
        contexts = [ContextView.of(*each) for each in said.items()]
        worst = max((each.health for each in contexts), key=[*Health].index, default=Health.UNKNOWN)
        return cls(health=worst, contexts=contexts)


class ParkedQuery(Parameters):
    """Of which order."""

    subject: OptionalText = None
    """Only what is about this order, or product."""


class ParkedInContextView(View):
    """What a context has parked, the oldest of it."""

    name: str
    value: list[ParkedView]
    has_more: bool
    """Whether `GET /api/parked/{context}` has more."""


class ParkedEverywhereView(View):
    """What is parked in every context."""

    contexts: list[ParkedInContextView]
    unknown: list[str]
    """Contexts that gave no answer."""

    @classmethod
    def of(cls, said: Mapping[str, Said | None]) -> "ParkedEverywhereView":
        """What each context said, if it was that."""
        contexts, unknown = [], []
        for name, each in said.items():
            try:
                page = ParkedPage.model_validate(each and each.body)
                contexts.append(ParkedInContextView(name=name, value=page.value, has_more=page.next_link is not None))
            except ValidationError:
                unknown.append(name)
        return cls(contexts=contexts, unknown=unknown)


class HoldingsView(View):
    """What the others say of the order now."""

    words: str
    wait: WaitView | None
    """What orders says that it waits for."""
    reservations: dict[str, Any] | None
    """As `GET /api/reservations/{orderId}` has it."""
    payment: dict[str, Any] | None
    """As `GET /api/payments/{orderId}` has it."""
    unknown: list[str]
    """Contexts that gave no answer."""


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
    others: HoldingsView
    """What the others say of it now."""
    events: list[EventView]
    """Earliest first."""
    is_whole: bool
    """False where it has more events than are shown."""
    messages: int
    """How many events and commands these are, those that were sent again not counted."""
    estimated_request_units: int | None = optional()
    """What an order of so many lines costs on its whole way, by the count on paper: no measurement of this one."""

    @classmethod
    def of(cls, timeline: Timeline, others: Holdings) -> "TimelineView":
        """The timeline as it is shown."""
        events = timeline.events
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
            why=timeline.why,
            others=HoldingsView.model_validate(others, from_attributes=True),
            events=[EventView.of(*pair) for pair in zip(events, (events[0], *events[:-1]), strict=True)],
            is_whole=timeline.is_whole,
            messages=timeline.messages,
            **of_order,
        )
