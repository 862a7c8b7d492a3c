"""A request whose write was done and whose answer was lost says what it did, and does it once.

Counts are in test_stock.py, orders in test_placing.py.
"""

from typing import Any

import pytest

from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World


def product(**changes: Any) -> dict[str, Any]:
    """A mug, as an import has it."""
    return {"sku": "MUG", "name": "Product MUG", "price": {"amount": 250, "currency": "GBP"}} | changes


async def imported(world: World, **changes: Any) -> str:
    """Import the mug; what became of it."""
    [result] = (await world.call("import_products", {"products": [product(**changes)]})).body["results"]
    return str(result["status"])


async def price(world: World) -> int:
    """What the mug costs."""
    return int((await world.call("get_product", route={"sku": "MUG"})).body["price"]["amount"])


def store(world: World, context: str) -> ForgetfulContainer:
    """The store of a context."""
    container = world.containers[context]
    assert isinstance(container, ForgetfulContainer)
    return container


@pytest.fixture
def world() -> World:
    return World(container=ForgetfulContainer)


@pytest.mark.parametrize("old_reads", [0, 1])
@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_an_import_says_what_it_created_or_updated(world: World, lost: Exception, old_reads: int) -> None:
    store(world, "catalog").forget(lost, old_reads)
    assert await imported(world) == "created"

    store(world, "catalog").forget(lost, old_reads)
    assert await imported(world, price={"amount": 300, "currency": "GBP"}) == "updated"

    store(world, "catalog").forget(lost, old_reads)
    assert await imported(world, price={"amount": 300, "currency": "GBP"}, name="Mug") == "updated"
    assert await imported(world, price={"amount": 300, "currency": "GBP"}, name="Mug") == "unchanged"

    assert [product["version"] for product in world.documents("catalog", "product")] == [3]
    assert len([destination for destination, _ in world.broker.sent if destination == "catalog-events"]) == 2


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_an_import_is_not_done_again_over_another_that_came_meanwhile(world: World, lost: Exception) -> None:
    await imported(world)

    async def another() -> None:
        assert await imported(world, price={"amount": 400, "currency": "GBP"}) == "updated"

    store(world, "catalog").forget(lost, meanwhile=another)
    assert await imported(world, price={"amount": 300, "currency": "GBP"}) == "updated"
    assert await price(world) == 400


async def test_a_product_remembers_its_last_four_changes(world: World) -> None:
    for amount in range(100, 110):
        await imported(world, price={"amount": amount, "currency": "GBP"})

    [document] = world.documents("catalog", "product")
    assert [change["version"] for change in document["changes"]] == [7, 8, 9, 10]


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_a_dispatch_says_that_it_was_done_and_is_announced_once(world: World, lost: Exception) -> None:
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1))
    await world.drain()

    store(world, "shipping").forget(lost)
    answer = await world.dispatched(order)
    await world.drain()

    assert (answer.status, answer.body["status"]) == (200, "dispatched")
    assert (await world.order(order))["status"] == "completed"
    events = [wire for destination, wire in world.broker.sent if destination == "shipping-events"]
    assert len(events) == 2, "created and dispatched"


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
@pytest.mark.parametrize("is_confirmed", [False, True])
async def test_a_cancellation_says_that_it_is_under_way(world: World, lost: Exception, is_confirmed: bool) -> None:
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1))
    if is_confirmed:
        await world.drain()

    store(world, "orders").forget(lost)
    answer = await world.call("cancel_order", route={"orderId": order})
    assert (answer.status, answer.body["status"]) == (202, "cancelling")

    await world.drain()
    assert (await world.order(order))["status"] == "cancelled"
