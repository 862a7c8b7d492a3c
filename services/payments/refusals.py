"""What Stripe's errors mean: decided here, and nowhere else.

- A **definite** no: a 4xx in Stripe's own words. What the intent is after it, counts.
- A no **for now**: Stripe says to try again, or somebody else was faster. The intent counts as well; where it is as it
  was, the request is made again later. A card that is declined so at its confirmation is declined all the same: Stripe
  has taken the card off the intent, and another attempt would be another payment, for the customer to make.
- A **fault of the key**: said at ERROR with what to do, and never the end of an order.
- All else is **unclear**, and is looked at again later: limits, conflicts, what lies behind Stripe, Stripe's own
  failures, the network, and whatever a proxy says.

See https://docs.stripe.com/api/errors, https://docs.stripe.com/error-codes and https://docs.stripe.com/declines/codes.
"""

import re
from typing import Any

import stripe

from services.payments.domain import DeclineCode, Refusal, RefusedByProvider
from shared.errors import Throttled, Unavailable
from shared.telemetry import log_event

_ASK_AGAIN = {408, 409, 424, 425}
"""The statuses below 500 that say nothing about the request: too slow, in conflict, or for want of somebody else."""

_FOR_NOW = {
    "approve_with_id",
    "issuer_not_available",
    "payment_intent_rate_limit_exceeded",
    "payment_method_provider_timeout",
    "processing_error",
    "reenter_transaction",
    "try_again_later",
    # Somebody else was faster, or is at it:
    "charge_already_captured",
    "intent_invalid_state",
    "lock_timeout",
    "payment_intent_unexpected_state",
}
"""Codes, decline codes and advice that ask for another attempt, or say nothing about this one."""

_INVALID = "takes no key like this: set PAYMENT_PROVIDER_KEY to a valid secret key of the shop's account"
_RIGHTS = "doesn't let this key do it: let it write PaymentIntents, or set PAYMENT_PROVIDER_KEY to one that may"
_MODE = (
    "says that the key is of test mode and what it is used with is of live mode, or the reverse: set "
    "PAYMENT_PROVIDER_KEY to the key of the mode that the shop's payment methods are made in"
)
_KEY_FAULTS: dict[str | int, str] = {
    401: _INVALID,
    403: _RIGHTS,
    "api_key_expired": _INVALID,
    "platform_api_key_expired": _INVALID,
    "secret_key_required": _INVALID,
    "livemode_mismatch": _MODE,
    "testmode_charges_only": "makes no live payments for this account yet: activate it, or set PAYMENT_PROVIDER_KEY",
}
"""Statuses and codes of a key that is no good here, with what the provider says of it."""
_OTHER_MODE = re.compile(
    r"a similar object exists in (live|test) mode, but a (live|test) mode key was used to make this request\.?$"
    r"|^You cannot use the test ID "
)
"""The same, where no code says it, but only the text. Both are anchored where no name of a customer's can stand."""

_CODES = {
    "insufficient_funds": DeclineCode.INSUFFICIENT_FUNDS,
    "expired_card": DeclineCode.EXPIRED_CARD,
    "authentication_required": DeclineCode.AUTHENTICATION_REQUIRED,
    "card_declined": DeclineCode.CARD_DECLINED,
}
"""Stripe's codes for ours."""


class RefusedForNow(Unavailable):
    """A no that may be a yes later, or is one by now."""


def meaning(error: stripe.StripeError) -> Exception:
    """What to raise for it: RefusedByProvider, RefusedForNow, Throttled or Unavailable. Logs a fault of the key."""
    said: dict[str, Any] = error.error.to_dict() if error.error else {}
    status = error.http_status or 0
    if isinstance(error, stripe.RateLimitError):
        return Throttled("the payment provider asks for fewer requests")
    fault = _KEY_FAULTS.get(status) or _KEY_FAULTS.get(said.get("code") or "")
    if fault or _OTHER_MODE.search(said.get("message") or ""):
        return key_rejected(fault or _MODE)
    definite = 400 <= status < 500 and status not in _ASK_AGAIN and said.get("type") != "idempotency_error"
    if not (said and definite):
        return Unavailable(f"the payment provider gave no clear answer: {type(error).__name__} {status or ''}".rstrip())
    if for_now := _FOR_NOW & {said.get("code"), said.get("decline_code"), said.get("advice_code")}:
        return RefusedForNow(f"the payment provider refused for now: {', '.join(sorted(for_now))}")
    return RefusedByProvider(refusal(said))


def key_rejected(fault: str) -> Unavailable:
    """Say what is the matter with the key; nothing that waits for it ends by it."""
    log_event("payment_provider_key_rejected", "the payment provider %s", fault)
    return Unavailable("the payment provider rejects the key")


def refusal(said: dict[str, Any]) -> Refusal:
    """The reason that an error object gives, in our words and in Stripe's; of an intent, `last_payment_error`."""
    code, finer = said.get("code"), said.get("decline_code")
    if code == "resource_missing" and said.get("param") == "payment_method":
        return Refusal(DeclineCode.UNKNOWN_PAYMENT_METHOD, code)
    of_the_card = said.get("type", "card_error") == "card_error"
    otherwise = DeclineCode.CARD_DECLINED if of_the_card else DeclineCode.PROVIDER_REFUSED
    known = (_CODES[each] for each in (finer, code) if each in _CODES)
    return Refusal(next(known, otherwise), finer or code or "no code")
