"""Payments' answers."""

from services.payments.domain import Intent, IntentStatus, Payment, State
from shared.codec import rfc3339
from shared.fields import Moment, MoneyView, View, optional


class IntentView(View):
    """What the provider says of a payment now; amounts are in minor units."""

    status: IntentStatus
    held: int
    captured: int
    authorised_until: Moment | None = optional()


class PaymentView(View):
    """The payment of an order, as payments knows it and as the provider does."""

    order_id: str
    state: State
    amount: MoneyView | None = optional()
    """Left out where the order was undone before any payment was asked for."""
    intent_id: str | None = optional()
    """The payment's id at the provider."""
    decline_code: str | None = optional()
    provider_code: str | None = optional()
    """Why the provider refused, in its own words."""
    provider: IntentView | None
    """Null where the provider has no such payment, or gives no answer."""
    provider_answered: bool
    """False where it gave none."""

    @classmethod
    def of(cls, payment: Payment, intent: Intent | None, answered: bool) -> "PaymentView":
        """Both sides, as whoever operates it sees them."""
        return cls(
            order_id=payment.order_id,
            state=payment.state,
            amount=MoneyView(amount=payment.amount, currency=payment.currency) if payment.currency else None,
            intent_id=payment.intent_id,
            decline_code=payment.decline_code,
            provider_code=payment.provider_code,
            provider=_view(intent) if intent else None,
            provider_answered=answered,
        )


def _view(intent: Intent) -> IntentView:
    until = rfc3339(intent.authorised_until) if intent.authorised_until else None
    return IntentView(status=intent.status, held=intent.held, captured=intent.captured, authorised_until=until)
