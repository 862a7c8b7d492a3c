"""The life of a PaymentIntent: https://docs.stripe.com/payments/paymentintents/lifecycle.

Each operation reads and writes the store inside one transaction, returns the answer's body, or raises a `Refusal`.
Parameters come flat, as on the wire (`metadata[order_id]`), and are known and not blank.
"""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from local.payment_provider.errors import Refusal, invalid, refused, unexpected_state, unsupported
from local.payment_provider.store import Store

Intent = dict[str, Any]
Parameters = Mapping[str, str]

LEAST = {"gbp": 30, "eur": 50, "usd": 50, "jpy": 50, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10}
"""The least amount of each currency, in minor units: https://docs.stripe.com/currencies. Of the last five, which have
three decimals, it is another's at the day's rate, which isn't known here; their last digit must be 0."""
MOST = 99_999_999

CARDS: Mapping[str, str | None] = {
    "pm_card_visa": None,
    "pm_card_authenticationRequired": None,
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
}
"""Test payment methods (https://docs.stripe.com/testing), with the decline code of those declined."""

USED = "pm_card_visa_used"
"""The stand-in's own: a method that was used before without a customer. Stripe refuses it, without a code."""
OTHER_MODE = "pm_card_visa_otherMode"
"""The stand-in's own: a method of live mode, whose key is of test mode."""
REFUSED_AT_CAPTURE: Mapping[str, Refusal] = {
    "pm_card_visa_captureDeclined": refused(402, "generic_decline"),
    "pm_card_visa_captureExpired": refused(400, "charge_expired_for_capture"),
}
"""The stand-in's own: methods whose money is held, and refused when it is to be captured."""
_AUTHORISED_SECONDS = 7 * 24 * 3600

_CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


_COMPARISONS = {"created[gt]": ">", "created[gte]": ">=", "created[lt]": "<", "created[lte]": "<="}


def _integer(parameters: Parameters, name: str, most: int = 10**18, least: int = 1) -> int:
    value = int(parameters[name]) if re.fullmatch(r"\d{1,18}", parameters[name], re.ASCII) else -1
    if not least <= value <= most:
        message = f"Invalid integer (from {least} to {most}): {parameters[name]}"
        raise invalid(message, "parameter_invalid_integer", name)
    return value


def _payment_method(parameters: Parameters) -> str | None:
    method = parameters.get("payment_method")
    if method == USED:
        raise invalid("The provided PaymentMethod was previously used without a Customer and may not be used again.")
    if method is not None and method not in CARDS and method not in REFUSED_AT_CAPTURE:
        other = "; a similar object exists in live mode, but a test mode key was used to make this request."
        hint = other if method == OTHER_MODE else ""
        raise invalid(f"No such PaymentMethod: '{method}'{hint}", "resource_missing", "payment_method")
    return method


def _metadata(parameters: Parameters) -> dict[str, str]:
    metadata = {name[9:-1]: text for name, text in parameters.items() if name.startswith("metadata[")}
    if len(metadata) > 50 or any(len(name) > 40 or len(text) > 500 for name, text in metadata.items()):
        message = "Metadata has at most 50 keys of at most 40 characters, with values of at most 500."
        raise invalid(message, None, "metadata")
    return {name: text for name, text in metadata.items() if text}


def _amount(parameters: Parameters) -> tuple[int, str]:
    for name in ("amount", "currency"):
        if name not in parameters:
            raise invalid(f"Missing required param: {name}.", "parameter_missing", name)
    currency = parameters["currency"].lower()
    if currency not in LEAST:
        raise invalid(f"Invalid currency: {currency}. Known here: {', '.join(LEAST)}", None, "currency")
    amount = _integer(parameters, "amount")
    if amount < LEAST[currency]:
        message = f"Amount must be at least {LEAST[currency]} {currency}, in minor units"
        raise invalid(message, "amount_too_small", "amount")
    if amount > MOST:
        raise invalid(f"Amount must be no more than {MOST} {currency}, in minor units", "amount_too_large", "amount")
    if LEAST[currency] == 10 and amount % 10:
        raise invalid(f"The last digit of an amount of {currency} must be 0", None, "amount")
    return amount, currency


