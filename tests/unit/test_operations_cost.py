"""What operations takes of an order in request units, by the stand-in's formula: to keep its events, to count them, and
to compare what the contexts say of it."""

from collections.abc import Mapping

import pytest

from benchmarks.charged import ChargedContainer
from local.cosmos.indexing import Index
from simulation.topology import TOPOLOGY
from simulation.world import ENVIRONMENT, NEWCOMERS
from tests.unit.world import World

ORDERS_A_MINUTE = 10
MINUTES_BEFORE, MINUTES = 7, 3
SHORT = {"OPERATIONS_RECONCILE_AFTER_SECONDS": "120", "OPERATIONS_RECONCILE_WINDOW_SECONDS": "240"}
INDEXES = {each["name"]: Index(each["indexingPolicy"]) for each in TOPOLOGY["containers"]}


def units(world: World) -> Mapping[str, float]:
    return {name: each.units for name, each in world.containers.items() if isinstance(each, ChargedContainer)}


async def test_an_order_of_a_shop_of_ten_a_minute_costs_operations_so_much_and_no_more() -> None:
    world = World(container=ChargedContainer, environment=ENVIRONMENT | SHORT)
    for name, container in world.containers.items():
        assert isinstance(container, ChargedContainer)
        container.index = INDEXES[name]
    await world.stocked(MUG=10_000)
    placed: list[str] = []
    kept, heard, swept = 0.0, 0, 0.0
    for minute in range(MINUTES_BEFORE + MINUTES):
        last, placed = placed, []
        began, known = units(world), len(world.documents("operations", "event"))
        for number in range(ORDERS_A_MINUTE):
            if last:
                await world.dispatched(last[number])
            placed.append(await world.placed(("MUG", 1)))
            await world.drain()
            await world.system.sleep(60 / ORDERS_A_MINUTE)
        before = units(world)
        await world.functions["operations_sweep"](None)
        if minute >= MINUTES_BEFORE:
            kept += before["operations"] - began["operations"]
            heard += len(world.documents("operations", "event")) - known
            swept += sum(units(world).values()) - sum(before.values())

    orders = MINUTES * ORDERS_A_MINUTE
    assert kept / heard == pytest.approx(6, abs=0.05)
    # A new context's events are kept beside the ten of ours.
    assert heard / orders == 10 or NEWCOMERS
    assert 20 < swept / orders < 32
