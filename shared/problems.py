"""What callers are told when something is refused or fails: problems (RFC 9457), and the words for wrong fields."""

from math import ceil
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.codec import encode
from shared.errors import Contended, FieldError, InvalidToken, Refused, Throttled, Transient, sentence
from shared.headers import unauthenticated
from shared.json_body import pointer
from shared.telemetry import log

PROBLEM_TYPES = "urn:orderflow:problem:"
MOST_WRONG = 3000
"""Wrong fields that a refusal names at most: an order of a thousand lines has fewer."""


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each wrong field once, in the words of whoever checks it; values are never repeated back.

    Not of a body whose answer would be many times as large, and keep everybody else waiting while it is made.
    """
    if error.error_count() > MOST_WRONG:
        return [FieldError("", f"has more than {MOST_WRONG} wrong fields")]
    return [
        FieldError(pointer(each["loc"]), fault(each)) for each in error.errors(include_url=False, include_input=False)
    ]


def fault(error: ErrorDetails) -> str:
    """What is wrong with one field, in words that follow "it"."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "too_short":
            return f"should have at least {_items(error['ctx']['min_length'])}"
        case "too_long":
            return f"should have at most {_items(error['ctx']['max_length'])}"
        case "model_type":
            return "should be an object"
        case "extra_forbidden":
            return "is not a known field: remove it"
        case _:
            return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def refusal(error: Exception) -> Refused:
    """What a caller is told of a failure. What isn't theirs is logged, and its text told to nobody."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Transient | Contended):
        log.warning("answered 503: %r", error)
        wait = max(5, ceil(error.wait)) if isinstance(error, Throttled) else 2
        return Refused(503, "unavailable", "Please try again in a moment.", headers={"Retry-After": str(wait)})
    if isinstance(error, InvalidToken):
        return unauthenticated(sentence(error), 'Bearer error="invalid_token"')
    log.error("the request failed", exc_info=error)
    return Refused(500, "internal", "Something went wrong on our side.")


def problem(refused: Refused) -> dict[str, Any]:
    """The body that tells of it."""
    told: dict[str, Any] = {
        "type": PROBLEM_TYPES + refused.type,
        "title": refused.title,
        "status": refused.status,
    }
    if refused.detail:
        told["detail"] = refused.detail
    if refused.errors:
        told["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in refused.errors]
    return told | (encode(refused.extension) or {})
