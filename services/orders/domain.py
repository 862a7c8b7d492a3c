"""An order: what it is, and how it changes. The rules of change are the table in `process`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.orders.process import (
    ENDS,
    FINAL,
    OUTSTANDING,
    PROCESS,
    STATUS,
    Collect,
    Early,
    Ignore,
    Keep,
    Move,
    Reason,
    Refuse,
    Reply,
    Send,
    Step,
    Trigger,
)
from services.orders.timeouts import Timeouts
from shared.contracts.inventory import Shortage
from shared.contracts.orders import Status
from shared.texts import FORGOTTEN


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many of one product; `unit_price`, in minor units, was frozen when the order was placed."""

    sku: str
    quantity: int
    unit_price: int

    @property
    def total(self) -> int:
        """In minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Money:
    """So many minor units of a currency."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where the goods go."""

    name: str
    line1: str
    city: str
    country: str
    line2: str | None = None
    postal_code: str | None = None
    company: str | None = None
    state: str | None = None
    phone: str | None = None

    def forgotten(self) -> "Address":
        """Nothing of it but the country."""
        return Address(FORGOTTEN, FORGOTTEN, FORGOTTEN, self.country)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an order's history."""

    at: datetime
    step: Step
    because: str


@dataclass(frozen=True, slots=True)
class Order:
    """One customer's order. It changes only through `place`, `react`, `resent` and `forgotten`. Its `customer_id` is
    its owner's subject; a guest's order of version 0.1.0 has none, and is nobody's."""

    id: str
    step: Step
    lines: tuple[OrderLine, ...]
    currency: str
    email: str
    customer_id: str | None
    payment_method: str
    shipping_address: Address
    request_hash: str
    placed_at: datetime
    total: int
    settled_at: datetime | None = None
    waiting_for: frozenset[Reply] = frozenset()
    reason: Reason | None = None
    shortages: tuple[Shortage, ...] = ()
    shortage_count: int = 0
    decline_code: str | None = None
    authorised_until: datetime | None = None
    shipment_id: str | None = None
    payment_due: bool = False
    resends: int = field(default=0, metadata={"stored_as": "chases"})
    resend_at: datetime | None = field(default=None, metadata={"stored_as": "chaseAt"})
    give_up_at: datetime | None = None
    forgotten_at: datetime | None = None
    traceparent: str | None = None
    """The trace of its placing, in which all that it leads to goes on, days later too."""
    version: int = 1
    history: tuple[HistoryEntry, ...] = ()
    etag: str = field(default="", compare=False, metadata={"stored": False})

    @property
    def status(self) -> Status:
        """What the outside sees."""
        return STATUS[self.step]

    @property
    def since(self) -> datetime:
        """When it came to its step."""
        return next(entry.at for entry in self.history if entry.step is self.step)

    @property
    def left(self) -> tuple[Step, timedelta] | None:
        """Which step its last change ended, and after how long; None where that began or ended none."""
        *before, last = self.history
        if not before or before[-1].step is last.step:
            return None
        step = before[-1].step
        return step, last.at - next(entry.at for entry in before if entry.step is step)

    @property
    def outstanding(self) -> tuple[Send, ...]:
        """The commands whose replies are still due."""
        commands = OUTSTANDING.get(self.step, {})
        return tuple(send for send, reply in commands.items() if reply is None or reply in self.waiting_for)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Orders of one customer, or anybody's, with one of these statuses, or any."""

    customer_id: str | None
    statuses: tuple[Status, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that have one of the statuses, as an order comes to them."""
        return tuple(step for step in Step if STATUS[step] in self.statuses)


@dataclass(frozen=True, slots=True)
class Change:
    """An order after something happened, and what that sends."""

    order: Order
    sends: tuple[Send, ...]


class TooSoon(Exception):
    """The fact belongs to a later step than the one that was read."""


class TooLate(Exception):
    """The order can't be cancelled any more."""


def place(order: Order, timeouts: Timeouts) -> Change:
    """The first step of a new order."""
    placed = _entered(order, Step.RESERVING_STOCK, "placed", order.placed_at, timeouts)
    return Change(replace(placed, version=1), (Send.ORDER_PLACED, Send.RESERVE_STOCK))


def react(
    order: Order, trigger: Trigger, now: datetime, timeouts: Timeouts, shipment_id: str | None = None
) -> Change | None:
    """What the trigger makes of the order; None where nothing changes. Raises TooSoon or TooLate."""
    match PROCESS[order.step][trigger]:
        case Move(to, sends, waiting_for, reason, keeps_reason):
            moved = replace(
                order,
                waiting_for=waiting_for,
                reason=(order.reason or reason) if keeps_reason else None,
                shipment_id=order.shipment_id or shipment_id,
            )
            return Change(_entered(moved, to, trigger, now, timeouts), sends)
        case Keep():
            if order.shipment_id:
                return None
            known = replace(
                order, shipment_id=shipment_id, resend_at=_capped(now + timeouts.dispatch_resend, order.give_up_at)
            )
            return Change(_noted(known, trigger, now), ())
        case Collect(reply, payment_due):
            if reply not in order.waiting_for:
                return None
            left = replace(
                order,
                waiting_for=order.waiting_for - {reply},
                payment_due=order.payment_due or payment_due,
            )
            return (
                _ended(left, trigger, now, timeouts) if not left.waiting_for else Change(_noted(left, trigger, now), ())
            )
        case Early():
            raise TooSoon(f"{trigger} while {order.step}")
        case Refuse():
            raise TooLate(f"it is {order.status} already")
        case Ignore():
            return None


def resent(order: Order, now: datetime, timeouts: Timeouts) -> Change:
    """The outstanding commands are sent again; the next resend is later, once a day where only the warehouse is due."""
    awaiting_warehouse = order.step is Step.AWAITING_DISPATCH and order.shipment_id is not None
    next_resend = now + timeouts.dispatch_resend if awaiting_warehouse else timeouts.resend_at(order.resends + 1, now)
    capped = _capped(next_resend, order.give_up_at)
    again = replace(order, resends=order.resends + 1, resend_at=capped, version=order.version + 1)
    return Change(again, order.outstanding)


def forgotten(order: Order, now: datetime) -> Order:
    """A final order with a mark in place of all that told of its customer; ids, goods and amounts stay.

    The digest of the request goes, too: whoever guesses an address could prove the guess by it.
    """
    assert order.step in FINAL
    return replace(
        order,
        email=FORGOTTEN,
        shipping_address=order.shipping_address.forgotten(),
        request_hash=FORGOTTEN,
        forgotten_at=now,
        version=order.version + 1,
    )


OVERDUE = timedelta(hours=1)


def is_overdue(order: Order, now: datetime) -> bool:
    """Whether an order that is never given up has been waiting for so long that a person should look."""
    return order.give_up_at is None and now - order.since > OVERDUE


def _ended(order: Order, trigger: Trigger, now: datetime, timeouts: Timeouts) -> Change:
    if order.step is Step.SETTLING:
        step = Step.PAYMENT_DUE if order.payment_due else Step.COMPLETED
    else:
        step = Step.CANCELLED if order.reason is Reason.CANCELLED else Step.REJECTED
    return Change(_entered(order, step, trigger, now, timeouts), (ENDS[step],))


def _entered(order: Order, step: Step, because: str, now: datetime, timeouts: Timeouts) -> Order:
    final = step in FINAL
    give_up_at = timeouts.give_up_at(step, now)
    entered = replace(
        order,
        step=step,
        resends=0,
        resend_at=None if final else _capped(timeouts.resend_at(0, now), give_up_at),
        give_up_at=give_up_at,
        settled_at=now if final else None,
    )
    return _noted(entered, because, now)


def _capped(resend_at: datetime, give_up_at: datetime | None) -> datetime:
    """One look finds both: an order is never sent again later than it is given up."""
    return min(resend_at, give_up_at) if give_up_at else resend_at


def _noted(order: Order, because: str, now: datetime) -> Order:
    entry = HistoryEntry(now, order.step, str(because))
    return replace(order, version=order.version + 1, history=(*order.history, entry))


def total_of(lines: Sequence[OrderLine]) -> int:
    """What the lines cost together, in minor units."""
    return sum(line.total for line in lines)
