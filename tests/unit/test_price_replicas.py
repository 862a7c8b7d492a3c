"""Orders' replica of the catalogue's prices: what it missed, importing the same again puts right."""

from datetime import timedelta
from typing import Any

import pytest

from local.verify.invariants import Snapshot, examine
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    """A mug that costs 2.50, as orders knows."""
    world = World()
    await world.stocked(MUG=10)
    return world


async def imported(world: World, amount: int = 250, *, name: str = "Product MUG", listed: bool = True) -> str:
    """Import the mug; what became of it."""
    product = {"sku": "MUG", "name": name, "price": {"amount": amount, "currency": "GBP"}, "listed": listed}
    [result] = (await world.call("import_products", {"products": [product]})).body["results"]
    return str(result["status"])


def differs(world: World) -> list[str]:
    """What `verify` says of the prices."""
    documents = {
        name: [d for kind in ("product", "price") for d in world.documents(name, kind)] for name in world.containers
    }
    findings = examine(Snapshot.of(documents))
    return [each for finding in findings if finding.name == "prices" for each in finding.violations]


def lose_what_was_announced(world: World) -> None:
    """As if orders had parked it."""
    while world.broker.receive("orders-prices"):
        pass


def announced(world: World) -> list[Any]:
    """What catalog announced, as (event id, message id)."""
    sent = [wire for destination, wire in world.broker.sent if destination == "catalog-events"]
    return [((wire.properties or {})["cloudEvents_id"], wire.id) for wire in sent]


@pytest.mark.parametrize("missed", [{"amount": 300}, {"listed": False}], ids=["a price", "a delisting"])
async def test_importing_the_same_again_puts_right_what_orders_missed(world: World, missed: dict[str, Any]) -> None:
    assert await imported(world, **missed) == "updated"
    lose_what_was_announced(world)
    await world.system.sleep(61)
    assert differs(world) != []

    assert await imported(world, **missed) == "unchanged"
    await world.drain()

    assert differs(world) == []
    *_, (event, message), (event_again, message_again) = announced(world)
    assert event_again == event
    assert message_again != message


async def test_nothing_is_announced_again_within_a_minute(world: World) -> None:
    before = announced(world)
    await world.system.sleep(59)

    assert await imported(world) == "unchanged"

    assert announced(world) == before


async def test_a_name_that_nobody_was_told_of_does_not_change_what_is_announced_again(world: World) -> None:
    await imported(world, name="Mug")
    await world.system.sleep(61)
    await imported(world, name="Mug")

    (event, _), (event_again, _) = announced(world)
    assert event_again == event


async def test_a_replica_that_differs_at_the_same_version_is_put_right(world: World) -> None:
    [price] = world.documents("orders", "price")
    world.containers["orders"].partition(price["pk"])["price"]["price"] = 1
    await world.system.sleep(61)

    await imported(world)
    await world.drain()

    assert differs(world) == []


async def test_what_orders_knows_already_is_not_written_again(world: World) -> None:
    [before] = world.documents("orders", "price")
    await world.system.sleep(61)

    await imported(world)
    await world.drain()

    assert world.documents("orders", "price") == [before]


async def test_a_product_that_was_stored_before_announcements_were_remembered_is_announced(world: World) -> None:
    del world.containers["catalog"].partition("MUG")["product"]["announcement"]
    world.containers["orders"].partition("price:MUG").clear()

    assert await imported(world) == "unchanged"
    await world.drain(timedelta(seconds=1))

    assert differs(world) == []
