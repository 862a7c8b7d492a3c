"""Payments' answers."""

from typing import Annotated

from pydantic import Field

from services.payments.domain import Intent, IntentStatus, Listed, Payment, State
from shared.codec import rfc3339
from shared.fields import Moment, MoneyView, PageSize, Time, View, optional
from shared.paging import Page, PageParameters


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


class PaymentsPage(Page[PaymentView]):
    """What was asked for, without what there isn't."""


class ListedIntentView(IntentView):
    """An intent among the provider's own."""

    intent_id: str
    currency: str
    order_id: str | None = optional()
    """Which order's it is, as was said when it was created."""
    payment_intent_id: str | None = optional()
    """The one that the payment of this order names: where it is another, or none is named, this one should hold no
    money and have none."""
    created_at: Moment

    @classmethod
    def of(cls, listed: Listed, named: str | None) -> "ListedIntentView":
        """The intent as whoever looks for money that nobody knows of sees it."""
        return cls(
            **_view(listed.intent).model_dump(),
            intent_id=listed.intent.id,
            currency=listed.currency,
            order_id=listed.order_id,
            payment_intent_id=named,
            created_at=rfc3339(listed.created_at),
        )


class ListedIntentPage(Page[ListedIntentView]):
    """Some of the provider's intents, and where the next ones are."""


class IntentsQuery(PageParameters):
    """Created when."""

    created_from: Annotated[Time, Field(examples=["2026-11-24T00:00:00Z"])]
    """That second, or later."""
    created_until: Annotated[Time, Field(examples=["2026-11-24T23:59:59Z"])]
    """That second, or earlier."""
    limit: Annotated[PageSize, Field(le=100)] = 100
    """How many items at most: the provider gives no more at once."""


def _view(intent: Intent) -> IntentView:
    until = rfc3339(intent.authorised_until) if intent.authorised_until else None
    return IntentView(status=intent.status, held=intent.held, captured=intent.captured, authorised_until=until)
