"""Payments' storage, and Stripe as the provider.

Of Stripe's answers only a card error is a decline. What the API, a limit or the network says is unclear, and is looked
at again later. No idempotency key is relied upon beyond one call: Stripe replays even errors under a key, and forgets
keys.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import stripe

from services.payments.domain import Intent, IntentStatus, Payment, UnknownPaymentMethod
from shared.codec import decode, encode
from shared.errors import Throttled, Unavailable
from shared.messaging import Message
from shared.outbox import Outbox
from shared.ports import Container, Create, Document, Replace


class PaymentAdapter:
    """services.payments.ports.Payments: one document in each order's partition."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, order_id: str) -> Payment | None:
        """The payment of an order, or None."""
        document = await self._container.read(order_id, "payment")
        return replace(decode(Payment, document), etag=document["_etag"]) if document else None

    async def add(self, payment: Payment, messages: Sequence[Message] = ()) -> Payment:
        """Store a new one. Raises AlreadyExists."""
        [etag] = await self._outbox.commit(payment.order_id, [Create(_document(payment))], messages)
        return replace(payment, etag=etag)

    async def save(self, payment: Payment, messages: Sequence[Message] = ()) -> Payment:
        """Replace the one that was read. Raises ConditionFailed."""
        [etag] = await self._outbox.commit(payment.order_id, [Replace(_document(payment), payment.etag)], messages)
        return replace(payment, etag=etag)


def _document(payment: Payment) -> Document:
    return {"id": "payment", "pk": payment.order_id, "kind": "payment", **encode(payment)}


STATUSES = {
    "requires_payment_method": IntentStatus.DECLINED,
    "requires_confirmation": IntentStatus.UNCONFIRMED,
    "requires_action": IntentStatus.NEEDS_ACTION,
    "requires_capture": IntentStatus.HELD,
    "succeeded": IntentStatus.CAPTURED,
    "canceled": IntentStatus.CANCELLED,
}
"""Stripe's words for ours. An intent is created with a method, so that one that requires a method has been declined;
`processing` is not among them: it is unclear until it is over."""


class StripeProvider:
    """services.payments.ports.Provider. The client is made at the first call, in the event loop of that call."""

    def __init__(self, address: str, key: str, timeout: timedelta) -> None:
        self._address = address
        self._key = key
        self._timeout = timeout.total_seconds()
        self._client: stripe.StripeClient | None = None
        self._http: stripe.HTTPXClient | None = None

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        """A new intent, not confirmed. Raises UnknownPaymentMethod."""
        try:
            return await self._call(
                lambda intents: intents.create_async(
                    {
                        "amount": amount,
                        "currency": currency.lower(),
                        "payment_method": payment_method,
                        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                        "capture_method": "manual",
                        "metadata": {"order_id": order_id},
                    }
                )
            )
        except stripe.InvalidRequestError as error:
            if _method_is_unknown(error):
                raise UnknownPaymentMethod from error
            raise

    async def look(self, intent_id: str) -> Intent:
        """The intent as it is now."""
        return await self._call(lambda intents: intents.retrieve_async(intent_id))

    async def confirm(self, intent_id: str) -> Intent:
        """Have the money held."""
        try:
            return await self._call(lambda intents: intents.confirm_async(intent_id))
        except stripe.CardError:
            return Intent(intent_id, IntentStatus.DECLINED)
        except stripe.InvalidRequestError as error:
            intent = await self._look_again(intent_id, error)
            if _method_is_unknown(error) and intent.status is IntentStatus.UNCONFIRMED:
                return Intent(intent_id, IntentStatus.DECLINED)
            return intent

    async def capture(self, intent_id: str, amount: int) -> Intent:
        """Take what is held."""
        try:
            return await self._call(lambda intents: intents.capture_async(intent_id, {"amount_to_capture": amount}))
        except stripe.InvalidRequestError as error:
            return await self._look_again(intent_id, error)

    async def cancel(self, intent_id: str) -> Intent:
        """Let go of what is held; cancelled already is success."""
        try:
            return await self._call(lambda intents: intents.cancel_async(intent_id))
        except stripe.InvalidRequestError as error:
            return await self._look_again(intent_id, error)

    async def _look_again(self, intent_id: str, error: stripe.InvalidRequestError) -> Intent:
        if error.code == "payment_intent_unexpected_state" or _method_is_unknown(error):
            return await self.look(intent_id)
        raise error

    async def _call(self, call: Callable[[stripe.PaymentIntentService], Awaitable[stripe.PaymentIntent]]) -> Intent:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await call(self._open().v1.payment_intents)
        except (stripe.CardError, stripe.InvalidRequestError):
            raise
        except stripe.RateLimitError as error:
            raise Throttled("the payment provider asks for fewer requests") from error
        except (stripe.StripeError, TimeoutError) as error:
            raise Unavailable(f"the payment provider gave no clear answer: {type(error).__name__}") from error
        status = STATUSES.get(getattr(answer, "status", ""))
        if status is None:
            raise Unavailable("the payment provider's answer has no status that is known")
        return Intent(answer.id, status)

    async def close(self) -> None:
        """Let go of the connections; the next call opens them anew."""
        http, self._http, self._client = self._http, None, None
        if http:
            await http.close_async()

    def _open(self) -> stripe.StripeClient:
        if self._client is None:
            stripe.enable_telemetry = False
            self._http = stripe.HTTPXClient(timeout=self._timeout, allow_sync_methods=False)
            self._client = stripe.StripeClient(
                self._key,
                base_addresses={"api": self._address},
                http_client=self._http,
                max_network_retries=0,
            )
        return self._client


def _method_is_unknown(error: stripe.InvalidRequestError) -> bool:
    return error.code == "resource_missing" and error.param == "payment_method"
