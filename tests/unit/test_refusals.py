"""What an error of Stripe means, where the stand-in has no such answer."""

import logging
from typing import Any

import pytest
import stripe

from services.payments.domain import DeclineCode, Refusal, RefusedByProvider
from services.payments.refusals import RefusedForNow, meaning
from shared.errors import Throttled, Unavailable


def stripes(status: int, **said: Any) -> stripe.StripeError:
    """An error in Stripe's own form."""
    return stripe.APIError("said", None, status, {"error": said})


MODES = [
    "No such PaymentMethod: 'pm_1'; a similar object exists in live mode, but a test mode key was used to make this "
    "request.",
    "No such PaymentMethod: 'pm_1'; a similar object exists in test mode, but a live mode key was used to make this "
    "request.",
    "No such payment_intent: 'pi_1'; a similar object exists in test mode, but a live mode key was used to make this "
    "request.",
    "You cannot use the test ID 'pm_card_visa' in livemode. If you are testing your integration, please use your "
    "testmode API keys instead.",
]


@pytest.mark.parametrize("message", MODES)
def test_a_key_of_the_other_mode_is_said_and_ends_nothing(message: str, caplog: pytest.LogCaptureFixture) -> None:
    error = stripes(400, type="invalid_request_error", code="resource_missing", param="payment_method", message=message)

    assert type(meaning(error)) is Unavailable

    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith("payment_provider_key_rejected: ")
    assert "PAYMENT_PROVIDER_KEY to the key of the mode" in said


PROXIES: list[stripe.StripeError] = [
    # As the SDK reads HTML: the headers stand where the JSON should.
    *(
        stripe.APIError("Invalid response body", "<html>", status, {"server": "proxy"})
        for status in (400, 404, 405, 413)
    ),
    stripe.APIError("Invalid response object", '{"message": "no"}', 404, {"message": "no"}),
    stripe.APIError("Invalid response object", '{"error": "no"}', 404, {"error": "no"}),
]


@pytest.mark.parametrize("error", PROXIES)
def test_what_is_not_stripes_own_word_is_no_refusal(error: stripe.StripeError) -> None:
    assert type(meaning(error)) is Unavailable


def test_a_limit_is_throttled_whatever_its_status() -> None:
    assert isinstance(meaning(stripe.RateLimitError("said", None, 400, {"error": {"code": "rate_limit"}})), Throttled)


def test_a_key_of_idempotency_that_clashes_says_nothing_of_the_request() -> None:
    assert type(meaning(stripes(400, type="idempotency_error"))) is Unavailable


def test_what_stripe_advises_to_try_again_is_a_no_for_now() -> None:
    decline = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}

    assert isinstance(meaning(stripes(402, **decline, advice_code="try_again_later")), RefusedForNow)

    definite = meaning(stripes(402, **decline, advice_code="do_not_try_again"))
    assert isinstance(definite, RefusedByProvider)
    assert definite.refusal == Refusal(DeclineCode.INSUFFICIENT_FUNDS, "insufficient_funds")
