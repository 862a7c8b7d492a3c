"""What operations takes of an order in request units, by the stand-in's formula: to keep its events, to count them, and
to compare what the contexts say of it."""

import json
from collections.abc import Mapping, Sequence

import pytest

from local.cosmos import charges
from local.cosmos.indexing import Index
from shared.adapters.memory import MemoryContainer
from shared.ports import Delete, Document, Operation, Patch, Query
from simulation.world import ENVIRONMENT, NEWCOMERS, TOPOLOGY
from tests.unit.world import World

ORDERS_A_MINUTE = 10
MINUTES_BEFORE, MINUTES = 7, 3
SHORT = {"OPERATIONS_RECONCILE_AFTER_SECONDS": "120", "OPERATIONS_RECONCILE_WINDOW_SECONDS": "240"}
INDEXES = {each["name"]: Index(each["indexingPolicy"]) for each in TOPOLOGY["containers"]}
OF_THE_STORE = 200
"""Bytes of the properties that the store adds to an item."""
KEYS_IN_A_QUERY = 500


class Charged(MemoryContainer):
    """Charges for every request."""

    def __init__(self) -> None:
        super().__init__()
        self.index: Index | None = None
        self.units = 0.0

    async def read(self, pk: str, id: str) -> Document | None:
        found = await super().read(pk, id)
        self.units += charges.read(length([found] if found else []))
        return found

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        found = await super().read_many(keys)
        self.units += charges.page(len(found), length(found))
        self.units += charges.page(0, 0) * (max(1, len(keys)) - 1) // KEYS_IN_A_QUERY
        return found

    async def find(self, query: Query) -> list[Document]:
        found = await super().find(query)
        self.units += charges.page(max(1, len(found)), length(found))
        return found

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        before = self.partition(pk)
        written = await super().write(pk, operations)
        assert self.index
        for each in operations:
            id = each.id if isinstance(each, Patch | Delete) else each.document["id"]
            for partition in (before, self.partition(pk)):
                if one := partition.get(id):
                    self.units += charges.write(length([one]), self.index.entries(one))
        return written


def length(documents: Sequence[Document]) -> int:
    """As JSON in the store."""
    return sum(len(json.dumps(each, separators=(",", ":"))) + OF_THE_STORE for each in documents)


def units(world: World) -> Mapping[str, float]:
    return {name: each.units for name, each in world.containers.items() if isinstance(each, Charged)}


async def test_an_order_of_a_shop_of_ten_a_minute_costs_operations_so_much_and_no_more() -> None:
    world = World(container=Charged, environment=ENVIRONMENT | SHORT)
    for name, container in world.containers.items():
        assert isinstance(container, Charged)
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