def create(store: Store, _: str, parameters: Parameters) -> Intent:
    """POST /v1/payment_intents: an intent that holds no money yet."""
    amount, currency = _amount(parameters)
    if parameters.get("capture_method") != "manual":
        raise unsupported("a capture_method other than manual")
    if parameters.get("payment_method_types[0]", "card") != "card":
        raise unsupported(f"the payment method type {parameters['payment_method_types[0]']}")
    if "confirm" in parameters:
        raise unsupported("confirm at creation: confirm the intent in a call of its own")
    method, intent_id = _payment_method(parameters), f"pi_{secrets.token_hex(12)}"
    intent = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": _automatic(parameters),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "manual",
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": currency,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": _metadata(parameters),
        "next_action": None,
        "payment_method": method,
        "payment_method_types": ["card"],
        "status": "requires_confirmation" if method else "requires_payment_method",
    }
    store.put(intent)
    return intent


def _automatic(parameters: Parameters) -> dict[str, Any] | None:
    if "payment_method_types[0]" in parameters:
        return None
    redirects = parameters.get("automatic_payment_methods[allow_redirects]", "always")
    if redirects not in ("always", "never"):
        raise invalid("Invalid automatic_payment_methods[allow_redirects]: must be one of always or never")
    return {"enabled": True, "allow_redirects": redirects}


def retrieve(store: Store, intent_id: str, _: Parameters) -> Intent:
    """GET /v1/payment_intents/{id}. An authorisation that is too old by now has lapsed."""
    intent = store.get(intent_id)
    if intent is None:
        raise invalid(f"No such payment_intent: '{intent_id}'", "resource_missing", "intent", 404)
    if intent["status"] == "requires_capture" and _capture_before(intent) <= time.time():
        return _end(store, intent, "automatic")
    return intent


def _capture_before(intent: Intent) -> int:
    before: int = intent["latest_charge"]["payment_method_details"]["card"]["capture_before"]
    return before


def list_newest(store: Store, _: str, parameters: Parameters) -> dict[str, Any]:
    """GET /v1/payment_intents: newest first, 10 or `limit` (at most 100), from behind `starting_after`; of those alone
    that were `created` (a Unix time, in seconds) after, before or at the bounds."""
    limit = _integer(parameters, "limit", 100) if "limit" in parameters else 10
    after = parameters.get("starting_after")
    if after is not None and store.get(after) is None:
        raise invalid(f"No such payment_intent: '{after}'", "resource_missing", "starting_after")
    created = {_COMPARISONS[name]: _integer(parameters, name, least=0) for name in _COMPARISONS.keys() & parameters}
    found = store.newest(limit + 1, after, created)
    page = {"object": "list", "url": "/v1/payment_intents", "data": found[:limit]}
    return {**page, "has_more": len(found) > limit}


def confirm(store: Store, intent_id: str, parameters: Parameters) -> Intent:
    """POST …/confirm: hold the money. A declined card raises, and yet changes the intent."""
    intent = retrieve(store, intent_id, {})
    method = _payment_method(parameters) or intent["payment_method"]
    if intent["status"] in ("requires_capture", "succeeded", "canceled"):
        statuses = "requires_payment_method, requires_confirmation, requires_action"
        raise _wrong_status(intent, "confirmed", statuses)
    if method is None:
        raise unexpected_state(intent, "You cannot confirm this PaymentIntent: it's missing a payment method.")
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and "return_url" not in parameters:
        message = (
            "This PaymentIntent accepts payment methods that might redirect the customer, so you must provide a "
            "`return_url`; or set automatic_payment_methods[allow_redirects] to never when you create it."
        )
        raise invalid(message)
    intent |= {"payment_method": method, "last_payment_error": None}
    if method == "pm_card_authenticationRequired":
        intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
        store.put(intent)
        return intent
    card = {"capture_before": int(time.time()) + _AUTHORISED_SECONDS}
    charge = {"id": f"ch_{secrets.token_hex(12)}", "object": "charge", "payment_method_details": {"card": card}}
    intent |= {"latest_charge": charge, "next_action": None}
    declined = CARDS.get(method)
    if declined is not None:
        error = refused(402, declined).error | {"charge": charge["id"]}
        intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
        store.put(intent)
        raise Refusal(402, {**error, "payment_intent": intent}, executed=True)
    intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    store.put(intent)
    store.move(intent_id, "hold", intent["amount"])
    return intent


