"""Payments' rules: what a command means in the state of an order's payment, and what a look at the provider tells."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Of the payment of one order. `declining` and `voiding` are decided, but not yet done at the provider."""

    CREATED = "created"
    AUTHORISED = "authorised"
    DECLINING = "declining"
    DECLINED = "declined"
    VOIDING = "voiding"
    VOIDED = "voided"
    CAPTURED = "captured"
    NOT_CAPTURED = "not_captured"


class Act(StrEnum):
    """What a command asks for, given the payment."""

    CREATE_INTENT = "create an intent, store it `created`, confirm it"
    LOOK = "look at the intent, confirm it or adopt what it says"
    FINISH_DECLINING = "cancel the intent, `declined` with PaymentDeclined"
    DECLINE_THEN_VOIDED = "cancel the intent, `declined` with PaymentDeclined, and answer PaymentVoided"
    TOMBSTONE = "create the payment `voided` with PaymentVoided: no authorisation can follow"
    VOID = "`voiding`, cancel the intent, `voided` with PaymentVoided"
    FINISH_VOIDING = "cancel the intent, `voided` with PaymentVoided"
    CAPTURE = "capture the total, `captured` with PaymentCaptured, or `not_captured` with PaymentNotCaptured"
    AUTHORISED_AGAIN = "answer PaymentAuthorised again"
    DECLINED_AGAIN = "answer PaymentDeclined again"
    VOIDED_AGAIN = "answer PaymentVoided again"
    CAPTURED_AGAIN = "answer PaymentCaptured again"
    NOT_CAPTURED_AGAIN = "answer PaymentNotCaptured again"
    NOTHING = "ignored, because its undoing overtook it"
    LATER = "later: the authorisation isn't there yet"
    PARK = "parked: the protocol rules it out"


PROCESS: dict[str, dict[State | None, Act]] = {
    "AuthorisePayment": {
        None: Act.CREATE_INTENT,
        State.CREATED: Act.LOOK,
        State.AUTHORISED: Act.AUTHORISED_AGAIN,
        State.DECLINING: Act.FINISH_DECLINING,
        State.DECLINED: Act.DECLINED_AGAIN,
        State.VOIDING: Act.NOTHING,
        State.VOIDED: Act.NOTHING,
        State.CAPTURED: Act.AUTHORISED_AGAIN,
        State.NOT_CAPTURED: Act.AUTHORISED_AGAIN,
    },
    "VoidPayment": {
        None: Act.TOMBSTONE,
        State.CREATED: Act.VOID,
        State.AUTHORISED: Act.VOID,
        State.DECLINING: Act.DECLINE_THEN_VOIDED,
        State.DECLINED: Act.VOIDED_AGAIN,
        State.VOIDING: Act.FINISH_VOIDING,
        State.VOIDED: Act.VOIDED_AGAIN,
        State.CAPTURED: Act.PARK,
        State.NOT_CAPTURED: Act.PARK,
    },
    "CapturePayment": {
        None: Act.LATER,
        State.CREATED: Act.LATER,
        State.AUTHORISED: Act.CAPTURE,
        State.DECLINING: Act.PARK,
        State.DECLINED: Act.PARK,
        State.VOIDING: Act.PARK,
        State.VOIDED: Act.PARK,
        State.CAPTURED: Act.CAPTURED_AGAIN,
        State.NOT_CAPTURED: Act.NOT_CAPTURED_AGAIN,
    },
}
"""Every command in every state (None: no payment yet)."""


@dataclass(frozen=True, slots=True)
class Payment:
    """The payment of one order. Only the intent whose id is stored here is ever confirmed.

    `authorised_until`: when the provider lets go of what it holds. `decline_code` is why it was declined, in our words,
    `provider_code` in the provider's, of a refused capture, too.
    """

    order_id: str
    state: State
    amount: int = 0
    currency: str = ""
    intent_id: str | None = None
    authorised_until: datetime | None = None
    decline_code: str | None = None
    provider_code: str | None = None
    etag: str = field(default="", compare=False, metadata={"stored": False})


class IntentStatus(StrEnum):
    """What the provider says about an intent."""

    UNCONFIRMED = "unconfirmed"
    HELD = "held"
    DECLINED = "declined"
    NEEDS_ACTION = "needs_action"
    CAPTURED = "captured"
    CANCELLED = "cancelled"


class DeclineCode(StrEnum):
    """Why a payment was declined: part of the API, and as stable."""

    CARD_DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    AUTHENTICATION_REQUIRED = "authentication_required"
    UNKNOWN_PAYMENT_METHOD = "unknown_payment_method"
    PROVIDER_REFUSED = "provider_refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider's definite no to a request, in our words and in its own."""

    code: DeclineCode
    provider_code: str


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent at the provider, as it is after a request; `refusal` where that was refused for good. `held` and
    `captured`, less what was refunded, are in minor units."""

    id: str
    status: IntentStatus
    authorised_until: datetime | None = None
    held: int = 0
    captured: int = 0
    refusal: Refusal | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """An intent among the provider's own, in which currency, and which order's it is, as was said when it was
    created."""

    intent: Intent
    currency: str
    order_id: str | None
    created_at: datetime


class RefusedByProvider(Exception):
    """The provider makes no intent of this."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.provider_code)
        self.refusal = refusal
