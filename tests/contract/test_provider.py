"""What `services.payments.ports.Provider` promises, held against Stripe's adapter and the in-memory one; and what the
adapter makes of Stripe's failures."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from services.payments.adapters import StripeProvider
from services.payments.domain import IntentStatus, UnknownPaymentMethod
from services.payments.ports import Provider
from shared.errors import Throttled, Unavailable
from tests.contract.conftest import StandIns
from tests.unit.world import MemoryProvider

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


async def test_an_intent_holds_nothing_until_it_is_confirmed(provider: Provider) -> None:
    created = await provider.create("ord_1", 2250, "GBP", VISA)
    assert created.status is IntentStatus.UNCONFIRMED
    assert await provider.look(created.id) == created
    assert (await provider.confirm(created.id)).status is IntentStatus.HELD
    assert (await provider.look(created.id)).status is IntentStatus.HELD


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
    with pytest.raises(UnknownPaymentMethod):
        await provider.create("ord_1", 2250, "GBP", "pm_unknown")


async def test_a_card_that_needs_its_owner_says_so(stripe: StripeProvider) -> None:
    id = await intent(stripe, "pm_card_authenticationRequired")
    assert (await stripe.confirm(id)).status is IntentStatus.NEEDS_ACTION


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


async def test_a_wrong_key_is_unavailable_so_that_nothing_is_given_up_for_a_fault_of_ours(stand_ins: StandIns) -> None:
    provider = stand_ins.stripe(key="sk_test_wrong")
    with pytest.raises(Unavailable):
        await intent(provider)
    await provider.close()
