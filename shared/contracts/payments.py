"""What payments takes and announces. Amounts are in minor units of an ISO 4217 currency."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Command, Event


@dataclass(frozen=True, slots=True)
class AuthorisePayment(Command):
    """Have the provider hold the order's total. Without effect once the order has given up."""

    order_id: str
    amount: int
    currency: str
    payment_method: str
    give_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoidPayment(Command):
    """Let go of what is held, and see to it that nothing is held any more."""

    order_id: str


@dataclass(frozen=True, slots=True)
class CapturePayment(Command):
    """Take what is held."""

    order_id: str


@dataclass(frozen=True, slots=True)
class PaymentAuthorised(Event):
    """The order's total is held, until then, as far as the provider says."""

    order_id: str
    authorised_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentDeclined(Event):
    """Nothing is held, and nothing will be. `code` says why, in the API's own words: card_declined,
    insufficient_funds, expired_card, authentication_required, unknown_payment_method or provider_refused."""

    order_id: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentVoided(Event):
    """Nothing is held any more, and nothing ever will be."""

    order_id: str


@dataclass(frozen=True, slots=True)
class PaymentCaptured(Event):
    """The order's total was taken, once."""

    order_id: str


@dataclass(frozen=True, slots=True)
class PaymentNotCaptured(Event):
    """Nothing was taken, and nothing can be any more: the hold had lapsed, or the provider refused."""

    order_id: str
