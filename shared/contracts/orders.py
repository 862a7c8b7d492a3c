"""What orders announces. The last fact of an order is one of Rejected, Cancelled, Completed and PaymentDue."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts import OrderEvent


class Waiting(StrEnum):
    """What an order waits for that isn't final: that its stock is set aside, its payment authorised, its goods
    dispatched, or their dispatch recalled; that all is undone, or stock and payment are settled."""

    STOCK = "stock"
    PAYMENT = "payment"
    DISPATCH = "dispatch"
    RECALL = "recall"
    UNDO = "undo"
    SETTLE = "settle"


class Status(StrEnum):
    """How far an order is, as the outside sees it.

    `pending`: stock is being set aside, then the payment authorised. `confirmed`: both are done, and the warehouse may
    dispatch. `shipped`: on its way, the money being captured; then `completed`, or `payment_due` where that fails.
    `cancelling`: its undoing is under way; then `cancelled` where its customer wished so, or else `rejected`.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    PAYMENT_DUE = "payment_due"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PricedLine:
    """So many of one product at the price, in minor units, that was frozen when the order was placed."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class OrderPlaced(OrderEvent):
    """A customer's order was accepted for processing."""

    lines: tuple[PricedLine, ...]
    total: int
    currency: str


class OrderConfirmed(OrderEvent):
    """Stock is set aside and the payment is authorised."""


@dataclass(frozen=True, slots=True)
class OrderRejected(OrderEvent):
    """The order ended without the customer asking for it: `out_of_stock`, `payment_declined` or `timeout`."""

    reason: str


class OrderCancelled(OrderEvent):
    """The order ended as the customer wished."""


class OrderShipped(OrderEvent):
    """The goods are on their way."""


class OrderCompleted(OrderEvent):
    """The goods are on their way and the money has come in."""


class OrderPaymentDue(OrderEvent):
    """The goods are on their way, but the money can't be captured any more: a person must see to it."""