def capture(store: Store, intent_id: str, parameters: Parameters) -> Intent:
    """POST …/capture: take the money that is held, or `amount_to_capture` of it, and release the rest."""
    intent = retrieve(store, intent_id, {})
    held = intent["amount_capturable"]
    amount = _integer(parameters, "amount_to_capture") if "amount_to_capture" in parameters else held
    if intent["status"] != "requires_capture":
        raise _wrong_status(intent, "captured", "requires_capture")
    if intent["payment_method"] in REFUSED_AT_CAPTURE:
        raise REFUSED_AT_CAPTURE[intent["payment_method"]]
    if amount > held:
        message = f"The amount to capture is greater than the amount that is held, {held}."
        raise invalid(message, "amount_too_large", "amount_to_capture")
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    store.put(intent)
    store.move(intent_id, "capture", amount)
    if amount < held:
        store.move(intent_id, "release", held - amount)
    return intent


def cancel(store: Store, intent_id: str, parameters: Parameters) -> Intent:
    """POST …/cancel: release what is held; nothing can be done with the intent any more."""
    intent = retrieve(store, intent_id, {})
    reason = parameters.get("cancellation_reason")
    if reason is not None and reason not in _REASONS:
        raise invalid(f"Invalid cancellation_reason: must be one of {', '.join(_REASONS)}", None, "cancellation_reason")
    if intent["status"] not in _CANCELLABLE:
        raise _wrong_status(intent, "canceled", ", ".join(_CANCELLABLE))
    return _end(store, intent, reason)


def lapse(store: Store, intent_id: str) -> Intent:
    """What Stripe does to an authorisation that is too old: release the money and cancel the intent."""
    intent = retrieve(store, intent_id, {})
    if intent["status"] != "requires_capture":
        raise _wrong_status(intent, "lapsed", "requires_capture")
    return _end(store, intent, "automatic")


def _wrong_status(intent: Intent, done: str, statuses: str) -> Refusal:
    message = f"This PaymentIntent could not be {done} because it has a status of {intent['status']}."
    return unexpected_state(intent, f"{message} Only one with these statuses may be {done}: {statuses}.")


def _end(store: Store, intent: Intent, reason: str | None) -> Intent:
    if intent["amount_capturable"]:
        store.move(intent["id"], "release", intent["amount_capturable"])
    ended = {"canceled_at": int(time.time()), "cancellation_reason": reason, "next_action": None}
    intent |= {"status": "canceled", "amount_capturable": 0, **ended}
    store.put(intent)
    return intent


def shown(done: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    """An intent, or a list of some, as it is shown: with the ids of charges, unless `expand[0]` asks for the whole."""
    of, intents = ("data.latest_charge", done["data"]) if "data" in done else ("latest_charge", [done])
    if (expanded := parameters.get("expand[0]", of)) != of:
        raise unsupported(f"the expansion of {expanded}")
    for each in intents if "expand[0]" not in parameters else ():
        each["latest_charge"] = each["latest_charge"] and each["latest_charge"]["id"]
    return done


Operation = Callable[[Store, str, Parameters], dict[str, Any]]

_AUTOMATIC = {"automatic_payment_methods[enabled]", "automatic_payment_methods[allow_redirects]"}
_CREATION = {"amount", "currency", "capture_method", "payment_method", "payment_method_types[0]", "confirm"}
_EXPAND = {"expand[0]"}
OPERATIONS: Mapping[str, tuple[Operation, set[str]]] = {
    "create": (create, _CREATION | _AUTOMATIC),
    "retrieve": (retrieve, _EXPAND),
    "list": (list_newest, {"limit", "starting_after", *_COMPARISONS} | _EXPAND),
    "confirm": (confirm, {"payment_method", "return_url"} | _EXPAND),
    "capture": (capture, {"amount_to_capture"} | _EXPAND),
    "cancel": (cancel, {"cancellation_reason"} | _EXPAND),
}
"""Each operation with the parameters that it takes (`create` also takes `metadata[…]`)."""
