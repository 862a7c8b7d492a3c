"""Placing an order: whose it is, under which id, at which prices."""

import json
from dataclasses import dataclass
from hashlib import sha256

from services.orders import domain
from services.orders.domain import Address, Money, Order, OrderLine
from services.orders.handlers import Dependencies, Limits, audited, commit, themselves
from services.orders.prices import Price
from services.orders.process import Step
from shared.access import Role
from shared.audit import Actor
from shared.codec import encode, present
from shared.errors import AlreadyExists, FieldError, Refused, invalid, key_reused
from shared.messaging import derived_id
from shared.telemetry import current_traceparent, logged_with


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
        return sha256(json.dumps(present(encode(self)), sort_keys=True).encode()).hexdigest()


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
    return themselves(named, customer)


def order_id(role: Role, subject: str, key: str | None, request_id: str) -> str:
    """The id that a caller's idempotency key stands for, without one the request. The role parts the keys of support
    from those of customers."""
    id = request_id if key is None else derived_id("order", role, subject, key)
    return "ord_" + id.replace("-", "")


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
            return await commit(change, deps, audited(by, None, change.order))
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
        traceparent=current_traceparent(),
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
