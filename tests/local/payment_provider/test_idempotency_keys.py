"""What is kept under an idempotency key, and what a replay of it hides."""

import pytest
import stripe
from stripe import PaymentIntentService

from tests.local.payment_provider.running import Running, asked
from tests.processes import until


async def test_the_same_key_gives_the_same_intent(provider: Running, intents: PaymentIntentService) -> None:
    first = await intents.create_async(asked(), {"idempotency_key": "same"})
    again = await intents.create_async(asked(), {"idempotency_key": "same"})

    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert (await provider.control.get("/_stats")).json()["replays"] >= 1


async def test_another_key_gives_another_intent(intents: PaymentIntentService) -> None:
    first = await intents.create_async(asked(), {"idempotency_key": "one"})
    other = await intents.create_async(asked(), {"idempotency_key": "two"})

    assert other.id != first.id


async def test_the_same_key_with_other_parameters_is_refused(intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked(), {"idempotency_key": "narrow"})

    with pytest.raises(stripe.IdempotencyError):
        await intents.create_async(asked(amount=2_000), {"idempotency_key": "narrow"})
    with pytest.raises(stripe.IdempotencyError):
        await intents.confirm_async(intent.id, {}, {"idempotency_key": "narrow"})


async def test_a_replay_gives_the_old_answer_while_the_intent_has_moved_on(intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked())
    await intents.confirm_async(intent.id, {}, {"idempotency_key": "confirm once"})
    await intents.cancel_async(intent.id)

    replayed = await intents.confirm_async(intent.id, {}, {"idempotency_key": "confirm once"})

    assert replayed.status == "requires_capture"
    assert (await intents.retrieve_async(intent.id)).status == "canceled"


async def test_a_decline_is_replayed_too(provider: Running, intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked(payment_method="pm_card_visa_chargeDeclined"))
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await intents.confirm_async(intent.id, {}, {"idempotency_key": "declined"})
    await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})

    with pytest.raises(stripe.CardError):
        await intents.confirm_async(intent.id, {}, {"idempotency_key": "declined"})

    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]


async def test_a_wrong_state_is_replayed_too(intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked())
    with pytest.raises(stripe.InvalidRequestError):
        await intents.capture_async(intent.id, {}, {"idempotency_key": "early"})
    await intents.confirm_async(intent.id)

    with pytest.raises(stripe.InvalidRequestError):
        await intents.capture_async(intent.id, {}, {"idempotency_key": "early"})

    assert (await intents.capture_async(intent.id)).status == "succeeded"


async def test_what_was_refused_before_anything_began_leaves_the_key_free(intents: PaymentIntentService) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await intents.create_async(asked(amount=1), {"idempotency_key": "free"})

    assert (await intents.create_async(asked(), {"idempotency_key": "free"})).amount == 1_999


@pytest.mark.parametrize(("when", "movements"), [("before", []), ("after", [("hold", 1_999)])])
async def test_a_failure_can_be_kept_whether_or_not_the_money_moved(
    provider: Running, intents: PaymentIntentService, when: str, movements: list[tuple[str, int]]
) -> None:
    intent = await intents.create_async(asked())
    await provider.inject(kind="stored500", when=when, operation="confirm")

    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            await intents.confirm_async(intent.id, {}, {"idempotency_key": f"fails {when}"})
        assert caught.value.http_status == 500

    assert await provider.ledger_of(intent.id) == movements
    found = (await intents.retrieve_async(intent.id)).status
    assert found == ("requires_capture" if movements else "requires_confirmation")


async def test_a_key_that_is_in_use_is_a_conflict_until_the_effect_has_come(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())
    await provider.inject(kind="late", seconds=1, operation="confirm")
    options: stripe.RequestOptions = {"idempotency_key": "late"}

    with pytest.raises(stripe.APIConnectionError):
        await intents.confirm_async(intent.id, {}, options)

    with pytest.raises(stripe.APIError) as caught:
        await intents.confirm_async(intent.id, {}, options)
    assert caught.value.http_status == 409

    async def held() -> bool:
        return (await intents.retrieve_async(intent.id)).status == "requires_capture"

    await until(held)
    assert (await intents.confirm_async(intent.id, {}, options)).status == "requires_capture"
    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]


async def test_the_sdks_own_retries_neither_miss_nor_repeat_the_effect(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())
    await provider.inject(kind="reset", when="after", operation="confirm")

    held = await intents.confirm_async(intent.id, {}, {"max_network_retries": 2})

    assert held.status == "requires_capture"
    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]
