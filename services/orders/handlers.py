"""Orders' requests and facts: load, act, commit."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from services.orders import domain, messages
from services.orders.domain import Address, Change, Money, Order, OrderLine, Timeouts, TooLate, TooSoon, Wanted
from services.orders.ports import Erasures, Orders, Prices
from services.orders.prices import Price
from services.orders.process import Step, Trigger
from services.orders.rate_limit import RateLimit
from shared.access import Role
from shared.audit import Actor, AuditEntry, Personal, Recorded
from shared.codec import encode
from shared.contracts import Event
from shared.contracts.catalog import PriceChanged, ProductDelisted, ProductListed
from shared.contracts.inventory import StockRejected
from shared.contracts.payments import PaymentAuthorised, PaymentDeclined
from shared.errors import (
    AlreadyExists,
    FieldError,
    Refused,
    TooEarly,
    invalid,
    key_reused,
    not_found,
    sentence,
)
from shared.messaging import EventPublisher, derived_id
from shared.parking import ParkedMessages
from shared.ports import System
from shared.telemetry import log, log_event, logged_with


@dataclass(frozen=True, slots=True)
class Limits:
    """What the payment provider takes, in minor units."""

    least_total: int
    most_total: int
    step: int


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need."""

    orders: Orders
    prices: Prices
    erasures: Erasures
    parked: ParkedMessages
    publisher: EventPublisher
    system: System
    timeouts: Timeouts
    limits: Limits
    rate_limit: RateLimit


@dataclass(frozen=True, slots=True)
class WantedLine:
    """So many of one product."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a customer asks for. The `customer_id` is their subject, a guest's too."""

    email: str
    currency: str
    payment_method: str
    shipping_address: Address
    lines: tuple[WantedLine, ...]
    customer_id: str
    expected_total: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256: the same for the same request, however its JSON was written. What is absent takes no part, so that
        a field added later leaves it as it is."""
        return sha256(json.dumps(_present(encode(self)), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LineNow:
    """What a line costs at today's prices."""

    sku: str
    unit_price: Money
    line_total: Money


@dataclass(frozen=True, slots=True)
class TotalNow:
    """What an order would cost at today's prices."""

    total: Money
    lines: tuple[LineNow, ...]

    @classmethod
    def of(cls, order: Order) -> "TotalNow":
        """That of an order which isn't placed."""

        def money(amount: int) -> Money:
            return Money(amount, order.currency)

        lines = tuple(LineNow(line.sku, money(line.unit_price), money(line.total)) for line in order.lines)
        return cls(money(order.total), lines)


def owner_of(named: str | None, customer: str | None) -> str:
    """Who shall own an order: the customer who places it, else whom support names.

    Refused with 403 where a customer names another, with 422 where support names nobody.
    """
    if customer is None:
        if named is None:
            raise invalid([FieldError("/customerId", "is missing: name the customer whom you order for")])
        return named
    return _themselves(named, customer)


def _themselves(named: str | None, customer: str) -> str:
    """The customer, who may leave out who they are, but name nobody else."""
    if named not in (None, customer):
        raise Refused(403, "forbidden", "You may not do this.", "Leave customerId out: nobody else may be named.")
    return customer


def order_id(role: Role, subject: str, key: str | None, request_id: str) -> str:
    """The id that a caller's idempotency key stands for, without one the request. The role parts the keys of support
    from those of customers."""
    id = request_id if key is None else derived_id("order", role, subject, key)
    return "ord_" + id.replace("-", "")


def _present(value: Any) -> Any:
    """JSON without the members that are null."""
    if isinstance(value, dict):
        return {name: _present(member) for name, member in value.items() if member is not None}
    return [_present(member) for member in value] if isinstance(value, list) else value


async def place_order(new: NewOrder, order_id: str, by: Actor, deps: Dependencies) -> Order:
    """Accept the order, or give the one that was placed under this id before, as it stands.

    Refused with 422 where that was for another body, and for what the catalogue doesn't allow; with 409 where the buyer
    was told another total than today's, with 429 where the subject who places it does so too fast.
    """
    with logged_with(order_id=order_id):
        if placed := await deps.orders.get(order_id):
            return _same(placed, new)
        order = await _priced(new, order_id, deps)
        if new.expected_total not in (None, order.total):
            raise Refused(
                409,
                "total-changed",
                "The order costs something else by now.",
                "See total and lines, and order again with what the buyer agrees to.",
                extension=TotalNow.of(order),
            )
        await deps.rate_limit.admit(by.subject)
        change = domain.place(order, deps.timeouts)
        try:
            return await _commit(change, deps, _audit(by, None, change.order), is_new=True)
        except AlreadyExists:
            # A copy of this request was faster, or the store saw this very one twice.
            placed = await deps.orders.get(order_id)
            if placed is None:
                raise
            return _same(placed, new)


def _same(placed: Order, new: NewOrder) -> Order:
    if not (_is_left_of(placed, new) if placed.forgotten_at else placed.request_hash == new.digest):
        raise key_reused("order")
    return placed


def _is_left_of(placed: Order, new: NewOrder) -> bool:
    """Whether this request placed an order whose customer is forgotten, as far as that can still be told."""
    lines = tuple(WantedLine(line.sku, line.quantity) for line in placed.lines)
    kept = placed.customer_id, placed.currency, placed.payment_method, placed.shipping_address, lines
    asked = new.customer_id, new.currency, new.payment_method, new.shipping_address.forgotten(), new.lines
    return asked == kept and new.expected_total in (None, placed.total)


