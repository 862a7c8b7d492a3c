"""What Stripe's refusals come to, at the creation, the confirmation and the capture of a payment; and for an order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.payments.adapters import StripeProvider
from services.payments.domain import DeclineCode, Intent, IntentStatus, Refusal, RefusedByProvider
from shared.errors import Throttled, Unavailable
from tests.contract.conftest import StandIns
from tests.unit.world import World

VISA = "pm_card_visa"


class Refuse:
    """Have the provider refuse an operation so many times, before it does anything."""

    def __init__(self, operator: httpx.AsyncClient) -> None:
        self._operator = operator

    async def __call__(self, operation: str, status: int, code: str | None = None, count: int = 1) -> None:
        fault = {"kind": "status", "operation": operation, "status": status, "count": count}
        answer = await self._operator.post("/_faults", json=fault | ({"code": code} if code else {}))
        answer.raise_for_status()

    async def no_more(self) -> None:
        """End it."""
        (await self._operator.delete("/_faults")).raise_for_status()


@pytest.fixture
async def stripe(stand_ins: StandIns) -> AsyncIterator[StripeProvider]:
    provider = stand_ins.stripe()
    yield provider
    await provider.close()


@pytest.fixture
async def refuse(stand_ins: StandIns) -> AsyncIterator[Refuse]:
    async with httpx.AsyncClient(base_url=stand_ins.provider, trust_env=False) as operator:
        refuse = Refuse(operator)
        yield refuse
        await refuse.no_more()


async def create(stripe: StripeProvider, method: str = VISA) -> Intent:
    return await stripe.create("ord_1", 2250, "GBP", method)


async def held(stripe: StripeProvider) -> str:
    intent = await create(stripe)
    assert (await stripe.confirm(intent.id)).status is IntentStatus.HELD
    return intent.id


DEFINITE = [
    (400, "payment_method_currency_mismatch", DeclineCode.PROVIDER_REFUSED),
    (402, "do_not_honor", DeclineCode.CARD_DECLINED),
    (402, "insufficient_funds", DeclineCode.INSUFFICIENT_FUNDS),
    (404, None, DeclineCode.PROVIDER_REFUSED),
    (405, None, DeclineCode.PROVIDER_REFUSED),
    (413, None, DeclineCode.PROVIDER_REFUSED),
    (422, None, DeclineCode.PROVIDER_REFUSED),
]


@pytest.mark.parametrize(("status", "code", "ours"), DEFINITE)
async def test_a_definite_no_is_one_at_every_step(
    stripe: StripeProvider, refuse: Refuse, status: int, code: str | None, ours: DeclineCode
) -> None:
    refusal = Refusal(ours, code or "no code")

    await refuse("create", status, code)
    with pytest.raises(RefusedByProvider) as refused:
        await create(stripe)
    assert refused.value.refusal == refusal

    intent = await create(stripe)
    await refuse("confirm", status, code)
    confirmed = await stripe.confirm(intent.id)
    assert (confirmed.status, confirmed.refusal) == (IntentStatus.DECLINED, refusal)

    id = await held(stripe)
    await refuse("capture", status, code)
    captured = await stripe.capture(id, 2250)
    assert (captured.status, captured.refusal) == (IntentStatus.HELD, refusal)


FOR_NOW = [
    (402, "approve_with_id"),
    (402, "issuer_not_available"),
    (402, "processing_error"),
    (402, "reenter_transaction"),
    (402, "try_again_later"),
    (400, "lock_timeout"),
    (400, "payment_method_provider_timeout"),
    (400, "payment_intent_unexpected_state"),
]


@pytest.mark.parametrize(("status", "code"), FOR_NOW)
async def test_a_no_for_now_leaves_open_what_the_intent_leaves_open(
    stripe: StripeProvider, refuse: Refuse, status: int, code: str
) -> None:
    await refuse("create", status, code)
    with pytest.raises(Unavailable):
        await create(stripe)

    intent = await create(stripe)
    await refuse("confirm", status, code)
    assert (await stripe.confirm(intent.id)).status is IntentStatus.UNCONFIRMED

    assert (await stripe.confirm(intent.id)).status is IntentStatus.HELD
    await refuse("capture", status, code)
    captured = await stripe.capture(intent.id, 2250)
    assert (captured.status, captured.refusal) == (IntentStatus.HELD, None)

    await refuse("cancel", status, code)
    assert (await stripe.cancel(intent.id)).status is IntentStatus.HELD
    assert (await stripe.capture(intent.id, 2250)).status is IntentStatus.CAPTURED


async def test_a_card_that_stripe_could_not_process_has_been_declined_once_it_is_off_the_intent(
    stripe: StripeProvider,
) -> None:
    intent = await create(stripe, "pm_card_chargeDeclinedProcessingError")
    confirmed = await stripe.confirm(intent.id)
    assert confirmed.status is IntentStatus.DECLINED
    assert confirmed.refusal == Refusal(DeclineCode.CARD_DECLINED, "processing_error")


def calls(stripe: StripeProvider, held: str) -> dict[str, Callable[[], Awaitable[Intent]]]:
    """Every operation, on an intent that holds money."""
    return {
        "create": lambda: create(stripe),
        "retrieve": lambda: stripe.look(held),
        "confirm": lambda: stripe.confirm(held),
        "capture": lambda: stripe.capture(held, 2250),
        "cancel": lambda: stripe.cancel(held),
    }


@pytest.mark.parametrize("status", [408, 409, 424, 425, 429, 500, 502, 503, 504])
async def test_what_says_nothing_of_the_request_is_unclear_at_every_step(
    stripe: StripeProvider, refuse: Refuse, status: int
) -> None:
    id = await held(stripe)
    for operation, call in calls(stripe, id).items():
        await refuse(operation, status)
        with pytest.raises(Throttled if status == 429 else Unavailable):
            await call()
    assert (await stripe.look(id)).status is IntentStatus.HELD


KEY_FAULTS = [
    (401, None),
    (403, None),
    (400, "api_key_expired"),
    (400, "livemode_mismatch"),
    (400, "secret_key_required"),
    (400, "testmode_charges_only"),
]


@pytest.mark.parametrize(("status", "code"), KEY_FAULTS)
async def test_a_key_that_is_no_good_here_is_said_with_what_to_do_and_ends_nothing(
    stripe: StripeProvider, refuse: Refuse, caplog: pytest.LogCaptureFixture, status: int, code: str | None
) -> None:
    id = await held(stripe)
    for operation, call in calls(stripe, id).items():
        caplog.clear()
        await refuse(operation, status, code)
        with pytest.raises(Unavailable, match="key"):
            await call()
        [said] = events(caplog)
        assert said.startswith("payment_provider_key_rejected: ")
        assert "PAYMENT_PROVIDER_KEY" in said
    assert (await stripe.look(id)).status is IntentStatus.HELD


async def test_an_intent_that_is_not_shown_is_unclear_and_the_key_is_not_blamed(
    stripe: StripeProvider, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    id = await held(stripe)
    await refuse("retrieve", 405)
    with pytest.raises(Unavailable):
        await stripe.look(id)
    assert events(caplog) == []


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def test_a_method_of_the_other_mode_is_a_fault_of_the_key(
    stripe: StripeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable, match="key"):
        await create(stripe, "pm_card_visa_otherMode")
    [said] = events(caplog)
    assert "test mode" in said
    assert "PAYMENT_PROVIDER_KEY" in said


async def test_a_methods_name_that_claims_to_be_of_the_other_mode_is_unknown(stripe: StripeProvider) -> None:
    forged = "x'; a similar object exists in live mode, but a test mode key was used to make this request."
    with pytest.raises(RefusedByProvider) as refused:
        await create(stripe, forged)
    assert refused.value.refusal.code is DeclineCode.UNKNOWN_PAYMENT_METHOD


@pytest.fixture
async def shop(stripe: StripeProvider) -> World:
    """The whole application in memory, but for the provider's adapter and its stand-in."""
    provider: Any = stripe
    world = World(provider=lambda: provider)
    await world.stocked(MUG=5)
    return world


