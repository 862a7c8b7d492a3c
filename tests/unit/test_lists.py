"""Lists by several values, and orders newest first."""

from collections.abc import Awaitable, Callable
from itertools import chain

import pytest

from shared.access import Caller
from shared.adapters.memory import MemoryContainer
from shared.ports import Document, Query
from simulation.callers import ADMIN, GUEST, SUPPORT, customer
from tests.unit.world import World

ADA, BOB = customer("ada"), customer("bob")


class Interrupted(MemoryContainer):
    """Something happens after the first query that is told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def find(self, query: Query) -> list[Document]:
        found = await super().find(query)
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            await meanwhile()
        return found


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=100)
    return world


async def placed(world: World, *owners: Caller) -> list[str]:
    """An order for each, a second apart; the newest first."""
    ids: list[str] = []
    for owner in owners:
        ids.insert(0, await world.placed(("MUG", 1), customerId=owner.subject))
        await world.drain()
        await world.system.sleep(1)
    return ids


@pytest.mark.parametrize("limit", ["1", "2", "3", "100"])
async def test_orders_come_newest_first_a_customers_own_and_all_to_staff(world: World, limit: str) -> None:
    ids = await placed(world, ADA, BOB, ADA, BOB, GUEST, ADA)

    for staff in (SUPPORT, ADMIN):
        assert [*chain(*await world.orders_listed(staff, limit=limit))] == ids
        assert [*chain(*await world.orders_listed(staff, limit=limit, customerId="bob"))] == [ids[2], ids[4]]
    assert [*chain(*await world.orders_listed(ADA, limit=limit))] == [ids[0], ids[3], ids[5]]
    assert [*chain(*await world.orders_listed(ADA, limit=limit, customerId="ada"))] == [ids[0], ids[3], ids[5]]
    assert [*chain(*await world.orders_listed(GUEST, limit=limit))] == [ids[1]]


@pytest.mark.parametrize("limit", ["1", "2", "100"])
async def test_orders_of_several_statuses_are_one_list(world: World, limit: str) -> None:
    ids = await placed(world, ADA, BOB, ADA, BOB, ADA)
    await world.dispatched(ids[1])
    await world.drain()
    await world.call("cancel_order", route={"orderId": ids[4]}, caller=ADA)
    await world.drain()

    some = await world.orders_listed(SUPPORT, limit=limit, status="completed,cancelled,completed")
    assert [*chain(*some)] == [ids[1], ids[4]]
    assert [*chain(*await world.orders_listed(ADA, limit=limit, status="confirmed"))] == [ids[0], ids[2]]


async def test_a_customer_who_names_another_is_refused(world: World) -> None:
    await placed(world, BOB)
    answer = await world.call("list_orders", query={"customerId": "bob"}, caller=ADA)
    assert (answer.status, answer.body["type"]) == (403, "urn:orderflow:problem:forbidden")


@pytest.mark.parametrize("limit", ["1", "2", "100"])
async def test_shipments_of_several_states_and_carriers_are_one_list_oldest_first(world: World, limit: str) -> None:
    ids = (await placed(world, *[ADA] * 6))[::-1]
    for id, carrier in zip(ids, ("A", "B", "C", "A"), strict=False):
        await world.dispatched(id, carrier)

    assert [*chain(*await world.shipments(limit=limit, status="dispatched,pending"))] == ids
    assert [*chain(*await world.shipments(limit=limit, status="pending,dispatched", carrier="A,B,A"))] == [
        ids[0],
        ids[1],
        ids[3],
    ]
    assert [*chain(*await world.shipments(limit=limit, carrier="C"))] == [ids[2]]
    assert [*chain(*await world.shipments(limit=limit))] == ids[4:]


@pytest.mark.parametrize("status", ["pending,confirmed", "confirmed,pending,completed"])
async def test_an_order_that_moves_on_while_its_list_is_read_is_in_it_once(status: str) -> None:
    world = World(container=Interrupted)
    await world.stocked(MUG=9)
    moving, other = await world.placed(("MUG", 1)), await world.placed(("MUG", 1))
    orders = world.containers["orders"]
    assert isinstance(orders, Interrupted)
    orders.meanwhile = world.drain

    assert sorted(chain(*await world.orders_listed(SUPPORT, status=status, limit="2"))) == sorted([moving, other])
    assert orders.meanwhile is None


async def test_a_shipment_that_leaves_while_the_list_is_read_is_in_it_once() -> None:
    world = World(container=Interrupted)
    await world.stocked(MUG=9)
    first, second = await world.confirmed(2)
    shipping = world.containers["shipping"]
    assert isinstance(shipping, Interrupted)
    shipping.meanwhile = lambda: world.dispatched(first)

    assert await world.shipments(status="pending,dispatched,cancelled") == [[first, second]]
    assert shipping.meanwhile is None
