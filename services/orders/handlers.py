"""Orders' requests and facts: load, act, commit."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.orders import domain, messages
from services.orders.domain import Change, Order, TooLate, TooSoon, Wanted
from services.orders.prices import Price
from services.orders.process import FINAL, WAITING, Step, Trigger
from services.orders.rate_limit import RateLimit
from services.orders.repositories import Erasures, Orders, Prices
from services.orders.timeouts import Timeouts
from shared import metrics
from shared.audit import Actor, AuditEntry, Personal, Recorded
from shared.codec import encode, present
from shared.contracts import OrderEvent
from shared.contracts.catalog import PriceChanged, ProductDelisted, ProductListed
from shared.contracts.inventory import StockRejected
from shared.contracts.orders import Waiting
from shared.contracts.payments import PaymentAuthorised, PaymentDeclined
from shared.errors import Refused, TooEarly, not_found, sentence
from shared.messaging import contract_name
from shared.outbox import Outbox
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
    outbox: Outbox
    system: System
    timeouts: Timeouts
    limits: Limits
    rate_limit: RateLimit


def themselves(named: str | None, customer: str) -> str:
    """The customer, who may leave out who they are, but name nobody else."""
    if named not in (None, customer):
        raise Refused(403, "forbidden", "You may not do this.", "Leave customerId out: nobody else may be named.")
    return customer


async def list_orders(
    wanted: Wanted, customer: str | None, after: tuple[datetime, str] | None, size: int, deps: Dependencies
) -> list[Order]:
    """A customer's own orders, anybody's for staff, newest first. Refused with 403 where a customer names another."""
    if customer is not None:
        wanted = replace(wanted, customer_id=themselves(wanted.customer_id, customer))
    return await deps.orders.page(wanted, after, size)


async def get_order(order_id: str, customer: str | None, deps: Dependencies) -> Order:
    """One order, of this customer unless that is None. Refused with 404, another's as one that isn't there."""
    order = await deps.orders.get(order_id)
    if order is None or customer not in (None, order.customer_id):
        raise not_found(f"order {order_id[:100]}")
    return order


async def list_waiting(
    waiting: Collection[Waiting], over: timedelta, after: tuple[datetime, str] | None, size: int, deps: Dependencies
) -> list[Order]:
    """Orders that have waited for one of these, or for anything, for so long or longer; the longest first."""
    steps = [step for step, what in WAITING.items() if not waiting or what in waiting]
    return await deps.orders.waiting(steps, deps.system.now() - over, after, size)


async def cancel_order(order_id: str, customer: str | None, by: Actor, deps: Dependencies) -> Order:
    """The customer wishes to cancel; how that ends, the order tells. Refused with 409 once it is too late."""
    with logged_with(order_id=order_id):
        order = await get_order(order_id, customer, deps)
        try:
            change = domain.react(order, Trigger.CANCEL, deps.system.now(), deps.timeouts)
        except TooLate as late:
            raise Refused(409, "too-late-to-cancel", "The order can't be cancelled any more.", sentence(late)) from None
        return await commit(change, deps, audited(by, order, change.order)) if change else order


async def on_fact(event: OrderEvent, deps: Dependencies) -> None:
    """Another context announced something about an order."""
    order = await deps.orders.get(event.order_id)
    if order is None:
        raise TooEarly(f"order {event.order_id} isn't there")
    trigger = Trigger(contract_name(type(event)))
    shipment_id: str | None = getattr(event, "shipment_id", None)
    try:
        change = domain.react(_explained(order, event), trigger, deps.system.now(), deps.timeouts, shipment_id)
    except TooSoon as soon:
        raise TooEarly(f"order {event.order_id}: {soon}") from None
    if change is None:
        log.info("%s changes nothing: the order is %s", trigger, order.step)
    else:
        await commit(change, deps)


def _explained(order: Order, event: OrderEvent) -> Order:
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


async def announce_order(order_id: str, deps: Dependencies) -> list[str]:
    """Announce again that it was placed and, if it is final, how it ended: the same facts of the same times, nothing
    written; their names. Refused with 404."""
    facts = messages.standing(await get_order(order_id, None, deps))
    await deps.outbox.publish_again(*facts)
    return [fact.name for fact in facts]


async def on_price(event: ProductListed | PriceChanged | ProductDelisted, prices: Prices) -> None:
    """The catalogue announced a product's state, perhaps again: older ones than the replica's are passed over, and one
    of its own version puts right what differs."""
    known = await prices.get(event.sku)
    announced = Price(event.sku, event.price, event.currency, event.listed, event.version)
    if known is None or (announced.version >= known.version and announced != known):
        await prices.save(replace(announced, etag=known.etag if known else ""))


def audited(by: Actor, before: Order | None, after: Order) -> AuditEntry | None:
    """The entry that goes with a write; None where a customer's or a guest's."""
    return by.changed("order", after.id, _recorded(before), _recorded(after))


def _recorded(order: Order | None) -> Recorded:
    """What the audit sees of an order: of its lines how many, of its customer the id alone."""
    if order is None:
        return {}
    address = {
        f"shippingAddress.{name}": Personal(each) for name, each in present(encode(order.shipping_address)).items()
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


async def commit(change: Change, deps: Dependencies, audit: AuditEntry | None = None) -> Order:
    """Store the order with what it sends, and publish that."""
    outgoing = messages.first_of(change, deps.system.now())
    if change.order.step is Step.PAYMENT_DUE:
        # Before it is stored: rather said twice than never, should the answer to the write be lost.
        log_event("payment_due", "order %s was sent, and its payment could not be captured", change.order.id)
    stored = await deps.orders.save(change.order, outgoing, audit)
    _measure(stored)
    return stored


def _measure(order: Order) -> None:
    if order.left is None:
        return
    step, lasted = order.left
    metrics.STEP_TIME.record(lasted.total_seconds(), step=step)
    if order.step in FINAL:
        metrics.ORDERS_ENDED.record(state=order.status, reason=order.reason or "")
    if order.step is Step.COMPLETED:
        metrics.REVENUE.record(order.total, currency=order.currency)
