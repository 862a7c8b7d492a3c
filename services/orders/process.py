"""The order's process as one table: every step, everything that can happen, and what follows.

The protocol was model-checked as it stands here; what looks superfluous was tried without. docs/order-process.md is
rendered from this table.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.orders import Status, Waiting


class Step(StrEnum):
    """Where an order is: it only ever comes to a later one. The last four are final."""

    RESERVING_STOCK = "reserving_stock"
    AUTHORISING_PAYMENT = "authorising_payment"
    AWAITING_DISPATCH = "awaiting_dispatch"
    RECALLING = "recalling"
    UNDOING = "undoing"
    SETTLING = "settling"
    COMPLETED = "completed"
    PAYMENT_DUE = "payment_due"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


WAITING = {
    Step.RESERVING_STOCK: Waiting.STOCK,
    Step.AUTHORISING_PAYMENT: Waiting.PAYMENT,
    Step.AWAITING_DISPATCH: Waiting.DISPATCH,
    Step.RECALLING: Waiting.RECALL,
    Step.UNDOING: Waiting.UNDO,
    Step.SETTLING: Waiting.SETTLE,
}
"""What an order waits for, as others call it."""


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
"""What the outside calls each step."""


class Trigger(StrEnum):
    """What can happen to an order: a fact from another context, the customer's wish, or a timeout."""

    STOCK_RESERVED = "StockReserved"
    STOCK_REJECTED = "StockRejected"
    STOCK_RELEASED = "StockReleased"
    STOCK_COMMITTED = "StockCommitted"
    PAYMENT_AUTHORISED = "PaymentAuthorised"
    PAYMENT_DECLINED = "PaymentDeclined"
    PAYMENT_VOIDED = "PaymentVoided"
    PAYMENT_CAPTURED = "PaymentCaptured"
    PAYMENT_NOT_CAPTURED = "PaymentNotCaptured"
    SHIPMENT_CREATED = "ShipmentCreated"
    SHIPMENT_DISPATCHED = "ShipmentDispatched"
    SHIPMENT_CANCELLED = "ShipmentCancelled"
    CANCEL = "cancel"
    GIVE_UP = "give up"


class Send(StrEnum):
    """What an order sends: commands to others, and its own events."""

    RESERVE_STOCK = "ReserveStock"
    RELEASE_STOCK = "ReleaseStock"
    COMMIT_STOCK = "CommitStock"
    AUTHORISE_PAYMENT = "AuthorisePayment"
    VOID_PAYMENT = "VoidPayment"
    CAPTURE_PAYMENT = "CapturePayment"
    CREATE_SHIPMENT = "CreateShipment"
    CANCEL_SHIPMENT = "CancelShipment"
    ORDER_PLACED = "OrderPlaced"
    ORDER_CONFIRMED = "OrderConfirmed"
    ORDER_REJECTED = "OrderRejected"
    ORDER_CANCELLED = "OrderCancelled"
    ORDER_SHIPPED = "OrderShipped"
    ORDER_COMPLETED = "OrderCompleted"
    ORDER_PAYMENT_DUE = "OrderPaymentDue"


ENDS = {
    Step.COMPLETED: Send.ORDER_COMPLETED,
    Step.PAYMENT_DUE: Send.ORDER_PAYMENT_DUE,
    Step.CANCELLED: Send.ORDER_CANCELLED,
    Step.REJECTED: Send.ORDER_REJECTED,
}
"""The final steps, and the event by which each is announced."""
FINAL = ENDS.keys()


class Reply(StrEnum):
    """The replies that an order waits for where it waits for more than one."""

    STOCK = "stock"
    PAYMENT = "payment"


class Reason(StrEnum):
    """Why an order doesn't go through. The first one stands."""

    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_DECLINED = "payment_declined"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Move:
    """The order goes on to another step."""

    to: Step
    sends: tuple[Send, ...] = ()
    waiting_for: frozenset[Reply] = frozenset()
    reason: Reason | None = None
    keeps_reason: bool = True


@dataclass(frozen=True, slots=True)
class Keep:
    """The order stays, and remembers the shipment's id."""


@dataclass(frozen=True, slots=True)
class Collect:
    """One reply of several; when all are in, the order ends as its reason, or the payment, says."""

    reply: Reply
    payment_due: bool = False


