"""An import under load: every product that can be stored is, and of each other one the report says why not."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from shared.adapters.memory import MemoryContainer
from shared.errors import Throttled, Unavailable
from tests.unit.test_resending import Away
from tests.unit.world import World


class Failing(MemoryContainer):
    """Fails writes of some partitions so many times; where it is `full`, reads and writes of all."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: Counter[str] = Counter()
        self.failure: Exception = Throttled("429", wait=3)
        self.full = False
        self.calls = 0

    async def read_many(self, keys: Any) -> Any:
        await self._fail("read_many")
        return await super().read_many(keys)

    async def write(self, pk: str, operations: Any) -> list[str]:
        await self._fail(pk)
        return await super().write(pk, operations)

    async def _fail(self, what: str) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.full or self.failures[what]:
            self.failures[what] -= 1
            raise self.failure


def setting() -> tuple[World, Failing]:
    world = World(container=Failing, broker=Away)
    catalog = world.containers["catalog"]
    assert isinstance(catalog, Failing)
    return world, catalog


async def statuses(world: World, number: int = 3) -> list[str]:
    """Import so many products; what became of each, with the reason."""
    products = [{"sku": f"S{n}", "name": "Thing", "price": {"amount": 100, "currency": "GBP"}} for n in range(number)]
    answer = await world.call("import_products", {"products": products})
    assert answer.status == 200
    return [" ".join([each["status"], each.get("reason", "")]).rstrip() for each in answer.body["results"]]


@pytest.mark.parametrize("throttled", ["S1", "read_many"])
async def test_throttling_is_waited_out_for_as_long_as_the_store_asks(throttled: str) -> None:
    world, catalog = setting()
    catalog.failures[throttled] = 5
    began = world.system.now()

    assert await statuses(world) == ["created", "created", "created"]

    assert 15 <= (world.system.now() - began).total_seconds() < 5 * 4.5


async def test_what_is_throttled_to_the_end_is_reported_and_the_others_are_imported() -> None:
    world, catalog = setting()
    catalog.failures["S1"] = 10_000
    began = world.system.now()

    assert await statuses(world) == ["created", "failed throttled", "created"]
    assert 150 <= (world.system.now() - began).total_seconds() < 155
    catalog.failures.clear()
    await world.drain()

    assert await statuses(world) == ["unchanged", "created", "unchanged"]


async def test_nothing_begins_after_the_deadline() -> None:
    world, catalog = setting()
    catalog.full = True

    outcomes = await statuses(world, 5000)

    assert set(outcomes) == {"failed throttled", "failed out_of_time"}
    assert catalog.calls <= 150 / 3


async def test_a_product_that_meets_no_answer_fails_alone() -> None:
    world, catalog = setting()
    catalog.failure = Unavailable("away")
    catalog.failures["S1"] = 1

    assert await statuses(world) == ["created", "failed unavailable", "created"]


async def test_a_store_that_is_away_is_reported_of_each_product() -> None:
    world, catalog = setting()
    catalog.failure, catalog.full = Unavailable("away"), True

    assert await statuses(world) == ["failed unavailable"] * 3


async def test_a_product_that_cannot_be_read_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    world, catalog = setting()
    await statuses(world)
    catalog.partition("S1")["product"]["price"] = "free"

    assert await statuses(world) == ["unchanged", "failed unreadable", "unchanged"]
    assert "unreadable_document: product S1 is left out: /price should be of type int" in caplog.text


async def test_what_could_not_be_announced_again_is_not_called_unchanged() -> None:
    world, _ = setting()
    assert isinstance(world.broker, Away)
    await statuses(world)
    await world.system.sleep(61)
    world.broker.away = True

    assert await statuses(world) == ["failed unavailable"] * 3
