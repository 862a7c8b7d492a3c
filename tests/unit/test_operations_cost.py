"""What operations takes of an order in request units, by the stand-in's formula: to keep its events, to count them, and
to compare what the contexts say of it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from benchmarks.charged import ChargedContainer
from local.cosmos.indexing import Index
from services.operations.folding import Folding
from services.operations.reconciling import RUNS, Reconciling
from simulation.topology import TOPOLOGY
from tests.unit.world import World

ORDERS_A_MINUTE = 10
MINUTES = 20
WINDOW = 3600
INDEXES = {each["name"]: Index(each["indexingPolicy"]) for each in TOPOLOGY["containers"]}
COUNTED = json.loads((Path(__file__).parents[2] / "infra" / "measured.json").read_text())["orders"]["1"]["cosmos"]
AN_ORDER = sum(each["requestUnits"] for context, each in COUNTED.items() if context != "operations")
EVENTS_OF_AN_ORDER = 10


def units(world: World) -> Mapping[str, float]:
    return {name: each.units for name, each in world.containers.items() if isinstance(each, ChargedContainer)}


async def test_an_order_of_a_shop_of_ten_a_minute_costs_operations_less_than_fifteen_percent_more() -> None:
    world = World(container=ChargedContainer)
    for name, container in world.containers.items():
        assert isinstance(container, ChargedContainer)
        container.index = INDEXES[name]

    async def units_of(work: Callable[[], Awaitable[None]]) -> float:
        before = units(world)
        await work()
        return sum(units(world).values()) - sum(before.values())

    counting, comparing = Folding(world.operations), Reconciling(world.operations)
    await world.stocked(MUG=10_000)
    await comparing.run()
    orders: list[list[str]] = [[]]
    kept = counted = 0.0
    for _ in range(MINUTES):
        before = units(world)["operations"]
        orders.append([])
        for number in range(ORDERS_A_MINUTE):
            orders[-1].append(await world.placed(("MUG", 1)))
            if orders[-2]:
                await world.dispatched(orders[-2][number])
            await world.drain()
            await world.system.sleep(60 / ORDERS_A_MINUTE)
        kept += units(world)["operations"] - before
        counted += await units_of(counting.run)
    heard = len(world.documents("operations", "event")) / EVENTS_OF_AN_ORDER
    compared = []
    for _ in range(2 * RUNS):
        compared.append(await units_of(comparing.run))
        await world.system.sleep(WINDOW / RUNS)
    nothing = compared[-1]
    compared_alone = sum(each - nothing for each in compared[1:])
    orders_a_run = ORDERS_A_MINUTE * WINDOW / 60 / RUNS

    assert kept / heard == pytest.approx(60, abs=0.5)
    assert counted / heard < 3.8
    assert compared_alone / heard + nothing / orders_a_run < 2.2
    assert (kept + counted + compared_alone) / heard + nothing / orders_a_run < 0.149 * AN_ORDER
