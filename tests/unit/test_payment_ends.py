"""How a payment can end badly, and what the customer, the warehouse and the shop's people hear of it."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from services.payments.bootstrap import PaymentsSettings
from services.payments.domain import DeclineCode, Intent, IntentStatus, Refusal
from shared.errors import SettingsError
from simulation.provider import MemoryProvider
from simulation.world import ENVIRONMENT
from tests.unit.world import World


async def confirmed(world: World, method: str = "pm_card_visa") -> str:
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1), paymentMethod=method)
    await world.drain()
    return order


async def test_a_capture_that_is_refused_for_good_leaves_the_payment_due_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    order = await confirmed(world, "pm_captureRefused")
    await world.dispatched(order)
    await world.drain()

    assert (await world.order(order))["status"] == "payment_due"
    [payment] = world.documents("payments", "payment")
    assert (payment["state"], payment["providerCode"]) == ("not_captured", "generic_decline")
    [intent] = world.provider.intents.values()
    assert intent["status"] is IntentStatus.CANCELLED, "nothing may be taken any more"
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [line.partition(":")[0] for line in said] == ["payment_due"]
    assert order in said[0]


async def test_a_capture_that_wakes_after_another_was_refused_for_good_takes_nothing() -> None:
    class Provider(MemoryProvider):
        """The first capture freezes before it takes effect; the second is refused for good."""

        def __init__(self) -> None:
            super().__init__()
            self.captures = 0
            self.wake = asyncio.Event()
            self.frozen = asyncio.Event()

        async def capture(self, intent_id: str, amount: int) -> Intent:
            self.captures += 1
            if self.captures == 1:
                self.frozen.set()
                await self.wake.wait()
                return await super().capture(intent_id, amount)
            return Intent(intent_id, IntentStatus.HELD, refusal=Refusal(DeclineCode.CARD_DECLINED, "declined"))

    world = World(provider=Provider)
    provider: Any = world.provider
    order = await confirmed(world)
    await world.dispatched(order)
    commands = []
    for queue in ("orders", "payments"):
        while message := world.broker.receive(queue):
            if queue == "payments":
                commands.append(message)
            else:
                await world.deliver(queue, message)
    frozen = asyncio.ensure_future(world.deliver("payments", commands[0]))
    await provider.frozen.wait()
    await world.deliver("payments", commands[0])
    provider.wake.set()
    await frozen
    await world.drain()

    assert (await world.order(order))["status"] == "payment_due"
    assert [intent["status"] for intent in provider.intents.values()] == [IntentStatus.CANCELLED]


class RefusingProvider(MemoryProvider):
    """Refuses the capture for good, and finds at once, or at the cancellation, that another copy's has been made."""

    seen_at_once = True

    def __init__(self) -> None:
        super().__init__()
        self.cancellations = 0

    async def capture(self, intent_id: str, amount: int) -> Intent:
        captured = await super().capture(intent_id, amount)
        status = captured.status if self.seen_at_once else IntentStatus.HELD
        return Intent(intent_id, status, refusal=Refusal(DeclineCode.CARD_DECLINED, "generic_decline"))

    async def cancel(self, intent_id: str) -> Intent:
        self.cancellations += 1
        return await super().cancel(intent_id)


@pytest.mark.parametrize("seen_at_once", [True, False])
async def test_a_payment_that_another_copy_captured_is_not_cancelled_and_carries_no_refusal(
    seen_at_once: bool,
) -> None:
    world = World(provider=RefusingProvider)
    provider: Any = world.provider
    provider.seen_at_once = seen_at_once
    order = await confirmed(world)
    await world.dispatched(order)
    await world.drain()

    assert (await world.order(order))["status"] == "completed"
    [payment] = world.documents("payments", "payment")
    assert (payment["state"], payment["providerCode"]) == ("captured", None)
    assert provider.cancellations == (0 if seen_at_once else 1)


async def test_an_authorisation_that_is_gone_is_not_cancelled_once_more_and_says_why_it_was_refused() -> None:
    world = World(provider=RefusingProvider)
    provider: Any = world.provider
    order = await confirmed(world)
    provider.lapse()
    await world.dispatched(order)
    await world.drain()

    assert (await world.order(order))["status"] == "payment_due"
    [payment] = world.documents("payments", "payment")
    assert (payment["state"], payment["providerCode"]) == ("not_captured", "generic_decline")
    assert provider.cancellations == 0


@pytest.mark.parametrize(
    ("method", "code"), [("pm_card_visa_chargeDeclined", "card_declined"), ("pm_unknown", "unknown_payment_method")]
)
async def test_a_declined_order_says_why(method: str, code: str) -> None:
    world = World()
    order = await world.order(await confirmed(world, method))
    assert (order["status"], order["reason"], order["declineCode"]) == ("rejected", "payment_declined", code)
    [payment] = world.documents("payments", "payment")
    assert payment["declineCode"] == code
    assert payment["providerCode"]


async def test_goods_whose_payment_has_lapsed_leave_only_if_somebody_accepts_that() -> None:
    world = World()
    world.provider.authorised_until = world.system.now() + timedelta(days=5)
    order = await confirmed(world)
    shipment = (await world.call("get_shipment", route={"shipmentId": f"shp_{order}"})).body
    assert shipment["authorisedUntil"] == "2026-11-29T06:00:00.000000Z"
    await world.system.sleep(timedelta(days=5).total_seconds())

    refused = await world.dispatched(order)
    assert (refused.status, refused.body["type"]) == (409, "urn:orderflow:problem:payment-lapsed")
    assert "until 2026-11-29 06:00 UTC." in refused.body["detail"]
    assert "2026-11-29" in refused.body["detail"]
    assert "acceptPaymentRisk" in refused.body["detail"]

    note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    route = {"shipmentId": f"shp_{order}"}
    accepted = await world.call("dispatch_shipment", note | {"acceptPaymentRisk": True}, route=route)
    assert (accepted.status, accepted.body["status"]) == (200, "dispatched")
    assert (await world.dispatched(order)).status == 200, "the same again is fine, risk or not"


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("pk_test_1", "should be a secret or restricted key"),
        ("", "PAYMENT_PROVIDER_KEY"),
    ],
)
def test_a_key_that_can_be_none_stops_the_start(key: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        PaymentsSettings.read(ENVIRONMENT | {"PAYMENT_PROVIDER_KEY": key})