async def _priced(new: NewOrder, order_id: str, deps: Dependencies) -> Order:
    prices = await deps.prices.find([line.sku for line in new.lines])
    errors = [
        FieldError(f"/lines/{index}/sku", fault)
        for index, line in enumerate(new.lines)
        if (fault := _unsellable(prices.get(line.sku), new.currency))
    ]
    if errors:
        raise invalid(errors)
    lines = tuple(OrderLine(line.sku, line.quantity, prices[line.sku].price) for line in new.lines)
    return Order(
        id=order_id,
        step=Step.RESERVING_STOCK,
        lines=lines,
        currency=new.currency,
        email=new.email,
        customer_id=new.customer_id,
        payment_method=new.payment_method,
        shipping_address=new.shipping_address,
        request_hash=new.digest,
        placed_at=deps.system.now(),
        total=_within(deps.limits, domain.total_of(lines)),
    )


def _unsellable(price: Price | None, currency: str) -> str | None:
    if price is None:
        return "is not a product of the catalogue"
    if not price.listed:
        return "is not for sale any more"
    if price.currency != currency:
        return f"has no price in {currency}"
    return None


def _within(limits: Limits, total: int) -> int:
    if not limits.least_total <= total <= limits.most_total or total % limits.step:
        of = f", in steps of {limits.step}" if limits.step > 1 else ""
        wanted = f"from {limits.least_total} to {limits.most_total} minor units{of}"
        detail = f"the order's total should be {wanted}; it is {total}"
        raise invalid([FieldError("/lines", detail)], "The order's total is outside the limits.")
    return total


async def list_orders(
    wanted: Wanted, customer: str | None, after: tuple[datetime, str] | None, size: int, deps: Dependencies
) -> list[Order]:
    """A customer's own orders, anybody's for staff, newest first. Refused with 403 where a customer names another."""
    if customer is not None:
        wanted = replace(wanted, customer_id=_themselves(wanted.customer_id, customer))
    return await deps.orders.page(wanted, after, size)


async def get_order(order_id: str, customer: str | None, deps: Dependencies) -> Order:
    """One order, of this customer unless that is None. Refused with 404, another's as one that isn't there."""
    order = await deps.orders.get(order_id)
    if order is None or customer not in (None, order.customer_id):
        raise not_found(f"order {order_id[:100]}")
    return order


async def cancel_order(order_id: str, customer: str | None, by: Actor, deps: Dependencies) -> Order:
    """The customer wishes to cancel; how that ends, the order tells. Refused with 409 once it is too late."""
    with logged_with(order_id=order_id):
        order = await get_order(order_id, customer, deps)
        try:
            change = domain.react(order, Trigger.CANCEL, deps.system.now(), deps.timeouts)
        except TooLate as late:
            raise Refused(409, "too-late-to-cancel", "The order can't be cancelled any more.", sentence(late)) from None
        return await _commit(change, deps, _audit(by, order, change.order)) if change else order


async def on_fact(event: Event, deps: Dependencies) -> None:
    """Another context announced something about an order."""
    order_id: str = getattr(event, "order_id")  # noqa: B009 - every event that orders subscribes to has one
    order = await deps.orders.get(order_id)
    if order is None:
        raise TooEarly(f"order {order_id} isn't there")
    trigger = Trigger(type(event).__name__)
    shipment_id: str | None = getattr(event, "shipment_id", None)
    try:
        change = domain.react(_explained(order, event), trigger, deps.system.now(), deps.timeouts, shipment_id)
    except TooSoon as soon:
        raise TooEarly(f"order {order_id}: {soon}") from None
    if change is None:
        log.info("%s changes nothing: the order is %s", trigger, order.step)
    else:
        await _commit(change, deps)


def _explained(order: Order, event: Event) -> Order:
    """The order with what the event says of it: until when its money is held, or why it can't be had."""
    match event:
        case StockRejected():
            return replace(order, shortages=event.shortages, shortage_count=event.shortage_count)
        case PaymentAuthorised():
            return replace(order, authorised_until=event.authorised_until)
        case PaymentDeclined():
            return replace(order, decline_code=event.code)
        case _:
            return order


async def on_price(event: ProductListed | PriceChanged | ProductDelisted, prices: Prices) -> None:
    """The catalogue announced a product's state, perhaps again: older ones than the replica's are passed over, and one
    of its own version puts right what differs."""
    known = await prices.get(event.sku)
    announced = Price(event.sku, event.price, event.currency, event.listed, event.version)
    if known is None or (announced.version >= known.version and announced != known):
        await prices.put(replace(announced, etag=known.etag if known else ""))


def _audit(by: Actor, before: Order | None, after: Order) -> AuditEntry | None:
    return by.changed("order", after.id, _recorded(before), _recorded(after))


def _recorded(order: Order | None) -> Recorded:
    """What the audit sees of an order: of its lines how many, of its customer the id alone."""
    if order is None:
        return {}
    address = {
        f"shippingAddress.{name}": Personal(each) for name, each in _present(encode(order.shipping_address)).items()
    }
    return {
        "status": order.status,
        "customerId": order.customer_id,
        "lines": len(order.lines),
        "total": order.total,
        "currency": order.currency,
        "email": Personal(order.email),
        "paymentMethod": Personal(order.payment_method),
        **address,
    }


async def _commit(
    change: Change, deps: Dependencies, audit: AuditEntry | None = None, *, is_new: bool = False
) -> Order:
    outgoing = messages.first_of(change, deps.system.now())
    write = deps.orders.add if is_new else deps.orders.save
    if change.order.step is Step.PAYMENT_DUE:
        # Before it is stored: rather said twice than never, should the answer to the write be lost.
        log_event("payment_due", "order %s was sent, and its payment could not be captured", change.order.id)
    return await write(change.order, outgoing, audit)
