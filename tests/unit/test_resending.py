"""Waiting is never silent, and one order never holds up another."""

import logging
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.orders import resending
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Throttled, Unavailable
from simulation.world import ENVIRONMENT
from tests.unit.world import World

HOUR = timedelta(hours=1)


class Slow(MemoryContainer):
    """Reads of orders take their time once it is slow; those of some orders fail, at once or by hanging."""

    seconds = 0.0
    throttled: frozenset[str] = frozenset()
    hanging: frozenset[str] = frozenset()
    clock: Any = None

    async def read(self, pk: str, id: str) -> Any:
        if pk in self.throttled:
            raise Throttled("429")
        if pk in self.hanging:
            await self.clock.sleep(5)
            raise Unavailable("no answer in time")
        if self.seconds and pk == id:
            await self.clock.sleep(self.seconds)
        return await super().read(pk, id)


class Away(MemoryBroker):
    """A broker that may be away."""

    away = False

    async def send(self, destination: str, messages: Any, at: Any = None) -> None:
        if self.away:
            raise Unavailable("away")
        await super().send(destination, messages, at)


async def placed(world: World, orders: int) -> list[str]:
    """So many orders whose commands nobody handles, a minute and more ago."""
    await world.stocked(MUG=1000)
    ids = [await world.placed(("MUG", 1)) for _ in range(orders)]
    await world.system.sleep(61)
    return ids


def reservations(world: World) -> Counter[str]:
    """How often ReserveStock was sent for each order."""
    return Counter(wire.correlation_id for destination, wire in world.broker.sent if destination == "inventory")


async def test_one_order_that_is_throttled_holds_up_no_other() -> None:
    world = World(container=Slow)
    first, *others = await placed(world, 6)
    world.containers["orders"].throttled = frozenset({first})  # type: ignore[attr-defined]

    await world.functions["orders_sweep"](None)

    assert reservations(world) == Counter(dict.fromkeys(others, 2)) + Counter({first: 1})


async def test_every_due_order_is_sent_again_once_a_run_however_long_that_takes() -> None:
    world = World(container=Slow, environment=ENVIRONMENT | {"ORDERS_RESEND_RUN_SECONDS": "600"})
    orders = await placed(world, 100)
    container: Any = world.containers["orders"]
    container.clock, container.seconds = world.system, 3

    await world.functions["orders_sweep"](None)

    assert reservations(world) == Counter(dict.fromkeys(orders, 2))


async def test_a_run_goes_through_every_page_of_due_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "PAGE", 20)
    world = World()
    orders = await placed(world, 50)

    await world.functions["orders_sweep"](None)

    assert reservations(world) == Counter(dict.fromkeys(orders, 2))


async def test_a_run_ends_with_its_time_and_the_next_one_does_the_rest() -> None:
    world = World(container=Slow)
    orders = await placed(world, 100)
    container: Any = world.containers["orders"]
    container.clock, container.seconds = world.system, 1

    await world.functions["orders_sweep"](None)
    assert 16 <= sum(times - 1 for times in reservations(world).values()) <= 64

    container.seconds = 0
    await world.functions["orders_sweep"](None)
    assert reservations(world).keys() == set(orders)
    assert set(reservations(world).values()) == {2}


async def test_orders_whose_partition_hangs_starve_none_behind_them() -> None:
    world = World(container=Slow)
    orders = await placed(world, 36)
    healthy = [await world.placed(("MUG", 1)) for _ in range(4)]
    await world.system.sleep(61)
    container: Any = world.containers["orders"]
    container.clock, container.hanging = world.system, frozenset(orders)

    for _ in range(3):
        await world.functions["orders_sweep"](None)
    assert reservations(world) == Counter(orders) + Counter(healthy * 2)

    container.hanging = frozenset()
    await world.functions["orders_sweep"](None)
    assert reservations(world) == Counter([*orders, *healthy] * 2)


async def test_a_command_that_is_still_in_the_outbox_is_not_sent_again() -> None:
    world = World(broker=Away)
    assert isinstance(world.broker, Away)
    await world.stocked(MUG=10)
    world.broker.away = True
    order = await world.placed(("MUG", 1))
    for _ in range(10):
        await world.system.sleep(60)
        with pytest.raises(Unavailable):
            await world.functions["orders_sweep"](None)
    world.broker.away = False

    await world.functions["orders_sweep"](None)

    assert reservations(world) == {order: 1}


