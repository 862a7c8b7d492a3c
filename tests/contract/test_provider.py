"""What `services.payments.ports.Provider` promises, held against Stripe's adapter and the in-memory one; and what the
adapter makes of Stripe's failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from random import uniform

import httpx
import pytest

from services.payments.adapters import StripeProvider
from services.payments.domain import DeclineCode, IntentStatus, Refusal, RefusedByProvider
from services.payments.ports import Provider
from shared.errors import Throttled, Unavailable
from simulation.provider import MemoryProvider
from tests.contract.conftest import StandIns

VISA = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"


@pytest.fixture(params=["memory", "stripe"])
def provider(request: pytest.FixtureRequest) -> Provider:
    if request.param == "memory":
        return MemoryProvider()
    stripe: StripeProvider = request.getfixturevalue("stripe")
    return stripe


@pytest.fixture
async def stripe(stand_ins: StandIns) -> AsyncIterator[StripeProvider]:
    provider = stand_ins.stripe()
    yield provider
    await provider.close()


async def fail(stand_ins: StandIns, fault: Mapping[str, object]) -> None:
    """Have the provider's next confirmation fail in this way."""
    async with httpx.AsyncClient(base_url=stand_ins.provider) as client:
        answer = await client.post("/_faults", json={**fault, "path": "confirm", "count": 1})
        answer.raise_for_status()


async def intent(provider: Provider, method: str = VISA) -> str:
    return (await provider.create("ord_1", 2250, "GBP", method)).id


async def test_calls_that_are_given_up_at_any_moment_cost_no_connection(stripe: StripeProvider) -> None:
    """As many as a few minutes' outage has: an HTTP client that loses a connection now and then has none left then."""
    id = await intent(stripe)
    given_up = 0

    async def give_up(seconds: float) -> None:
        nonlocal given_up
        try:
            async with asyncio.timeout(seconds):
                await stripe.look(id)
        except TimeoutError:
            given_up += 1

    while given_up < 5000:
        await asyncio.gather(*(give_up(uniform(0.0005, 0.01)) for _ in range(32)))

    assert (await stripe.look(id)).status is IntentStatus.UNCONFIRMED


async def test_an_intent_holds_nothing_until_it_is_confirmed(provider: Provider) -> None:
    created = await provider.create("ord_1", 2250, "GBP", VISA)
    assert created.status is IntentStatus.UNCONFIRMED
    assert await provider.look(created.id) == created
    assert (await provider.confirm(created.id)).status is IntentStatus.HELD
    held = await provider.look(created.id)
    assert (held.status, held.held, held.captured) == (IntentStatus.HELD, 2250, 0)


async def test_confirming_again_answers_with_what_stands(provider: Provider) -> None:
    id = await intent(provider)
    await provider.confirm(id)
    assert (await provider.confirm(id)).status is IntentStatus.HELD
    await provider.capture(id, 2250)
    assert (await provider.confirm(id)).status is IntentStatus.CAPTURED


async def test_a_declined_card_is_declined_and_stays_so_to_whoever_looks(provider: Provider) -> None:
    id = await intent(provider, DECLINED)
    assert (await provider.confirm(id)).status is IntentStatus.DECLINED
    assert (await provider.look(id)).status is IntentStatus.DECLINED


async def test_what_is_held_is_captured_once(provider: Provider) -> None:
    id = await intent(provider)
    await provider.confirm(id)
    assert (await provider.capture(id, 2250)).status is IntentStatus.CAPTURED
    assert (await provider.capture(id, 2250)).status is IntentStatus.CAPTURED
    captured = await provider.look(id)
    assert (captured.held, captured.captured) == (0, 2250)


async def test_what_was_created_in_a_time_is_listed_newest_first_with_its_order(provider: Provider) -> None:
    ids = [(await provider.create(f"ord_{number}", 2250, "GBP", VISA)).id for number in range(3)]
    await provider.confirm(ids[1])
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

    first = await provider.created(begin, end, None, 2)
    [last] = await provider.created(begin, end, ids[1], 1)

    listed = [*first, last]
    assert [(each.intent.id, each.order_id) for each in listed] == [(ids[n], f"ord_{n}") for n in (2, 1, 0)]
    assert [each.intent.held for each in listed] == [0, 2250, 0]
    assert listed[1].intent == await provider.look(ids[1])
    before = await provider.created(begin, last.created_at - timedelta(microseconds=1), None, 3)
    assert not {each.intent.id for each in before} & {*ids}
    assert await provider.created(listed[0].created_at + timedelta(microseconds=1), end, None, 3) == []


@pytest.mark.parametrize("method", [VISA, DECLINED])
async def test_cancelling_is_the_end_and_cancelling_again_is_success(provider: Provider, method: str) -> None:
    id = await intent(provider, method)
    await provider.confirm(id)
    assert (await provider.cancel(id)).status is IntentStatus.CANCELLED
    assert (await provider.cancel(id)).status is IntentStatus.CANCELLED
    assert (await provider.confirm(id)).status is IntentStatus.CANCELLED
    assert (await provider.capture(id, 2250)).status is IntentStatus.CANCELLED


async def test_an_intent_that_was_never_confirmed_can_be_cancelled(provider: Provider) -> None:
    assert (await provider.cancel(await intent(provider))).status is IntentStatus.CANCELLED


async def test_what_is_captured_can_not_be_cancelled_any_more(provider: Provider) -> None:
    id = await intent(provider)
    await provider.confirm(id)
    await provider.capture(id, 2250)
    assert (await provider.cancel(id)).status is IntentStatus.CAPTURED


