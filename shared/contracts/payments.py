"""What payments takes and announces. Amounts are in minor units of an ISO 4217 currency."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import OrderCommand, OrderEvent


@dataclass(frozen=True, slots=True)
class AuthorisePayment(OrderCommand):
    """Have the provider hold the order's total. Without effect once the order has given up."""

    amount: int
    currency: str
    payment_method: str
    give_up_at: datetime | None = None


class VoidPayment(OrderCommand):
    """Let go of what is held, and see to it that nothing is held any more."""


class CapturePayment(OrderCommand):
    """Take what is held."""


@dataclass(frozen=True, slots=True)
class PaymentAuthorised(OrderEvent):
    """The order's total is held, until then, as far as the provider says."""

    authorised_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentDeclined(OrderEvent):
    """Nothing is held, and nothing will be. `code` says why, in the API's own words: card_declined,
    insufficient_funds, expired_card, authentication_required, unknown_payment_method or provider_refused."""

    code: str | None = None


class PaymentVoided(OrderEvent):
    """Nothing is held any more, and nothing ever will be."""


class PaymentCaptured(OrderEvent):
    """The order's total was taken, once."""


class PaymentNotCaptured(OrderEvent):
    """Nothing was taken, and nothing can be any more: the hold had lapsed, or the provider refused."""
