"""A copy of a handler that freezes, and wakes when another has run to its end: what chance seldom finds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from services.inventory import handlers as inventory
from services.payments.domain import Intent, IntentStatus
from services.payments.handlers import handle
from services.shipping import handlers as shipping
from shared.adapters.memory import MemoryContainer
from shared.contracts import Line
from shared.contracts.inventory import ReleaseStock, ReserveStock
from shared.contracts.payments import AuthorisePayment, PaymentDeclined, VoidPayment
from shared.contracts.shipping import Address, CancelShipment, CreateShipment
from shared.errors import Postponed
from shared.messaging import type_name
from shared.ports import Document, Operation
from shared.retry import at_once
from simulation.provider import MemoryProvider
from tests.unit.world import World

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


class FreezingContainer(MemoryContainer):
    """Once armed, the next write but those that pass freezes before it takes effect, until it is told to wake."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.passes = 0
        self.frozen = asyncio.Event()
        self.wake = asyncio.Event()

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        if self.armed and self.passes:
            self.passes -= 1
        elif self.armed:
            self.armed = False
            self.frozen.set()
            await self.wake.wait()
        return await super().write(pk, operations)


async def freeze(
    context: str,
    world: World,
    copy: Callable[[World], Awaitable[None]],
    meanwhile: Callable[[World], Awaitable[None]],
    after: int = 0,
) -> None:
    """The copy freezes before its write, or after so many of them; `meanwhile` happens; the copy wakes and ends."""
    container = world.containers[context]
    assert isinstance(container, FreezingContainer)
    container.passes, container.armed = after, True
    frozen = asyncio.ensure_future(copy(world))
    async with asyncio.timeout(10):
        await container.frozen.wait()
    await meanwhile(world)
    container.wake.set()
    await frozen


async def play_shipping(
    copy: Callable[[World], Awaitable[None]], meanwhile: Callable[[World], Awaitable[None]], *, created: bool = True
) -> str:
    """One copy freezes before its write; `meanwhile` happens; the copy wakes and ends: the shipment's state."""
    world = World(container=FreezingContainer)
    if created:
        await ship(CREATE)(world)
    await freeze("shipping", world, copy, meanwhile)
    [shipment] = world.documents("shipping", "shipment")
    return str(shipment["state"])


CREATE = CreateShipment("ord_1", (Line("MUG", 1),), Address("Ada Lovelace", "12 St James's Square", "London", "GB"))
CANCEL = CancelShipment("ord_1")


def ship(command: CreateShipment | CancelShipment) -> Callable[[World], Awaitable[None]]:
    return lambda world: at_once(lambda: shipping.handle(command, world.shipping), world.system)


def dispatch(status: int) -> Callable[[World], Awaitable[None]]:
    async def dispatched(world: World) -> None:
        assert (await world.dispatched("ord_1")).status == status

    return dispatched


async def test_a_dispatch_that_wakes_after_the_cancellation_is_refused() -> None:
    assert await play_shipping(dispatch(409), ship(CANCEL)) == "cancelled"


async def test_a_cancellation_that_wakes_after_the_dispatch_changes_nothing() -> None:
    assert await play_shipping(ship(CANCEL), dispatch(200)) == "dispatched"


async def test_a_creation_that_wakes_after_the_cancellation_finds_its_tombstone() -> None:
    assert await play_shipping(ship(CREATE), ship(CANCEL), created=False) == "cancelled"


LINES = (Line("MUG", 2), Line("TRAY", 1))
RESERVE, RELEASE = ReserveStock("ord_1", LINES), ReleaseStock("ord_1", LINES)


def stock_does(*commands: ReserveStock | ReleaseStock) -> Callable[[World], Awaitable[None]]:
    """One after the other, as the dispatcher handles them; what is postponed stays so."""

    async def handled(world: World) -> None:
        for command in commands:
            with suppress(Postponed):
                await at_once(lambda command=command: inventory.handle(command, world.inventory), world.system)  # type: ignore[misc]

    return handled


async def a_stocked_world(**stock: int) -> World:
    world = World(container=FreezingContainer)
    await world.stocked(**stock)
    return world


def left(world: World) -> dict[str, tuple[int, int]]:
    return {each["sku"]: (each["onHand"], each["available"]) for each in world.documents("inventory", "stock")}


def decided(world: World, order_id: str = "ord_1") -> str:
    [decision] = [each for each in world.documents("inventory", "decision") if each["orderId"] == order_id]
    return str(decision["state"])


@pytest.mark.parametrize("written", range(3))
async def test_a_take_that_wakes_after_the_release_finds_its_tombstone(written: int) -> None:
    """Before its first take, between the two, and before it decides."""
    world = await a_stocked_world(MUG=9, TRAY=9)
    await freeze("inventory", world, stock_does(RESERVE), stock_does(RELEASE), after=written)
    assert (decided(world), left(world)) == ("released", {"MUG": (9, 9), "TRAY": (9, 9)})


@pytest.mark.parametrize("written", range(3))
async def test_a_give_back_that_wakes_after_a_second_ones_gives_back_once(written: int) -> None:
    world = await a_stocked_world(MUG=9, TRAY=9)
    await stock_does(RESERVE)(world)
    await freeze("inventory", world, stock_does(RELEASE), stock_does(RELEASE), after=written)
    assert (decided(world), left(world)) == ("released", {"MUG": (9, 9), "TRAY": (9, 9)})


@pytest.mark.parametrize("written", range(2))
async def test_a_take_that_wakes_after_the_rejection_takes_nothing(written: int) -> None:
    """A second copy of the command had waited long enough for the tray, which another order gave back right after."""
    world = await a_stocked_world(MUG=9, TRAY=1)
    other = (Line("TRAY", 1),)
    await stock_does(ReserveStock("ord_2", other))(world)
    last_try = replace(RESERVE, short_since=world.system.now() - timedelta(minutes=1))
    meanwhile = stock_does(last_try, ReleaseStock("ord_2", other))
    await freeze("inventory", world, stock_does(RESERVE), meanwhile, after=written)
    assert (decided(world), left(world)) == ("rejected", {"MUG": (9, 9), "TRAY": (1, 1)})
