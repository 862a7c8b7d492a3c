"""Orders that want the same few units at once: none is rejected for units that are on their way back."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from services.inventory.handlers import handle
from shared.adapters.memory import MemoryContainer
from shared.contracts import Line
from shared.contracts.inventory import ReleaseStock, ReserveStock
from shared.errors import Postponed
from shared.retry import at_once
from tests.unit.world import World

DECLINED = "pm_card_visa_chargeDeclined"


def unsteady(seed: int) -> World:
    """A world in which every call of a store takes its own time, so that handlers interleave in many ways."""
    random = Random(seed)

    class Container(MemoryContainer):
        async def write(self, pk: str, operations: Any) -> list[str]:
            await _turns(random)
            return await super().write(pk, operations)

        async def read_many(self, keys: Any) -> Any:
            await _turns(random)
            return await super().read_many(keys)

    return World(seed, Container)


async def _turns(random: Random) -> None:
    for _ in range(random.randrange(6)):
        await asyncio.sleep(0)


async def drain_at_once(world: World, until: timedelta = timedelta(minutes=2)) -> None:
    """Like `World.drain`, but what is visible is handled at once, as a host does."""
    horizon = world.system.now() + until
    while True:
        received = [(queue, message) for queue in world.queues for message in iter(_receiving(world, queue), None)]
        await asyncio.gather(*(world.deliver(queue, message) for queue, message in received))
        if not received:
            due = world.broker.next_due()
            if due is None or due > horizon:
                return
            world.system.advance_to(due)


def _receiving(world: World, queue: str) -> Any:
    return lambda: world.broker.receive(queue)


async def stock(world: World) -> dict[str, tuple[int, int]]:
    return {d["sku"]: (d["onHand"], d["available"]) for d in world.documents("inventory", "stock")}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("hopeless_first", [True, False])
@pytest.mark.parametrize("doomed_first", [True, False])
async def test_an_order_that_is_bound_to_fail_costs_another_nothing(
    seed: int, hopeless_first: bool, doomed_first: bool
) -> None:
    world = unsteady(seed)
    gone = "A-NONE" if hopeless_first else "Z"
    await world.stocked(**{"A": 1, "B": 1, "C": 1, gone: 0})
    doomed, served = [("C", 1), ("B", 1), (gone, 1), ("A", 1)], [("A", 1), ("B", 1), ("C", 1)]
    orders = [await world.placed(*lines) for lines in ([doomed, served] if doomed_first else [served, doomed])]

    await drain_at_once(world)

    statuses = [(await world.order(order_id))["status"] for order_id in orders]
    assert statuses == (["rejected", "confirmed"] if doomed_first else ["confirmed", "rejected"])


@pytest.mark.parametrize("seed", range(20))
async def test_of_two_orders_for_the_same_last_units_one_has_them_all(seed: int) -> None:
    world = unsteady(seed)
    skus = [f"SKU-{number:02}" for number in range(8)]
    await world.stocked(**dict.fromkeys(skus, 1))
    forth, back = [(sku, 1) for sku in skus], [(sku, 1) for sku in reversed(skus)]
    orders = [await world.placed(*forth), await world.placed(*back)]

    await drain_at_once(world)

    assert sorted([(await world.order(order_id))["status"] for order_id in orders]) == ["confirmed", "rejected"]
    assert set((await stock(world)).values()) == {(1, 0)}


async def test_sixty_orders_for_the_same_fifty_products_sell_all_that_is_there() -> None:
    world = unsteady(1)
    skus = [f"SKU-{number:02}" for number in range(50)]
    await world.stocked(**dict.fromkeys(skus, 20))
    forth, back = [(sku, 1) for sku in skus], [(sku, 1) for sku in reversed(skus)]
    orders = [await world.placed(*(back if number % 2 else forth)) for number in range(60)]

    await drain_at_once(world)

    statuses = [(await world.order(order_id))["status"] for order_id in orders]
    assert (statuses.count("confirmed"), statuses.count("rejected")) == (20, 40)
    assert set((await stock(world)).values()) == {(20, 0)}


async def test_the_last_unit_is_sold_when_the_first_payment_is_declined() -> None:
    world = World()
    await world.stocked(MUG=1)
    first = await world.placed(("MUG", 1), paymentMethod=DECLINED)
    await deliver_all(world, "inventory")
    await deliver_all(world, "orders")
    second = await world.placed(("MUG", 1))
    await deliver_all(world, "inventory")
    assert (await world.order(second))["status"] == "pending"

    await world.system.sleep(5)
    await world.drain(timedelta(seconds=15))

    assert (await world.order(first))["reason"] == "payment_declined"
    assert (await world.order(second))["status"] == "confirmed"


async def test_a_shortage_that_stays_is_decided_once_the_time_is_over() -> None:
    world = World()
    await world.stocked(MUG=3, TRAY=5)
    holder = await world.placed(("MUG", 2))
    await world.drain()
    placed_at = world.system.now()
    order_id = await world.placed(("TRAY", 1), ("MUG", 2))
    await world.drain(timedelta(seconds=9))
    assert (await world.order(order_id))["status"] == "pending"

    await world.drain(timedelta(seconds=10))

    order = await world.order(order_id)
    assert (order["status"], order["reason"]) == ("rejected", "out_of_stock")
    assert timedelta(seconds=10) <= world.system.now() - placed_at <= timedelta(seconds=14)
    assert await stock(world) == {"MUG": (3, 1), "TRAY": (5, 5)}
    assert (await world.order(holder))["status"] == "confirmed"


async def test_the_time_runs_from_the_first_attempt_of_a_command_not_from_its_sending() -> None:
    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 1))
    await world.drain()
    order_id = await world.placed(("MUG", 1))
    await world.system.sleep(50)
    await deliver_all(world, "inventory")
    assert (await world.order(order_id))["status"] == "pending"
    assert world.documents("inventory", "decision")[0]["orderId"] != order_id

    await world.drain(timedelta(seconds=15))

    assert (await world.order(order_id))["status"] == "rejected"


async def test_what_comes_back_between_the_take_and_the_last_look_is_taken() -> None:
    class Container(MemoryContainer):
        looks = 0

        async def read_many(self, keys: Any) -> Any:
            Container.looks += 1
            if Container.looks == 2:
                await handle(ReleaseStock("ord_1", lines), world.inventory)
            return await super().read_many(keys)

    world, lines = World(container=Container), (Line("MUG", 1),)
    await world.call("put_stock", {"onHand": 1}, route={"sku": "MUG"})
    await world.inventory.stock.take("MUG", "ord_1", 1)
    command = ReserveStock("ord_2", lines, short_since=world.system.now() - timedelta(minutes=1))

    await at_once(lambda: handle(command, world.inventory), world.system)

    assert await stock(world) == {"MUG": (1, 0)}
    states = {each["orderId"]: each["state"] for each in world.documents("inventory", "decision")}
    assert states == {"ord_1": "released", "ord_2": "reserved"}


async def test_an_order_waits_with_what_it_has_taken() -> None:
    """Giving back before that is decided would let a frozen copy take again."""
    world = World()
    await world.stocked(A=1, B=1, C=1)
    await handle(ReserveStock("ord_1", (Line("B", 1),)), world.inventory)

    with pytest.raises(Postponed) as postponed:
        await handle(ReserveStock("ord_2", (Line("C", 1), Line("B", 1), Line("A", 1))), world.inventory)

    assert await stock(world) == {"A": (1, 0), "B": (1, 0), "C": (1, 1)}
    assert postponed.value.contract == ReserveStock(
        "ord_2", (Line("C", 1), Line("B", 1), Line("A", 1)), short_since=world.system.now()
    )


@pytest.mark.parametrize("gone", ["A", "M", "Z", "unknown"])
async def test_a_hopeless_order_takes_nothing_and_leaves_a_tombstone_for_each_line(gone: str) -> None:
    world = World()
    stocked = {"B": 1, "C": 5000} | ({} if gone == "unknown" else {gone: 1})
    await world.stocked(**stocked)
    before = world.documents("inventory", "stock")

    await handle(ReserveStock("ord_1", (Line("C", 1), Line("B", 1), Line(gone, 2))), world.inventory)

    assert world.documents("inventory", "stock") == before
    assert [decision["state"] for decision in world.documents("inventory", "decision")] == ["rejected"]
    left = {each["sku"]: each["state"] for each in world.documents("inventory", "reservation")}
    assert left == {"B": "released", "C": "released", gone: "released"}


async def test_what_is_taken_stays_taken_though_nothing_is_left() -> None:
    """A handler died before it could decide: its line counts as taken, whatever the stock says by now."""
    world = World()
    await world.stocked(MUG=1)
    assert await world.inventory.stock.take("MUG", "ord_1", 1)

    assert await world.inventory.stock.take("MUG", "ord_1", 1)
    await handle(ReserveStock("ord_1", (Line("MUG", 1),)), world.inventory)

    assert [decision["state"] for decision in world.documents("inventory", "decision")] == ["reserved"]
    assert await stock(world) == {"MUG": (1, 0)}


@pytest.mark.parametrize(("lines", "looks"), [(1, 1), (500, 1), (501, 2)])
async def test_an_uncontended_order_costs_one_request_more_for_each_500_lines(lines: int, looks: int) -> None:
    calls: list[str] = []

    class Container(MemoryContainer):
        async def read(self, pk: str, id: str) -> Any:
            calls.append("read")
            return await super().read(pk, id)

        async def read_many(self, keys: Any) -> Any:
            calls.extend(["look"] * -(-len(keys) // 500))
            return await super().read_many(keys)

        async def write(self, pk: str, operations: Any) -> list[str]:
            calls.append("write")
            return await super().write(pk, operations)

    world = World(container=Container)
    wanted = tuple(Line(f"SKU-{number}", 1) for number in range(lines))
    for line in wanted:
        await world.call("put_stock", {"onHand": 50 if line.sku < "SKU-3" else 500}, route={"sku": line.sku})
    calls.clear()

    await handle(ReserveStock("ord_1", wanted), world.inventory)

    # The decision is read, then written, and its outbox document cleared.
    assert (calls.count("read"), calls.count("look"), calls.count("write")) == (1, looks, lines + 2)


async def deliver_all(world: World, queue: str) -> None:
    while message := world.broker.receive(queue):
        await world.deliver(queue, message)


async def test_a_rejected_order_says_which_of_its_lines_were_short() -> None:
    world = World()
    await world.stocked(A=5, B=5, C=5, D=5)
    await world.placed(("B", 2))
    await world.drain()
    order_id = await world.placed(("A", 5), ("B", 4), ("C", 6), ("D", 1))
    await world.drain()

    shortages = (await world.order(order_id))["shortages"]

    assert shortages == {
        "count": 2,
        "lines": [{"sku": "B", "wanted": 4, "available": 3}, {"sku": "C", "wanted": 6, "available": 5}],
    }


async def test_what_an_order_holds_itself_is_not_short_when_it_is_rejected() -> None:
    world = World()
    await world.stocked(A=1, B=1)
    await world.placed(("B", 1))
    await world.drain()
    order_id = await world.placed(("A", 1), ("B", 1))
    await world.drain(timedelta(minutes=1))

    assert (await world.order(order_id))["shortages"]["lines"] == [{"sku": "B", "wanted": 1, "available": 0}]


async def test_of_many_short_lines_twenty_are_named_and_all_are_counted() -> None:
    world = World()
    skus = [f"SKU-{number:03}" for number in range(100)]
    await world.stocked(**dict.fromkeys(skus, 1))
    order_id = await world.placed(*((sku, 2) for sku in skus))
    await world.drain()
    answer = await world.call("get_order", route={"orderId": order_id})

    assert answer.body["shortages"]["count"] == 100
    assert [line["sku"] for line in answer.body["shortages"]["lines"]] == skus[:20]


async def test_a_rejection_announced_again_says_the_same_though_stock_has_come() -> None:
    world = World()
    await world.stocked(MUG=1)
    command = ReserveStock("ord_1", (Line("MUG", 2),))
    await handle(command, world.inventory)
    await world.call("put_stock", {"onHand": 9}, route={"sku": "MUG"})
    await handle(command, world.inventory)

    said = [wire.body for destination, wire in world.broker.sent if destination == "inventory-events"]
    assert said == [said[0]] * 2
    assert b'"shortages":[{"sku":"MUG","wanted":2,"available":1}],"shortageCount":1' in said[0]