async def test_a_lost_command_is_sent_again_though_another_of_its_order_is_still_in_the_outbox() -> None:
    class PaymentsAway(MemoryBroker):
        async def send(self, destination: str, messages: Any, at: Any = None) -> None:
            if destination == "payments" and [m for m in messages if b"paymentMethod" not in m.body]:
                raise Unavailable("away")
            await super().send(destination, messages, at)

    world = World(broker=PaymentsAway)
    await world.stocked(MUG=10)
    order = await world.placed(("MUG", 1))
    await world.deliver("inventory", received(world, "inventory"))
    await world.deliver("orders", received(world, "orders"))
    await world.call("cancel_order", route={"orderId": order})
    received(world, "inventory")  # ReleaseStock, lost
    await world.system.sleep(61)

    with pytest.raises(Unavailable):
        await world.functions["orders_sweep"](None)

    assert b'"lines"' in received(world, "inventory").body


async def test_after_an_outage_an_order_that_was_given_up_takes_no_stock_from_a_live_one() -> None:
    world = World()
    await world.stocked(MUG=10)
    given_up = await world.placed(("MUG", 10))
    await world.system.sleep((HOUR + timedelta(minutes=1)).total_seconds())
    await world.sweep()
    live = await world.placed(("MUG", 10))

    await world.drain()

    assert (await world.order(live))["status"] == "confirmed"
    assert (await world.order(given_up))["reason"] == "timeout"


async def test_nothing_is_authorised_for_an_order_that_was_given_up() -> None:
    world = World()
    await world.stocked(MUG=10)
    order = await world.placed(("MUG", 1))
    await world.deliver("inventory", received(world, "inventory"))
    await world.deliver("orders", received(world, "orders"))
    await world.system.sleep((HOUR + timedelta(minutes=1)).total_seconds())
    await world.sweep()

    await world.drain()

    assert (await world.order(order))["reason"] == "timeout"
    assert world.provider.intents == {}
    assert [stock["available"] for stock in world.documents("inventory", "stock")] == [10]


def received(world: World, queue: str) -> Any:
    message = world.broker.receive(queue)
    assert message
    return message


async def test_a_sweep_that_has_not_succeeded_for_five_minutes_says_so_once_a_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(MemoryContainer):
        failing = False

        async def find(self, query: Any) -> Any:
            if self.failing:
                raise Unavailable("away")
            return await super().find(query)

    world = World(container=Failing)
    container: Any = world.containers["shipping"]

    async def late_after(minutes: int) -> list[str]:
        caplog.clear()
        for _ in range(minutes):
            await world.system.sleep(60)
            try:
                await world.functions["shipping_sweep"](None)
            except Unavailable:
                assert container.failing
        return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    assert await late_after(10) == []
    container.failing = True
    assert await late_after(5) == []
    assert [line.partition(":")[0] for line in await late_after(3)] == ["sweep_late"] * 3
    container.failing = False
    assert await late_after(1) == []
    container.failing = True
    assert await late_after(5) == []


def overdue(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if getattr(record, "event", None) == "order_overdue"]


async def test_an_order_that_can_never_be_given_up_is_named_once_it_is_overdue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    await world.stocked(MUG=10)
    order = await world.placed(("MUG", 1))
    await world.call("cancel_order", route={"orderId": order})
    for _ in range(2):
        await world.system.sleep(HOUR.total_seconds() / 2 + 60)
        await world.functions["orders_sweep"](None)

    [record] = overdue(caplog)
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("order_overdue: the order has been undoing")
    assert record.order_id == order


async def test_an_overdue_order_is_named_once_a_resend_not_each_minute_while_its_commands_are_in_the_outbox(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(broker=Away)
    assert isinstance(world.broker, Away)
    await world.stocked(MUG=10)
    order = await world.placed(("MUG", 1))
    world.broker.away = True
    await world.call("cancel_order", route={"orderId": order})
    for _ in range(70):
        await world.system.sleep(60)
        with pytest.raises(Unavailable):
            await world.functions["orders_sweep"](None)

    assert overdue(caplog) == []
