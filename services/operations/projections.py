"""The sums: what events add to them, and how far they have come. Pure functions, of sets of events.

What an order adds is a function of *which* of its events are known, in whatever order they came. So a model is moved on
over some more events by the difference of what their orders add with them and without them, and comes out the same
however the events are cut into pages: live, or replayed from the start.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.operations.domain import SHOWN_BY, UNDER_WAY, Recorded, standing

STEPS = {
    "stock": ({"OrderPlaced"}, {"StockReserved", "StockRejected"}),
    "payment": ({"StockReserved"}, {"PaymentAuthorised", "PaymentDeclined"}),
    "dispatch": ({"OrderConfirmed"}, {"ShipmentDispatched"}),
    "undo": ({"PaymentDeclined", "ShipmentCancelled"}, {"OrderCancelled", "OrderRejected"}),
    "settle": ({"OrderShipped"}, {"OrderCompleted", "OrderPaymentDue"}),
    "whole": ({"OrderPlaced"}, {"OrderCompleted", "OrderPaymentDue", "OrderCancelled", "OrderRejected"}),
}
"""From which event to which each step takes its time; `whole` is all of them."""
FACTS = {"PaymentCaptured"}.union(*SHOWN_BY.values(), *(begins | ends for begins, ends in STEPS.values()))
"""The events that what an order adds depends on; of each there is one at most."""

type Addends = Counter[tuple[datetime, str]]
"""So much to the counter of that name, of the periods that a time lies in."""


def added_by(events: Iterable[Recorded], keep: timedelta) -> Addends:
    """What an order with these events adds beside their number. What happened further apart than `keep` has nothing to
    do with each other: a replay may not know the earlier any more."""
    known = {event.name: event for event in events}
    added: Addends = Counter()
    for step, (begins, ends) in STEPS.items():
        began, ended = ([known[name].at for name in names & known.keys()] for names in (begins, ends))
        if began and ended and min(ended) - min(began) <= keep:
            added[min(ended), f"took.{step}.{_bin(min(ended) - min(began))}"] += 1
    placed, captured, rejected = (known.get(name) for name in ("OrderPlaced", "PaymentCaptured", "OrderRejected"))
    if placed and captured and captured.at - placed.at <= keep:
        added[captured.at, f"captured.{placed.told['currency']}"] += placed.told["total"]
    if rejected:
        added[rejected.at, f"rejected.{rejected.told['reason'][:40]}"] += 1
    state, _ = standing(known.values()) or (None, None)
    if placed and state in UNDER_WAY:
        added[placed.at, f"open.{state}"] += 1
    return added


def _bin(time: timedelta) -> int:
    """Durations are counted in bins, each a fifth longer than the one before, from a millisecond on. What clocks that
    are apart make of nothing, or less, is in the first."""
    return round(4 * math.log2(max(time.total_seconds(), 0.001) / 0.001))


def percentile(bins: Mapping[int, int], share: float) -> float:
    """Below which time, in seconds, this share of them is: within a tenth."""
    rank = math.ceil(share * sum(bins.values()))
    for bin in sorted(bins):
        rank -= bins[bin]
        if rank <= 0:
            return round(0.001 * 2 ** (bin / 4), 3)
    raise ValueError("nothing was counted")


@dataclass(frozen=True, slots=True)
class Period:
    """How long a sum is for. `counted` is for how long after its beginning something is still added, None for ever: it
    is stored twice as long. `shown` of them, that under way included, make a window of the flow."""

    name: str
    length: timedelta
    window: str
    shown: int
    counted: timedelta | None = None

    def start(self, moment: datetime) -> datetime:
        """When the one that this is in began, in UTC."""
        return moment.astimezone(UTC) - (moment - _MIDNIGHT) % self.length


_MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
PERIODS = (
    Period("5m", timedelta(minutes=5), "hour", 13, timedelta(minutes=150)),
    Period("hour", timedelta(hours=1), "day", 25, timedelta(hours=50)),
    Period("day", timedelta(days=1), "week", 8),
)


@dataclass(frozen=True, slots=True)
class Model:
    """Sums of one making: of what happened from the day `since` on, by the events up to (`at`, `event_id`) as the store
    has them. `open` is how many orders that were placed on a day are in each state. Of the two slots that sums are
    stored in, one is the other model's."""

    id: str
    slot: str
    since: str = ""
    at: int = 0
    event_id: str = ""
    open: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Era:
    """From which day on the sums of a day are those of which model."""

    since: str
    slot: str
    model: str


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One that was asked for, from which day on, and when it took its place, if it has."""

    rebuild_id: str
    since: str
    requested_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sum of a period is: a document's id, which is good only if it is of this model, and its life."""

    id: str
    model: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is added to the sum at a place, but not yet written there."""

    place: Place
    counts: dict[str, int]


HELD_WRITES, HELD_SUMS = 19, 20
"""Of how many writes the head holds what they added, and to how many sums at most."""


@dataclass(frozen=True, slots=True)
class Head:
    """The model that is shown, and the one that is built beside it, if any. `keep_days` is the least that was ever set:
    no more than that can be replayed. What is `held` was added by the last `writes`. `written_at` is by the store's
    clock."""

    live: Model
    eras: tuple[Era, ...]
    keep_days: int
    held: tuple[Held, ...] = ()
    writes: int = 0
    building: Model | None = None
    rebuild: Rebuild | None = None
    etag: str = field(default="", metadata={"stored": False})
    written_at: int = field(default=0, metadata={"stored": False})

    @classmethod
    def first(cls, id: str, keep_days: int) -> "Head":
        """Before anything is counted."""
        return cls(Model(id, "a"), (Era("", "a", id),), keep_days)

    def rebuilding(self, id: str, now: datetime) -> "Head":
        """With a model that begins anew, for all days of which every event is kept."""
        since = (now - timedelta(days=self.keep_days - 1)).date().isoformat()
        model = Model(id, "b" if self.live.slot == "a" else "a", since)
        return replace(self, building=model, rebuild=Rebuild(id, since, now))

    def rebuilt(self, new: Model, now: datetime) -> "Head":
        """With what was built in the place of what was shown. Days before it stay as they were."""
        eras = (*(era for era in self.eras if era.since < new.since), Era(new.since, new.slot, new.id))
        done = replace(self.rebuild, finished_at=now) if self.rebuild else None
        return replace(self, live=new, building=None, eras=eras, rebuild=done)

    def adding(self, sums: Mapping[Place, Mapping[str, int]]) -> tuple["Head", Mapping[Place, Mapping[str, int]]]:
        """With more added to the sums, and what to write of them now. That is mostly nothing: a sum takes many small
        additions, and most of what one costs is its being written. While a model is built, nothing is held: its slot
        may be that of a sum that was."""
        added = defaultdict(Counter[str], {each.place: Counter(each.counts) for each in self.held})
        for place, counts in sums.items():
            added[place].update(counts)
        if self.building or self.writes >= HELD_WRITES or len(added) > HELD_SUMS:
            return replace(self, held=(), writes=0), added
        return replace(self, held=tuple(Held(*each) for each in added.items()), writes=self.writes + 1), {}

    def place(self, model: Model, period: Period, start: datetime) -> Place | None:
        """Where a model counts a period; None where it doesn't, or not any more."""
        slot, id, seconds = model.slot, model.id, None
        if period.counted:
            if start < datetime.fromtimestamp(self.written_at, UTC) - period.counted:
                return None
            seconds = int(2 * period.counted.total_seconds())
        elif (day := start.date().isoformat()) < model.since:
            if model is not self.live:
                return None
            *_, era = (era for era in self.eras if era.since <= day)
            slot, id = era.slot, era.model
        return Place(f"{slot}:{period.name}:{start:%Y-%m-%dT%H:%M}", id, seconds)


