"""How each fault looks through the SDK, and that the effect came, or didn't, as it was told."""

import pytest
import stripe
from stripe import PaymentIntentService

from tests.local.payment_provider.running import Running, asked
from tests.processes import until

FAULTS = [
    ("reset", None, stripe.APIConnectionError),
    ("hang", None, stripe.APIConnectionError),
    ("cut", None, stripe.APIConnectionError),
    ("status", 500, stripe.APIError),
    ("status", 429, stripe.RateLimitError),
    ("html502", None, stripe.APIError),
    ("empty200", None, stripe.APIError),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "status", "error"), FAULTS)
async def test_an_answer_that_fails_says_nothing_about_the_effect(
    provider: Running, kind: str, status: int | None, error: type[stripe.StripeError], when: str
) -> None:
    intents = provider.client(timeout=0.5 if kind == "hang" else 10).v1.payment_intents
    intent = await intents.create_async(asked())
    await provider.inject(kind=kind, when=when, operation="confirm", **({"status": status} if status else {}))

    with pytest.raises(error) as caught:
        await intents.confirm_async(intent.id)

    assert type(caught.value) is error
    assert await provider.ledger_of(intent.id) == ([("hold", 1_999)] if when == "after" else [])


async def test_an_effect_can_come_long_after_the_connection_broke(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())
    await provider.inject(kind="late", seconds=1, operation="confirm")

    with pytest.raises(stripe.APIConnectionError):
        await intents.confirm_async(intent.id)

    async def held() -> bool:
        return await provider.ledger_of(intent.id) == [("hold", 1_999)]

    await until(held)


async def test_a_late_effect_finds_the_intent_as_it_is_by_then(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())
    await provider.inject(kind="late", seconds=1, operation="confirm")
    with pytest.raises(stripe.APIConnectionError):
        await intents.confirm_async(intent.id, {}, {"idempotency_key": "too late"})
    await intents.cancel_async(intent.id)

    async def acted() -> bool:
        with pytest.raises(stripe.StripeError) as caught:
            await intents.confirm_async(intent.id, {}, {"idempotency_key": "too late"})
        return caught.value.http_status == 400

    await until(acted)
    assert (await intents.retrieve_async(intent.id)).status == "canceled"
    assert await provider.ledger_of(intent.id) == []


async def test_requests_are_counted_by_operation(provider: Running, intents: PaymentIntentService) -> None:
    before = (await provider.control.get("/_stats")).json()["byOperation"]

    intent = await intents.create_async(asked())
    await intents.confirm_async(intent.id)
    await intents.capture_async(intent.id)
    await intents.retrieve_async(intent.id)

    after = (await provider.control.get("/_stats")).json()["byOperation"]
    grown = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert grown == {"create": 1, "confirm": 1, "capture": 1, "retrieve": 1}


async def test_a_refusal_can_have_any_code_of_stripes(provider: Running, intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked())
    for status, code, error in [
        (402, "do_not_honor", stripe.CardError),
        (402, "processing_error", stripe.CardError),
        (400, "lock_timeout", stripe.InvalidRequestError),
    ]:
        await provider.inject(kind="status", status=status, code=code, operation="confirm")
        with pytest.raises(stripe.StripeError) as caught:
            await intents.confirm_async(intent.id)
        assert isinstance(caught.value, error)
        assert caught.value.error is not None
        assert code in (caught.value.code, caught.value.error.decline_code)
    assert (await intents.retrieve_async(intent.id)).status == "requires_confirmation"