def payment(world: World) -> Any:
    [document] = world.documents("payments", "payment")
    return document


async def test_a_live_shop_with_a_test_key_ends_no_order_and_sells_once_the_key_is_right(
    shop: World, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    await refuse("create", 400, "livemode_mismatch", count=3)
    order = await shop.placed(("MUG", 1))
    await shop.drain()

    assert (await shop.order(order))["status"] == "pending"
    assert shop.documents("payments", "payment") == []
    assert "payment_provider_key_rejected: " in caplog.text

    await shop.drain(timedelta(minutes=5))
    assert (await shop.order(order))["status"] == "confirmed"


async def test_an_order_whose_method_is_of_the_other_mode_is_not_declined(shop: World) -> None:
    order = await shop.placed(("MUG", 1), paymentMethod="pm_card_visa_otherMode")
    await shop.drain(timedelta(minutes=5))
    assert (await shop.order(order))["status"] == "pending"
    assert shop.documents("payments", "payment") == []


async def test_a_capture_that_is_refused_for_now_keeps_the_hold_and_is_made_later(shop: World, refuse: Refuse) -> None:
    order = await shop.placed(("MUG", 1))
    await shop.drain()
    await refuse("capture", 402, "processing_error", count=3)
    await shop.dispatched(order)
    await shop.drain()
    assert payment(shop)["state"] == "authorised"

    await shop.drain(timedelta(minutes=5))

    assert (await shop.order(order))["status"] == "completed"
    assert (payment(shop)["state"], payment(shop)["providerCode"]) == ("captured", None)


async def test_a_cancellation_that_is_refused_for_now_is_made_later_and_nobody_is_bothered(
    shop: World, refuse: Refuse
) -> None:
    order = await shop.placed(("MUG", 1))
    await shop.drain()
    await refuse("cancel", 400, "lock_timeout", count=500)
    await shop.call("cancel_order", route={"orderId": order})
    for minute in range(120):
        if minute == 30:
            await refuse.no_more()
        await shop.drain(timedelta(minutes=1))
        await shop.system.sleep(60)
        await shop.sweep()
    await shop.drain()

    assert (await shop.order(order))["status"] == "cancelled"
    assert shop.documents("payments", "parked") == []


async def test_a_confirmation_that_is_refused_as_an_invalid_request_declines_the_order(
    shop: World, refuse: Refuse
) -> None:
    await refuse("confirm", 400, "payment_method_currency_mismatch")
    order = await shop.placed(("MUG", 1))
    await shop.drain()

    answer = await shop.order(order)
    assert (answer["status"], answer["reason"]) == ("rejected", "payment_declined")
    assert answer["declineCode"] == "provider_refused"
    assert (payment(shop)["state"], payment(shop)["providerCode"]) == ("declined", "payment_method_currency_mismatch")
    assert (await shop.provider.look(payment(shop)["intentId"])).status is IntentStatus.CANCELLED


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_confirmation_that_freezes_and_wakes_after_the_order_was_voided_changes_nothing(
    stand_ins: StandIns, effect: str
) -> None:
    frozen, wake = asyncio.Event(), asyncio.Event()

    class Freezing(StripeProvider):
        """Its confirmations freeze before they take effect, or after, until they are told to wake."""

        async def confirm(self, intent_id: str) -> Intent:
            intent = await super().confirm(intent_id) if effect == "after" else None
            frozen.set()
            await wake.wait()
            return intent or await super().confirm(intent_id)

    provider: Any = Freezing(stand_ins.provider, "sk_test_local_tests", timedelta(seconds=2))
    shop = World(provider=lambda: provider)
    await shop.stocked(MUG=5)
    order = await shop.placed(("MUG", 1))
    copy = asyncio.create_task(shop.drain())
    async with asyncio.timeout(10):
        await frozen.wait()
    await shop.call("cancel_order", route={"orderId": order})
    await shop.drain()
    assert (await shop.order(order))["status"] == "cancelled"
    voided = payment(shop)

    wake.set()
    await copy
    await shop.drain(timedelta(minutes=5))

    assert (await shop.order(order))["status"] == "cancelled"
    assert payment(shop) == voided
    assert (voided["state"], voided["declineCode"]) == ("voided", None)
    assert (await provider.look(voided["intentId"])).status is IntentStatus.CANCELLED
    assert shop.documents("payments", "parked") == []
    await provider.close()
