"""A message of two versions: one fact, which whoever knows both takes as either, and whoever doesn't yet, later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from shared import messaging
from shared.contracts import Event
from shared.contracts.shipping import ShipmentDispatched, ShipmentDispatchedV2
from shared.messaging import catalogue, contract_class, fact, to_wire
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=9)
    return world


@pytest.fixture
async def order(world: World) -> str:
    """One that the warehouse knows of."""
    [order] = await world.confirmed(1)
    return order


def old(order: str) -> Event:
    return ShipmentDispatched(order, f"shp_{order}")


def new(order: str) -> Event:
    return ShipmentDispatchedV2(order, f"shp_{order}", "Royal Mail", "RM1")


@pytest.mark.parametrize("versions", [[old], [new], [old, new], [new, old]])
async def test_an_order_is_shipped_once_whichever_versions_tell_it(
    world: World, order: str, versions: list[Callable[[str], Event]]
) -> None:
    for version in versions:
        await world.deliver("orders", to_wire(fact(version(order), order, world.system)))
    await world.drain()

    assert (await world.order(order))["status"] == "completed"
    shipped = [wire for _, wire in world.broker.sent if "OrderShipped" in str(wire.properties)]
    assert len({wire.id for wire in shipped}) == 1
    assert world.documents("orders", "parked") == []


def test_a_fact_has_one_id_whichever_version_tells_it(world: World) -> None:
    first, second = (fact(version("ord_1"), "ord_1", world.system) for version in (old, new))

    assert first.event_id == second.event_id
    assert (first.type, second.type) == (
        "orderflow.shipping.ShipmentDispatched.v1",
        "orderflow.shipping.ShipmentDispatched.v2",
    )
    properties = to_wire(second).properties or {}
    assert properties["cloudEvents_dataschema"] == "urn:orderflow:shipping:ShipmentDispatched:v2"


@pytest.fixture
def release_of_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The code knows no second version, until that is undone."""
    known = {type: cls for type, cls in catalogue().items() if cls is not ShipmentDispatchedV2}
    monkeypatch.setattr(messaging, "catalogue", lambda: known)
    contract_class.cache_clear()
    yield monkeypatch
    contract_class.cache_clear()


async def test_a_taker_that_does_not_know_it_yet_tries_it_again_until_it_does(
    world: World, order: str, release_of_before: pytest.MonkeyPatch
) -> None:
    await world.deliver("orders", to_wire(fact(new(order), order, world.system)))
    await world.drain(until=timedelta(minutes=5))
    assert (await world.order(order))["status"] == "confirmed"
    assert world.documents("orders", "parked") == []

    release_of_before.undo()
    await world.drain(until=timedelta(minutes=6))

    assert (await world.order(order))["status"] == "completed"