def moved(
    head: Head, model: Model, page: Sequence[Recorded], facts: Iterable[Recorded], keep: timedelta
) -> tuple[Head, dict[Place, Counter[str]]]:
    """One of its models moved on over a page of events, and what that adds where; `facts` are what is known of the
    page's orders, later ones included."""
    begin, end = (model.at, model.event_id), page[-1].place
    added: Addends = Counter((event.at, f"event.{event.name}") for event in page)
    orders: dict[str | None, list[Recorded]] = defaultdict(list)
    for fact in facts:
        if fact.place <= end:
            orders[fact.order_id].append(fact)
    for events in orders.values():
        added.update(added_by(events, keep))
        added.subtract(added_by([event for event in events if event.place <= begin], keep))
    sums: dict[Place, Counter[str]] = defaultdict(Counter)
    under_way = defaultdict(Counter, {day: Counter(states) for day, states in model.open.items()})
    for (at, name), number in added.items():
        if name.startswith("open."):
            under_way[at.date().isoformat()][name.removeprefix("open.")] += number
        elif number:
            for period in PERIODS:
                if place := head.place(model, period, period.start(at)):
                    sums[place][name] += number
    oldest = (datetime.fromtimestamp(head.written_at, UTC) - keep).date().isoformat()
    left = {day: nonzero(states) for day, states in under_way.items() if day >= oldest and any(states.values())}
    further = replace(model, at=end[0], event_id=end[1], open=left)
    head = replace(head, keep_days=min(head.keep_days, keep.days))
    return replace(head, live=further) if model is head.live else replace(head, building=further), sums


def nonzero(counts: Mapping[str, int]) -> dict[str, int]:
    """Without those that are zero."""
    return {name: number for name, number in counts.items() if number}
