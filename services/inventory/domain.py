"""Inventory's rules: what a command means in the state of an order's decision."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class State(StrEnum):
    """Of the decision about one order. `rejecting` and `releasing` are decided, but not yet acted upon to the end."""

    RESERVED = "reserved"
    REJECTING = "rejecting"
    REJECTED = "rejected"
    RELEASING = "releasing"
    RELEASED = "released"
    COMMITTED = "committed"


class ReservationState(StrEnum):
    """Of what one order set aside of one product."""

    ACTIVE = "active"
    RELEASED = "released"
    COMMITTED = "committed"


class Act(StrEnum):
    """What a command asks for, given the decision."""

    TAKE = "take the lines, then decide; later, a few times, where other orders have set aside what a line is short of"
    FINISH_REJECTING = "give every line back, then StockRejected"
    RELEASE = "decide `releasing`, give every line back, then StockReleased"
    GIVE_BACK = "give every line back, then StockReleased"
    REJECT_THEN_RELEASED = "give every line back, then `rejected` with StockRejected, and answer StockReleased"
    COMMIT = "use up every line, then StockCommitted"
    RESERVED_AGAIN = "answer StockReserved again"
    REJECTED_AGAIN = "answer StockRejected again"
    RELEASED_AGAIN = "answer StockReleased again"
    COMMITTED_AGAIN = "answer StockCommitted again"
    NOTHING = "ignored, because its undoing overtook it"
    LATER = "later: the reservation isn't there yet"
    PARK = "parked: the protocol rules it out"


PROCESS: dict[str, dict[State | None, Act]] = {
    "ReserveStock": {
        None: Act.TAKE,
        State.RESERVED: Act.RESERVED_AGAIN,
        State.REJECTING: Act.FINISH_REJECTING,
        State.REJECTED: Act.REJECTED_AGAIN,
        State.RELEASING: Act.NOTHING,
        State.RELEASED: Act.NOTHING,
        State.COMMITTED: Act.RESERVED_AGAIN,
    },
    "ReleaseStock": {
        None: Act.RELEASE,
        State.RESERVED: Act.GIVE_BACK,
        State.REJECTING: Act.REJECT_THEN_RELEASED,
        State.REJECTED: Act.RELEASED_AGAIN,
        State.RELEASING: Act.GIVE_BACK,
        State.RELEASED: Act.RELEASED_AGAIN,
        State.COMMITTED: Act.PARK,
    },
    "CommitStock": {
        None: Act.LATER,
        State.RESERVED: Act.COMMIT,
        State.REJECTING: Act.PARK,
        State.REJECTED: Act.PARK,
        State.RELEASING: Act.PARK,
        State.RELEASED: Act.PARK,
        State.COMMITTED: Act.COMMITTED_AGAIN,
    },
}
"""Every command in every state (None: no decision yet)."""


@dataclass(frozen=True, slots=True)
class ReservedLine:
    """So many of one product."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """A line that can't be had now. `hopeless`: nor if every order gave back what it has set aside."""

    sku: str
    wanted: int
    available: int
    hopeless: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What inventory decided about one order; created once, never overwritten by another decision.

    A rejection keeps the first few of its shortages, and the count of all.
    """

    order_id: str
    state: State
    lines: tuple[ReservedLine, ...]
    shortages: tuple[Shortage, ...] = ()
    shortage_count: int = 0
    etag: str = field(default="", compare=False, metadata={"stored": False})


@dataclass(frozen=True, slots=True)
class Count:
    """What a request to count made of a stock item."""

    request_id: str
    on_hand: int
    available: int
    new: bool


COUNTS_KEPT = 8
"""So many counts of one product are remembered, for those that ask again because the answer was lost."""


@dataclass(frozen=True, slots=True)
class StockItem:
    """How many of one product are in the house, and how many of those nobody has set aside."""

    sku: str
    on_hand: int
    available: int
    counts: tuple[Count, ...] = ()
    etag: str = field(default="", compare=False, metadata={"stored": False})

    @property
    def reserved(self) -> int:
        """Set aside for orders under way."""
        return self.on_hand - self.available

    def counted(self, on_hand: int, request_id: str) -> "StockItem":
        """The item after a count. Raises BelowReserved: what is set aside must be there."""
        if on_hand < self.reserved:
            raise BelowReserved(self.reserved)
        count = Count(request_id, on_hand, on_hand - self.reserved, new=not self.etag)
        counts = (*self.counts, count)[-COUNTS_KEPT:]
        return replace(self, on_hand=count.on_hand, available=count.available, counts=counts)

    def count(self, request_id: str) -> Count | None:
        """What that request made of the item, if it is one of the last."""
        return next((count for count in self.counts if count.request_id == request_id), None)


class BelowReserved(Exception):
    """A count that is less than what is set aside."""

    def __init__(self, reserved: int) -> None:
        super().__init__(f"{reserved} are set aside for orders under way")
        self.reserved = reserved


PLENTY = 100
"""A line is scarce unless this many orders like it could be served: so many will hardly come between look and take."""


def in_order_of_taking(
    lines: Iterable[ReservedLine], items: Mapping[str, StockItem]
) -> tuple[list[ReservedLine], list[ReservedLine]]:
    """The scarce lines, to be taken one by one, and the plentiful ones, to be taken together after them.

    Both in the order of their SKUs, which is the same for all orders, so that of two that want the same scarce lines
    none holds what the other waits for. Hopeless ones come first: an order that is bound to fail takes nothing.
    """
    scarce: list[tuple[bool, ReservedLine]] = []
    plentiful: list[ReservedLine] = []
    for line in sorted(lines, key=lambda line: line.sku):
        item = items.get(line.sku)
        if item and item.available >= PLENTY * line.quantity:
            plentiful.append(line)
        else:
            scarce.append((not _is_hopeless(line, item), line))
    return [line for _, line in sorted(scarce, key=lambda each: each[0])], plentiful


def shortages(
    lines: Iterable[ReservedLine], items: Mapping[str, StockItem], held: Collection[str]
) -> tuple[Shortage, ...]:
    """Those of the lines that can't be had now, but for SKUs that are `held` for the order already."""
    short: list[Shortage] = []
    for line in lines:
        item = items.get(line.sku)
        available = item.available if item else 0
        if line.sku not in held and available < line.quantity:
            short.append(Shortage(line.sku, line.quantity, available, _is_hopeless(line, item)))
    return tuple(short)


def _is_hopeless(line: ReservedLine, item: StockItem | None) -> bool:
    return item is None or item.on_hand < line.quantity
