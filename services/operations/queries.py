"""The read side: an order's timeline and in words why it is where it is, and how all orders move."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.operations.domain import Recorded, State, standing
from services.operations.handlers import Dependencies
from services.operations.projections import PERIODS, Head
from shared.errors import not_found

MOST_EVENTS = 200
"""Of one order that are read; one that went its way has ten."""

_WORDS = {
    State.STOCK: "Inventory has not said yet whether the goods are in stock, or the order is being undone.",
    State.PAYMENT: (
        "The goods are set aside; payments has not said yet whether the money is held, or the order is being undone."
    ),
    State.DISPATCH: "Goods and money are there; the warehouse has not sent the parcel, or it is being recalled.",
    State.UNDO: "It will not go through; what was done for it is being undone.",
    State.SETTLE: "The goods are on their way; the stock is being used up and the money captured.",
    State.COMPLETED: "The goods are on their way, and the money has come in.",
    State.PAYMENT_DUE: "The goods are on their way, but the money could not be captured: ask the customer for it.",
    State.CANCELLED: "It was cancelled, and all that was done for it is undone.",
    State.REJECTED: "It did not go through, and all that was done for it is undone.",
}


def estimated_request_units(lines: int) -> int:
    """What an order of so many lines costs from its placing to `completed`, by the count of docs/cost.md."""
    return 466 + 41 * lines


@dataclass(frozen=True, slots=True)
class Timeline:
    """An order's events, earliest first, and where they show it to be; `is_whole` unless it has more than are read."""

    order_id: str
    events: Sequence[Recorded]
    state: State | None
    since: datetime
    is_whole: bool

    def first(self, *names: str) -> Recorded | None:
        """The first event of one of these names."""
        return next((event for event in self.events if event.name in names), None)

    @property
    def messages(self) -> int:
        """How many messages these events took: each itself, and the command that it answers, where it is an answer."""
        asked = [each for each in self.events if each.context in ("inventory", "payments", "shipping")]
        unasked = ("ShipmentDispatched", "ShipmentCorrected")
        return len(self.events) + sum(each.name not in unasked for each in asked)

    @property
    def why(self) -> str:
        """In words, why it is where it is."""
        if self.state is None:
            return "No event yet tells where it is."
        words = [_WORDS[self.state]]
        if self.state in (State.UNDO, State.REJECTED):
            if short := self.first("StockRejected"):
                lines = (
                    f"{each['sku']} ({each['wanted']} wanted, {each['available']} there)"
                    for each in short.told.get("shortages", ())
                )
                words.append(f"Short of stock: {', '.join(lines) or 'its lines'}.")
            if declined := self.first("PaymentDeclined"):
                words.append(f"The payment was declined: {declined.told.get('code', 'without a reason')}.")
        rejected = self.first("OrderRejected")
        if rejected and rejected.told.get("reason") == "timeout":
            words.append("Something that it waited for took too long.")
        return " ".join(words)


async def get_timeline(order_id: str, deps: Dependencies) -> Timeline:
    """What became of an order, as far back from its last event as orders are remembered after theirs. Refused with 404
    where that is longer ago, or nothing was ever heard of it."""
    found = await deps.events.of_order(order_id, MOST_EVENTS + 1)
    events = sorted(found, key=lambda event: (event.at, event.recorded_at, event.event_id))
    if not events or events[-1].at < deps.system.now() - deps.keep:
        raise not_found(f"order {order_id} that anything was heard of in {deps.keep.days} days")
    recent = [event for event in events if event.at >= events[-1].at - deps.keep]
    state, since = standing(recent) or (None, recent[0].at)
    return Timeline(order_id, recent[:MOST_EVENTS], state, since, len(found) <= MOST_EVENTS)


@dataclass(frozen=True, slots=True)
class Flow:
    """How many orders wait for what, and of each window how many there were of what in each of its periods, by when
    that began; up to which moment by the store's clock that is counted."""

    under_way: Mapping[str, int]
    windows: Mapping[str, Mapping[datetime, Mapping[str, int]]]
    counted_until: datetime | None


async def get_flow(deps: Dependencies) -> Flow:
    """How orders move: the last hour, day and week."""
    now = deps.system.now()
    head = await deps.sums.head() or Head.first("", deps.keep.days)
    starts = {
        (period.window, start): head.place(head.live, period, start)
        for period in PERIODS
        for start in (period.start(now) - back * period.length for back in reversed(range(period.shown)))
    }
    counts = await deps.sums.of(head, [place for place in starts.values() if place])
    windows: dict[str, dict[datetime, Mapping[str, int]]] = {period.window: {} for period in PERIODS}
    for (window, start), place in starts.items():
        windows[window][start] = counts.get(place.id, {}) if place else {}
    under_way = sum(map(Counter, head.live.open.values()), Counter[str]())
    return Flow(under_way, windows, datetime.fromtimestamp(head.live.at, UTC) if head.live.at else None)