@dataclass(frozen=True, slots=True)
class Early:
    """It belongs to a later step than the one that was read: only an old read shows that. Later."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing changes and nothing is written, because …"""

    because: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Of a cancellation: too late."""


type Outcome = Move | Keep | Collect | Early | Ignore | Refuse

BOTH = frozenset(Reply)
STOCK = frozenset({Reply.STOCK})

EARLY = Early()
PAST = Ignore("that step is past")
KNOWN = Ignore("it is known already")
NOT_TAKEN = Ignore("the order did not take that branch")
UNDER_WAY = Ignore("its undoing is under way; the first reason stands")
NO_LIMIT = Ignore("this step has no time at which it is given up")
OVER = Ignore("the order is final")

_UNDO_STOCK = (Send.RELEASE_STOCK,)
_UNDO_BOTH = (Send.VOID_PAYMENT, Send.RELEASE_STOCK)
_SHIPPED = Move(Step.SETTLING, (Send.ORDER_SHIPPED, Send.COMMIT_STOCK, Send.CAPTURE_PAYMENT), BOTH, keeps_reason=False)

_FINAL_ROW: dict[Trigger, Outcome] = dict.fromkeys(Trigger, OVER)

PROCESS: dict[Step, dict[Trigger, Outcome]] = {
    Step.RESERVING_STOCK: {
        Trigger.STOCK_RESERVED: Move(Step.AUTHORISING_PAYMENT, (Send.AUTHORISE_PAYMENT,)),
        Trigger.STOCK_REJECTED: Move(Step.REJECTED, (Send.ORDER_REJECTED,), reason=Reason.OUT_OF_STOCK),
        Trigger.STOCK_RELEASED: EARLY,
        Trigger.STOCK_COMMITTED: EARLY,
        Trigger.PAYMENT_AUTHORISED: EARLY,
        Trigger.PAYMENT_DECLINED: EARLY,
        Trigger.PAYMENT_VOIDED: EARLY,
        Trigger.PAYMENT_CAPTURED: EARLY,
        Trigger.PAYMENT_NOT_CAPTURED: EARLY,
        Trigger.SHIPMENT_CREATED: EARLY,
        Trigger.SHIPMENT_DISPATCHED: EARLY,
        Trigger.SHIPMENT_CANCELLED: EARLY,
        Trigger.CANCEL: Move(Step.UNDOING, _UNDO_STOCK, STOCK, Reason.CANCELLED),
        Trigger.GIVE_UP: Move(Step.UNDOING, _UNDO_STOCK, STOCK, Reason.TIMEOUT),
    },
    Step.AUTHORISING_PAYMENT: {
        Trigger.STOCK_RESERVED: KNOWN,
        Trigger.STOCK_REJECTED: NOT_TAKEN,
        Trigger.STOCK_RELEASED: EARLY,
        Trigger.STOCK_COMMITTED: EARLY,
        Trigger.PAYMENT_AUTHORISED: Move(Step.AWAITING_DISPATCH, (Send.ORDER_CONFIRMED, Send.CREATE_SHIPMENT)),
        Trigger.PAYMENT_DECLINED: Move(Step.UNDOING, _UNDO_STOCK, STOCK, Reason.PAYMENT_DECLINED),
        Trigger.PAYMENT_VOIDED: EARLY,
        Trigger.PAYMENT_CAPTURED: EARLY,
        Trigger.PAYMENT_NOT_CAPTURED: EARLY,
        Trigger.SHIPMENT_CREATED: EARLY,
        Trigger.SHIPMENT_DISPATCHED: EARLY,
        Trigger.SHIPMENT_CANCELLED: EARLY,
        Trigger.CANCEL: Move(Step.UNDOING, _UNDO_BOTH, BOTH, Reason.CANCELLED),
        Trigger.GIVE_UP: Move(Step.UNDOING, _UNDO_BOTH, BOTH, Reason.TIMEOUT),
    },
    Step.AWAITING_DISPATCH: {
        Trigger.STOCK_RESERVED: PAST,
        Trigger.STOCK_REJECTED: NOT_TAKEN,
        Trigger.STOCK_RELEASED: EARLY,
        Trigger.STOCK_COMMITTED: EARLY,
        Trigger.PAYMENT_AUTHORISED: KNOWN,
        Trigger.PAYMENT_DECLINED: NOT_TAKEN,
        Trigger.PAYMENT_VOIDED: EARLY,
        Trigger.PAYMENT_CAPTURED: EARLY,
        Trigger.PAYMENT_NOT_CAPTURED: EARLY,
        Trigger.SHIPMENT_CREATED: Keep(),
        Trigger.SHIPMENT_DISPATCHED: _SHIPPED,
        Trigger.SHIPMENT_CANCELLED: EARLY,
        Trigger.CANCEL: Move(Step.RECALLING, (Send.CANCEL_SHIPMENT,), reason=Reason.CANCELLED),
        Trigger.GIVE_UP: Move(Step.RECALLING, (Send.CANCEL_SHIPMENT,), reason=Reason.TIMEOUT),
    },
    Step.RECALLING: {
        Trigger.STOCK_RESERVED: PAST,
        Trigger.STOCK_REJECTED: NOT_TAKEN,
        Trigger.STOCK_RELEASED: EARLY,
        Trigger.STOCK_COMMITTED: EARLY,
        Trigger.PAYMENT_AUTHORISED: PAST,
        Trigger.PAYMENT_DECLINED: NOT_TAKEN,
        Trigger.PAYMENT_VOIDED: EARLY,
        Trigger.PAYMENT_CAPTURED: EARLY,
        Trigger.PAYMENT_NOT_CAPTURED: EARLY,
        Trigger.SHIPMENT_CREATED: PAST,
        Trigger.SHIPMENT_DISPATCHED: _SHIPPED,
        Trigger.SHIPMENT_CANCELLED: Move(Step.UNDOING, _UNDO_BOTH, BOTH),
        Trigger.CANCEL: UNDER_WAY,
        Trigger.GIVE_UP: NO_LIMIT,
    },
    Step.UNDOING: {
        Trigger.STOCK_RESERVED: PAST,
        Trigger.STOCK_REJECTED: PAST,
        Trigger.STOCK_RELEASED: Collect(Reply.STOCK),
        Trigger.STOCK_COMMITTED: NOT_TAKEN,
        Trigger.PAYMENT_AUTHORISED: PAST,
        Trigger.PAYMENT_DECLINED: PAST,
        Trigger.PAYMENT_VOIDED: Collect(Reply.PAYMENT),
        Trigger.PAYMENT_CAPTURED: NOT_TAKEN,
        Trigger.PAYMENT_NOT_CAPTURED: NOT_TAKEN,
        Trigger.SHIPMENT_CREATED: PAST,
        Trigger.SHIPMENT_DISPATCHED: NOT_TAKEN,
        Trigger.SHIPMENT_CANCELLED: KNOWN,
        Trigger.CANCEL: UNDER_WAY,
        Trigger.GIVE_UP: NO_LIMIT,
    },
    Step.SETTLING: {
        Trigger.STOCK_RESERVED: PAST,
        Trigger.STOCK_REJECTED: NOT_TAKEN,
        Trigger.STOCK_RELEASED: NOT_TAKEN,
        Trigger.STOCK_COMMITTED: Collect(Reply.STOCK),
        Trigger.PAYMENT_AUTHORISED: PAST,
        Trigger.PAYMENT_DECLINED: NOT_TAKEN,
        Trigger.PAYMENT_VOIDED: NOT_TAKEN,
        Trigger.PAYMENT_CAPTURED: Collect(Reply.PAYMENT),
        Trigger.PAYMENT_NOT_CAPTURED: Collect(Reply.PAYMENT, payment_due=True),
        Trigger.SHIPMENT_CREATED: PAST,
        Trigger.SHIPMENT_DISPATCHED: KNOWN,
        Trigger.SHIPMENT_CANCELLED: NOT_TAKEN,
        Trigger.CANCEL: Refuse(),
        Trigger.GIVE_UP: NO_LIMIT,
    },
    Step.COMPLETED: _FINAL_ROW | {Trigger.CANCEL: Refuse()},
    Step.PAYMENT_DUE: _FINAL_ROW | {Trigger.CANCEL: Refuse()},
    Step.CANCELLED: _FINAL_ROW,
    Step.REJECTED: _FINAL_ROW | {Trigger.CANCEL: Refuse()},
}
"""Every step against every trigger. An order that isn't there at all makes every fact early."""

OUTSTANDING: dict[Step, dict[Send, Reply | None]] = {
    Step.RESERVING_STOCK: {Send.RESERVE_STOCK: None},
    Step.AUTHORISING_PAYMENT: {Send.AUTHORISE_PAYMENT: None},
    Step.AWAITING_DISPATCH: {Send.CREATE_SHIPMENT: None},
    Step.RECALLING: {Send.CANCEL_SHIPMENT: None},
    Step.UNDOING: {Send.RELEASE_STOCK: Reply.STOCK, Send.VOID_PAYMENT: Reply.PAYMENT},
    Step.SETTLING: {Send.COMMIT_STOCK: Reply.STOCK, Send.CAPTURE_PAYMENT: Reply.PAYMENT},
}
"""What is sent again; a command with a reply only while that is still due."""