async def test_a_method_that_the_provider_does_not_know_is_said_to_be_unknown(provider: Provider) -> None:
    with pytest.raises(RefusedByProvider) as refused:
        await provider.create("ord_1", 2250, "GBP", "pm_unknown")
    assert refused.value.refusal.code is DeclineCode.UNKNOWN_PAYMENT_METHOD


REFUSED_AT_CREATION = [
    ("pm_card_visa_used", 2250, "GBP", DeclineCode.PROVIDER_REFUSED, "no code"),
    (VISA, 29, "GBP", DeclineCode.PROVIDER_REFUSED, "amount_too_small"),
    (VISA, 2250, "XTS", DeclineCode.PROVIDER_REFUSED, "no code"),
    ("pm_unknown", 2250, "GBP", DeclineCode.UNKNOWN_PAYMENT_METHOD, "resource_missing"),
]


@pytest.mark.parametrize(("method", "amount", "currency", "code", "provider_code"), REFUSED_AT_CREATION)
async def test_what_makes_no_intent_is_refused_with_our_code_and_the_providers(
    stripe: StripeProvider, method: str, amount: int, currency: str, code: DeclineCode, provider_code: str
) -> None:
    with pytest.raises(RefusedByProvider) as refused:
        await stripe.create("ord_1", amount, currency, method)
    assert refused.value.refusal == Refusal(code, provider_code)


DECLINES = [
    (DECLINED, DeclineCode.CARD_DECLINED, "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", DeclineCode.INSUFFICIENT_FUNDS, "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", DeclineCode.CARD_DECLINED, "lost_card"),
    ("pm_card_chargeDeclinedExpiredCard", DeclineCode.EXPIRED_CARD, "expired_card"),
]


@pytest.mark.parametrize(("method", "code", "provider_code"), DECLINES)
async def test_a_decline_says_why_also_to_whoever_looks_later(
    stripe: StripeProvider, method: str, code: DeclineCode, provider_code: str
) -> None:
    id = await intent(stripe, method)
    confirmed = await stripe.confirm(id)
    assert confirmed.status is IntentStatus.DECLINED
    assert confirmed.refusal == (await stripe.look(id)).refusal == Refusal(code, provider_code)


@pytest.mark.parametrize(
    ("method", "provider_code"),
    [
        ("pm_card_visa_captureDeclined", "generic_decline"),
        ("pm_card_visa_captureExpired", "charge_expired_for_capture"),
    ],
)
async def test_a_capture_that_is_refused_for_good_says_so_and_what_is_held_can_be_let_go(
    stripe: StripeProvider, method: str, provider_code: str
) -> None:
    id = await intent(stripe, method)
    assert (await stripe.confirm(id)).status is IntentStatus.HELD
    captured = await stripe.capture(id, 2250)
    assert captured.refusal
    assert captured.refusal.provider_code == provider_code
    assert captured.status is IntentStatus.HELD
    assert (await stripe.cancel(id)).status is IntentStatus.CANCELLED


async def test_what_is_held_says_until_when(stripe: StripeProvider) -> None:
    id = await intent(stripe)
    assert (await stripe.look(id)).authorised_until is None
    until = (await stripe.confirm(id)).authorised_until
    assert until
    assert timedelta(days=6) < until - datetime.now(UTC) < timedelta(days=8)
    assert (await stripe.look(id)).authorised_until == until


async def test_a_card_that_needs_its_owner_says_so(stripe: StripeProvider) -> None:
    id = await intent(stripe, "pm_card_authenticationRequired")
    confirmed = await stripe.confirm(id)
    assert confirmed.status is IntentStatus.NEEDS_ACTION
    assert confirmed.refusal == Refusal(DeclineCode.AUTHENTICATION_REQUIRED, "requires_action")


UNCLEAR = [
    {"kind": "reset", "when": "before"},
    {"kind": "reset", "when": "after"},
    {"kind": "cut", "when": "after"},
    {"kind": "hang", "when": "after", "seconds": 5},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "when": "after"},
    {"kind": "html502"},
    {"kind": "empty200"},
]


@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: f"{fault['kind']} {fault.get('when', '')}")
async def test_an_unclear_answer_is_unavailable_and_a_later_look_tells(
    stand_ins: StandIns, stripe: StripeProvider, fault: Mapping[str, object]
) -> None:
    id = await intent(stripe)
    await fail(stand_ins, fault)

    with pytest.raises(Unavailable):
        await stripe.confirm(id)

    looked = await stripe.look(id)
    assert looked.status in (IntentStatus.HELD, IntentStatus.UNCONFIRMED)
    assert (await stripe.confirm(id)).status is IntentStatus.HELD


async def test_a_limit_of_the_provider_is_throttled(stand_ins: StandIns, stripe: StripeProvider) -> None:
    id = await intent(stripe)
    await fail(stand_ins, {"kind": "status", "status": 429})
    with pytest.raises(Throttled):
        await stripe.confirm(id)


async def test_a_wrong_key_is_unavailable_so_that_nothing_is_given_up_for_a_fault_of_ours_and_says_what_to_do(
    stand_ins: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    provider = stand_ins.stripe(key="sk_test_wrong")
    with pytest.raises(Unavailable):
        await intent(provider)
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith("payment_provider_key_rejected: ")
    assert "PAYMENT_PROVIDER_KEY" in said
    await provider.close()


async def test_an_intent_of_another_account_is_unavailable_and_ends_nothing(
    stripe: StripeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    for call in (stripe.look("pi_nobody"), stripe.confirm("pi_nobody"), stripe.capture("pi_nobody", 1)):
        with pytest.raises(Unavailable):
            await call
    assert "payment_provider_key_rejected: " in caplog.text
