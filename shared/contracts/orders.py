"""What orders announces. The last fact of an order is one of Rejected, Cancelled, Completed and PaymentDue."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts import Event


class Waiting(StrEnum):
    """What an order waits for that isn't final: that its stock is set aside, its payment authorised, its goods
    dispatched, or their dispatch recalled; that all is undone, or stock and payment are settled."""

    STOCK = "stock"
    PAYMENT = "payment"
    DISPATCH = "dispatch"
    RECALL = "recall"
    UNDO = "undo"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class PricedLine:
    """So many of one product at the price, in minor units, that was frozen when the order was placed."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    """A customer's order was accepted for processing."""

    order_id: str
    lines: tuple[PricedLine, ...]
    total: int
    currency: str


@dataclass(frozen=True, slots=True)
class OrderConfirmed(Event):
    """Stock is set aside and the payment is authorised."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderRejected(Event):
    """The order ended without the customer asking for it: `out_of_stock`, `payment_declined` or `timeout`."""

    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderCancelled(Event):
    """The order ended as the customer wished."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderShipped(Event):
    """The goods are on their way."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderCompleted(Event):
    """The goods are on their way and the money has come in."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderPaymentDue(Event):
    """The goods are on their way, but the money can't be captured any more: a person must see to it."""

    order_id: str
