"""A copy of a handler that freezes, and wakes when another has run to its end: what chance seldom finds."""

import asyncio
from collections.abc import Awaitable, Callable

from services.payments.domain import Intent, IntentStatus
from services.payments.handlers import handle
from shared.contracts.payments import AuthorisePayment, PaymentDeclined, VoidPayment
from shared.messaging import type_name
from shared.ports import Document
from shared.retry import at_once
from tests.unit.world import MemoryProvider, World

FLAKY = AuthorisePayment("ord_1", 500, "GBP", "pm_flaky")
VISA = AuthorisePayment("ord_1", 500, "GBP", "pm_card_visa")


class FreezingProvider(MemoryProvider):
    """The first confirmation freezes before it takes effect, until it is told to wake."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = asyncio.Event()
        self.wake = asyncio.Event()

    async def confirm(self, intent_id: str) -> Intent:
        if not self.frozen.is_set():
            self.frozen.set()
            await self.wake.wait()
        return await super().confirm(intent_id)


async def play(command: AuthorisePayment, meanwhile: Callable[[World], Awaitable[None]]) -> World:
    """One copy stores its intent and freezes before confirming it; `meanwhile` happens; the copy wakes and ends."""
    world = World(provider=FreezingProvider)
    assert isinstance(world.provider, FreezingProvider)
    copy = asyncio.create_task(authorise(world, command))
    await world.provider.frozen.wait()
    await meanwhile(world)
    world.provider.wake.set()
    await copy
    return world


async def authorise(world: World, command: AuthorisePayment) -> None:
    await at_once(lambda: handle(command, world.payments), world.system)


def held(world: World) -> list[Document]:
    return [intent for intent in world.provider.intents.values() if intent["status"] is IntentStatus.HELD]


def state(world: World) -> str:
    [payment] = world.documents("payments", "payment")
    return str(payment["state"])


async def test_a_confirmation_that_wakes_after_the_decline_finds_the_intent_cancelled_and_holds_nothing() -> None:
    world = await play(FLAKY, lambda world: authorise(world, FLAKY))
    assert state(world) == "declined"
    assert held(world) == []


async def test_a_confirmation_that_wakes_after_the_void_finds_the_intent_cancelled_and_holds_nothing() -> None:
    world = await play(VISA, lambda world: handle(VoidPayment("ord_1"), world.payments))
    assert state(world) == "voided"
    assert held(world) == []


async def test_two_copies_hold_the_money_once() -> None:
    world = await play(VISA, lambda world: authorise(world, VISA))
    assert state(world) == "authorised"
    assert len(held(world)) == 1


async def test_a_decline_is_stored_as_decided_before_the_intent_is_cancelled() -> None:
    """Whoever dies in between leaves `declining`, which the next delivery finishes, rather than an intent that looks
    as if somebody else had cancelled it."""
    world = World()
    seen: list[str] = []

    async def look_first(intent_id: str) -> Intent:
        seen.append(state(world))
        return await MemoryProvider.cancel(world.provider, intent_id)

    world.provider.cancel = look_first  # type: ignore[method-assign]
    await authorise(world, AuthorisePayment("ord_1", 500, "GBP", "pm_card_visa_chargeDeclined"))
    assert seen == ["declining"]
    sent = [(wire.properties or {})["cloudEvents_type"] for _, wire in world.broker.sent]
    assert sent == [type_name(PaymentDeclined)]
