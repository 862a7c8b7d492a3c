"""Operations' bodies."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from services.operations.asked import HoldingsView, understood
from services.operations.domain import Disagreement, Recorded, State
from services.operations.ports import Said
from services.operations.projections import Rebuild, percentile
from services.operations.queries import Flow, Timeline, estimated_request_units
from shared.codec import encode, rfc3339
from shared.fields import Moment, MoneyView, OptionalText, Parameters, View, optional
from shared.paging import Page
from shared.replaying import ParkedPage, ParkedView


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
        health = Health.READY if said and said.status == 200 else Health.NOT_READY
        told = said and replace(said, body=said.body | {"name": name, "health": health})
        known = understood(told, cls)
        return known if known and known.dependencies is not None else cls(name=name, health=Health.UNKNOWN)


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
            if page := understood(each, ParkedPage):
                contexts.append(ParkedInContextView(name=name, value=page.value, has_more=page.next_link is not None))
            else:
                unknown.append(name)
        return cls(contexts=contexts, unknown=unknown)


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
    def of(cls, timeline: Timeline, others: HoldingsView, parked: Mapping[str, Said | None]) -> "TimelineView":
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
            others=others,
            parked=ParkedEverywhereView.of(parked),
            events=[EventView.of(*pair) for pair in zip(events, (events[0], *events[:-1]), strict=True)],
            is_whole=timeline.is_whole,
            messages=timeline.messages,
            **of_order,
        )


class StepView(View):
    """How long one step took, in seconds, each within a tenth."""

    orders: int
    p50: float
    p95: float
    p99: float


class CountedView(View):
    """What there was in a time."""

    since: Moment
    events: dict[str, int]
    """How many of each, by name."""
    rejected: dict[str, int]
    """How many orders, by reason."""
    captured: dict[str, int]
    """Minor units of each currency."""
    steps: dict[str, StepView]
    """From the placing to what inventory said (`stock`), on to what payments said (`payment`), from the confirmation to
    the dispatch (`dispatch`), from a decline or a recall to the end (`undo`), from the dispatch to the end (`settle`),
    and the `whole` way; where an order took it."""


class WindowView(CountedView):
    """What there was in a time, and in each part of it."""

    periods: list[CountedView]
    """Earliest first; the last is under way."""


class FlowView(View):
    """How orders move."""

    under_way: dict[str, int]
    """How many orders wait for what: `stock`, `payment`, `dispatch`, `undo`, `settle`."""
    counted_until: Moment | None = optional()
    """The last event that is counted, by the store's clock."""
    hour: WindowView
    day: WindowView
    week: WindowView

    @classmethod
    def of(cls, flow: Flow) -> "FlowView":
        """The flow as it is shown."""
        windows = {}
        for window, periods in flow.windows.items():
            whole = sum(map(Counter, periods.values()), Counter[str]())
            parts = [_counted(since, counts) for since, counts in periods.items()]
            windows[window] = _counted(min(periods), whole) | {"periods": parts}
        until = rfc3339(flow.counted_until) if flow.counted_until else None
        return cls.model_validate({"underWay": flow.under_way, "countedUntil": until, **windows})


def _counted(since: datetime, counts: Mapping[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {name: {} for name in ("event", "rejected", "captured", "took")}
    for key, number in counts.items():
        group, _, name = key.partition(".")
        found[group][name] = number
    steps: dict[str, dict[int, int]] = defaultdict(dict)
    for key, number in found["took"].items():
        step, _, bin = key.partition(".")
        steps[step][int(bin)] = number
    return {
        "since": rfc3339(since),
        "events": found["event"],
        "rejected": found["rejected"],
        "captured": found["captured"],
        "steps": {
            step: {"orders": sum(bins.values()), **{f"p{p}": percentile(bins, p / 100) for p in (50, 95, 99)}}
            for step, bins in steps.items()
        },
    }


class DifferenceView(View):
    """What differs, by a name that stays (docs/runbook.md has them) and in words."""

    code: str
    words: str


class DisagreementView(View):
    """What the contexts don't agree about, and what each says."""

    id: str
    order_id: str | None = optional()
    found_at: Moment
    looked_at: Moment
    """When it was so last."""
    differences: list[DifferenceView]
    sides: dict[str, Any]
    """What `orders`, `inventory` and `payments` say, null where they know of nothing, and which `events` are kept."""

    @classmethod
    def of(cls, found: Disagreement) -> "DisagreementView":
        """The disagreement as it is shown."""
        times = {"found_at": rfc3339(found.found_at), "looked_at": rfc3339(found.looked_at)}
        differences = [DifferenceView(code=each.code, words=each.words) for each in found.differences]
        return cls(id=found.id, order_id=found.id, **times, differences=differences, sides=found.sides)


class DisagreementPage(Page[DisagreementView]):
    """Some of what the contexts don't agree about, and where more is."""

    @classmethod
    def of(cls, found: Sequence[Disagreement], next_link: str | None) -> "DisagreementPage":
        """The disagreements as they are shown."""
        return cls(value=[DisagreementView.of(each) for each in found], next_link=next_link)


class LetBeView(View):
    """What is let be, and why."""

    id: str
    reason: str


class RebuildView(View):
    """The sums built anew."""

    rebuild_id: str
    since: str
    """The first day that is built anew; those before stay as they are."""
    requested_at: Moment
    finished_at: Moment | None = optional()
    """When it took the place of what was shown; left out while it runs."""

    @classmethod
    def of(cls, rebuild: Rebuild) -> "RebuildView":
        """The rebuild as it is shown."""
        return cls.model_validate(encode(rebuild))
