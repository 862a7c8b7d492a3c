"""Errors as Stripe answers them: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes."""

from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Refusal(Exception):
    """An answer other than success. `executed`: the operation had begun, so the answer is kept under its key."""

    status: int
    error: dict[str, Any]
    executed: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": self.error}


def invalid(message: str, code: str | None = None, param: str | None = None, status: int = 400) -> Refusal:
    """A request that is refused before anything is done."""
    error = {"type": "invalid_request_error", "message": message, "code": code, "param": param}
    return Refusal(status, {name: value for name, value in error.items() if value is not None})


def refused(status: int, code: str) -> Refusal:
    """A refusal with a code of Stripe's: of a card (402), with the code that says why it was declined, or another."""
    error = {"type": "invalid_request_error", "code": code}
    if status == 402:
        named = code if code in ("expired_card", "processing_error") else "card_declined"
        error = {"type": "card_error", "code": named, "decline_code": code}
    return Refusal(status, {**error, "message": f"Refused: {code}."}, executed=True)


def unexpected_state(intent: dict[str, Any], message: str) -> Refusal:
    """What was asked isn't possible in the intent's status; the intent comes with the answer."""
    refusal = invalid(message, "payment_intent_unexpected_state")
    return Refusal(400, {**refusal.error, "payment_intent": intent}, executed=True)


def unsupported(what: str) -> Refusal:
    """Stripe may know this, but the stand-in doesn't."""
    message = f"The stand-in for the payment provider doesn't support {what}."
    return Refusal(501, {"type": "api_error", "message": message})


def unknown_error(status: int) -> Refusal:
    """The provider's own failure, or its limit on rates (429)."""
    if status == 429:
        error = {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}
        return Refusal(status, error)
    return Refusal(status, {"type": "api_error", "message": "An unknown error occurred."}, executed=True)
