"""Stripe as the provider.

What an error of Stripe means is decided in `services.payments.refusals`; after every refusal the intent is looked at,
and what it is counts. No idempotency key is relied upon beyond one call: Stripe replays even errors under a key, and
forgets keys.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import stripe

from services.payments.domain import DeclineCode, Intent, IntentStatus, Listed, Refusal, RefusedByProvider
from services.payments.refusals import RefusedForNow, key_rejected, meaning, refusal
from shared.errors import Unavailable
from shared.telemetry import log, span

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

_Intents = stripe.PaymentIntentService
_EXPANDED: Any = {"expand": ["latest_charge"]}


class StripeProvider:
    """services.payments.ports.Provider. The client is made at the first call, in the event loop of that call."""

    def __init__(self, address: str, key: str, timeout: timedelta) -> None:
        self._address = address
        self._key = key
        self._timeout = timeout.total_seconds()
        self._client: stripe.StripeClient | None = None
        self._http: stripe.AIOHTTPClient | None = None

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        """A new intent, not confirmed. Raises RefusedByProvider."""
        return await self._call(
            "create",
            lambda intents: intents.create_async(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "payment_method": payment_method,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "capture_method": "manual",
                    "metadata": {"order_id": order_id},
                }
            ),
        )

    async def look(self, intent_id: str) -> Intent:
        """The intent as it is now. One that the provider doesn't know is another account's."""
        try:
            return await self._call("look", lambda intents: intents.retrieve_async(intent_id, _EXPANDED))
        except RefusedByProvider as refused:
            if refused.refusal.provider_code == "resource_missing":
                raise key_rejected(
                    "doesn't know an intent of ours: set PAYMENT_PROVIDER_KEY to a key of the account and the mode "
                    "that it was made in"
                ) from refused
            raise Unavailable(f"the payment provider doesn't show the intent: {refused}") from refused

    async def created(self, since: datetime, until: datetime, after: str | None, most: int) -> Sequence[Listed]:
        """So many of those created in this time."""
        of: Any = {"created": {"gte": math.ceil(since.timestamp()), "lte": int(until.timestamp())}, "limit": most}
        of |= {"expand": ["data.latest_charge"]} | ({"starting_after": after} if after else {})
        try:
            found = await self._ask("list", lambda intents: intents.list_async(of))
        except RefusedByProvider as refused:
            raise Unavailable(f"the payment provider doesn't list its intents: {refused}") from refused
        return [_listed(each) for each in found.data]

    async def confirm(self, intent_id: str) -> Intent:
        """Have the money held."""
        intent = await self._change("confirm", intent_id, lambda intents: intents.confirm_async(intent_id, _EXPANDED))
        if intent.refusal and intent.status is IntentStatus.UNCONFIRMED:
            return replace(intent, status=IntentStatus.DECLINED)
        return intent

    async def capture(self, intent_id: str, amount: int) -> Intent:
        """Take what is held."""
        parameters: Any = {"amount_to_capture": amount, **_EXPANDED}
        return await self._change("capture", intent_id, lambda intents: intents.capture_async(intent_id, parameters))

    async def cancel(self, intent_id: str) -> Intent:
        """Let go of what is held; cancelled already is success."""
        return await self._change("cancel", intent_id, lambda intents: intents.cancel_async(intent_id, _EXPANDED))

    async def _change(
        self, operation: str, intent_id: str, call: Callable[[_Intents], Awaitable[stripe.PaymentIntent]]
    ) -> Intent:
        """The intent after the call. A refusal is looked into: the intent as it is, and why if it is definite."""
        try:
            return await self._call(operation, call)
        except RefusedForNow as refused:
            log.info("%s", refused)
            return await self.look(intent_id)
        except RefusedByProvider as refused:
            log.warning("the payment provider refused: %s", refused)
            return replace(await self.look(intent_id), refusal=refused.refusal)

    async def _call(self, operation: str, call: Callable[[_Intents], Awaitable[stripe.PaymentIntent]]) -> Intent:
        return _intent(await self._ask(operation, call))

    async def _ask[Answer](self, operation: str, call: Callable[[_Intents], Awaitable[Answer]]) -> Answer:
        with span(f"payment provider {operation}", kind="CLIENT"):
            try:
                async with asyncio.timeout(self._timeout):
                    return await call(self._open().v1.payment_intents)
            except stripe.StripeError as error:
                raise meaning(error) from error
            except TimeoutError as error:
                raise Unavailable("the payment provider gave no answer in time") from error
            except aiohttp.ClientError as error:
                raise Unavailable(f"the payment provider's answer broke off: {type(error).__name__}") from error

    async def close(self) -> None:
        """Let go of the connections; the next call opens them anew."""
        http, self._http, self._client = self._http, None, None
        if http:
            await http.close_async()

    def _open(self) -> stripe.StripeClient:
        if self._client is None:
            stripe.enable_telemetry = False
            # Not HTTPX: its pool loses a connection where a call is given up at the wrong moment, and has a hundred.
            self._http = stripe.AIOHTTPClient(timeout=None)
            self._client = stripe.StripeClient(
                self._key,
                base_addresses={"api": self._address},
                http_client=self._http,
                max_network_retries=0,
            )
        return self._client


def _intent(answer: stripe.PaymentIntent) -> Intent:
    said = answer.to_dict()
    status = STATUSES.get(said.get("status", ""))
    if status is None:
        raise Unavailable("the payment provider's answer has no status that is known")
    reason = None
    if status is IntentStatus.NEEDS_ACTION:
        reason = Refusal(DeclineCode.AUTHENTICATION_REQUIRED, said["status"])
    elif status is IntentStatus.DECLINED:
        reason = refusal(said.get("last_payment_error") or {})
    charge = said.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    held, captured = said.get("amount_capturable") or 0, said.get("amount_received") or 0
    captured -= charge.get("amount_refunded") or 0
    return Intent(answer.id, status, _authorised_until(charge), held, captured, reason)


def _listed(answer: stripe.PaymentIntent) -> Listed:
    order_id = (answer.to_dict().get("metadata") or {}).get("order_id")
    return Listed(_intent(answer), answer.currency.upper(), order_id, datetime.fromtimestamp(answer.created, UTC))


def _authorised_until(charge: Mapping[str, Any]) -> datetime | None:
    """`capture_before` of the charge's card, where the provider says one."""
    details = charge.get("payment_method_details") or {}
    before = (details.get("card") or {}).get("capture_before")
    return datetime.fromtimestamp(before, UTC) if before else None
