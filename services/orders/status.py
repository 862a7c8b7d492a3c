"""How far an order is, as the outside sees it."""

from enum import StrEnum

from services.orders.process import Step


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


STATUS = {
    Step.RESERVING_STOCK: Status.PENDING,
    Step.AUTHORISING_PAYMENT: Status.PENDING,
    Step.AWAITING_DISPATCH: Status.CONFIRMED,
    Step.RECALLING: Status.CANCELLING,
    Step.UNDOING: Status.CANCELLING,
    Step.SETTLING: Status.SHIPPED,
    Step.COMPLETED: Status.COMPLETED,
    Step.PAYMENT_DUE: Status.PAYMENT_DUE,
    Step.CANCELLED: Status.CANCELLED,
    Step.REJECTED: Status.REJECTED,
}
"""By the step that it is in."""
