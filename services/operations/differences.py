"""What must hold of an order that stands still, of a product's stock and of an intent at the provider, and where what
is said of them doesn't agree with that."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.operations.domain import Difference
from shared.currencies import in_words

type Answer = Mapping[str, Any]

NOT_ANNOUNCED = "not_announced"


@dataclass(frozen=True, slots=True)
class Sides:
    """What each says of an order, None where it knows of none, and which events of it are kept."""

    orders: Answer | None
    inventory: Answer | None
    payments: Answer | None
    events: tuple[str, ...]

    @property
    def told(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "events": list(self.events)}


@dataclass(frozen=True, slots=True)
class _Rest:
    """What must hold of an order that has come to rest: by which event it was announced, where its units are, what the
    stock's decision and the payment's state may be, and whether its money is held or captured."""

    event: str
    units: str | None
    decisions: tuple[str, ...]
    payments: tuple[str | None, ...]
    held: bool = False
    captured: bool = False


_UNDONE = (None, "declined", "voided")
_RESTS = {
    "confirmed": _Rest("OrderConfirmed", "active", ("reserved",), ("authorised",), held=True),
    "completed": _Rest("OrderCompleted", "committed", ("committed",), ("captured",), captured=True),
    "payment_due": _Rest("OrderPaymentDue", "committed", ("committed",), ("not_captured",)),
    "cancelled": _Rest("OrderCancelled", None, ("rejected", "released"), _UNDONE),
    "rejected": _Rest("OrderRejected", None, ("rejected", "released"), _UNDONE),
}
ENDS = {rest.event for status, rest in _RESTS.items() if status != "confirmed"}
"""The events that an order ends with."""
HEARD = {"OrderPlaced", *ENDS}
"""The events that are to be heard of an order, the one end of them."""


def differences(sides: Sides) -> Iterator[Difference]:
    """Where the sides disagree. Of an order that is on its way no more is asked than that it was announced."""
    if sides.orders is None:
        yield Difference("order_missing", "Events tell of it, and orders knows no such order.")
        return
    status = sides.orders["status"]
    rest = _RESTS.get(status)
    end = {rest.event} & ENDS if rest else set()
    if others := sorted(ENDS & {*sides.events} - end):
        yield Difference("ends_differ", f"Orders says {status}, and its events {' and '.join(others)}.")
    if missing := [each for each in ("OrderPlaced", *end) if each not in sides.events]:
        yield Difference(NOT_ANNOUNCED, f"Nobody was heard to announce {' and '.join(missing)}.")
    if rest:
        yield from _of_stock(status, rest, sides)
        yield from _of_payment(status, rest, sides)


def of_product(stock: Answer) -> Iterator[Difference]:
    """Whether so much of it is set aside as its active reservations have."""
    aside, reserved = stock["onHand"] - stock["available"], stock["reserved"]
    if reserved != aside:
        yield Difference(
            "reserved_differs", f"{aside} units are set aside, and its active reservations have {reserved}."
        )


def of_intent(intent: Answer) -> Iterator[Difference]:
    """Whether it has no money that payments doesn't know of."""
    money = {each: in_words(intent[each], intent["currency"]) for each in ("held", "captured") if intent[each]}
    named = intent.get("paymentIntentId")
    if money and named is None:
        yield Difference("intent_unknown", f"The provider has {_told(money)} of it, and no payment names it.")
    elif money and named != intent["intentId"]:
        yield Difference("charged_twice", f"The provider has {_told(money)} of it, and its order's payment is {named}.")


def _of_stock(status: str, rest: _Rest, sides: Sides) -> Iterator[Difference]:
    assert sides.orders
    stock: Answer = sides.inventory or {"decision": None, "units": {}}
    units = {state: number for state, number in stock["units"].items() if state != "released" and number}
    due = {rest.units: sides.orders["units"]} if rest.units else {}
    if stock["decision"] not in rest.decisions:
        asked = " or ".join(rest.decisions)
        yield Difference("decision_differs", f"It is {status}, and inventory says {stock['decision']}, not {asked}.")
    if units != due:
        yield Difference("stock_differs", f"It is {status}, and has {_told(units)} in stock, not {_told(due)}.")


def _of_payment(status: str, rest: _Rest, sides: Sides) -> Iterator[Difference]:
    assert sides.orders
    payment: Answer = sides.payments or {"state": None}
    total = sides.orders["total"]
    if payment["state"] not in rest.payments:
        asked = " or ".join(str(each) for each in rest.payments if each)
        yield Difference("payment_differs", f"It is {status}, and payments says {payment['state']}, not {asked}.")
    if (amount := payment.get("amount")) and amount != total:
        yield Difference("total_differs", f"It comes to {_money(total)}, and payments asked for {_money(amount)}.")
    provider = payment.get("provider") or {}
    for what, is_due in (("held", rest.held), ("captured", rest.captured)):
        due, found = total["amount"] if is_due else 0, provider.get(what, 0)
        if found != due:
            code = "money_missing" if found < due else "money_left"
            had, wanted = (in_words(each, total["currency"]) for each in (found, due))
            yield Difference(code, f"It is {status}, and the provider has {had} {what}, not {wanted}.")


def _told(units: Mapping[Any, object]) -> str:
    return " and ".join(f"{number} {state}" for state, number in units.items()) or "nothing"


def _money(money: Answer) -> str:
    return in_words(money["amount"], money["currency"])
