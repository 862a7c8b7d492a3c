"""Many calls at once: never more than sixteen, and none behind the caller's back."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from services.inventory.handlers import handle
from shared.adapters.memory import MemoryContainer
from shared.concurrency import for_each
from shared.contracts import Line
from shared.contracts.inventory import CommitStock, ReleaseStock, ReserveStock
from shared.errors import Contended, Throttled
from shared.ports import Document, Operation
from shared.retry import at_once
from tests.unit.world import World


async def test_the_results_are_in_the_items_order() -> None:
    async def slower_first(item: int) -> int:
        for _ in range(20 - item):
            await asyncio.sleep(0)
        return item * item

    assert await for_each(range(20), slower_first) == [item * item for item in range(20)]
    assert await for_each((), slower_first) == []


async def test_nothing_begins_after_a_failure_and_what_is_under_way_is_waited_for() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        await asyncio.sleep(0)
        if item == 3:
            raise Throttled
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append(item)

    with pytest.raises(Throttled):
        await for_each(range(1000), work)

    assert begun == list(range(16))
    assert sorted(ended) == [item for item in begun if item != 3]


async def test_who_is_cancelled_takes_what_is_under_way_along() -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def work(_: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = asyncio.create_task(for_each(range(20), work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == ["cancelled"] * 16


class BusyContainer(MemoryContainer):
    """Counts its calls, and refuses some writes since another one is under way (449)."""

    def __init__(self) -> None:
        super().__init__()
        self.random = Random(7)
        self.probability = 0.0
        self.calls = self.running = self.most_at_once = 0

    async def _counted(self, call: Any) -> Any:
        self.calls += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await asyncio.sleep(0)
            return await call
        finally:
            self.running -= 1

    async def read(self, pk: str, id: str) -> Document | None:
        found: Document | None = await self._counted(super().read(pk, id))
        return found

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        refused = self.random.random() < self.probability
        etags: list[str] = await self._counted(_busy() if refused else super().write(pk, operations))
        return etags


async def _busy() -> None:
    raise Contended("449")


@pytest.mark.parametrize("undone", [True, False], ids=["released", "committed"])
async def test_a_line_that_meets_another_writer_is_tried_again_by_itself(undone: bool) -> None:
    """A thousand lines, and one write in a hundred refused: at most a tenth more calls than without."""
    calm, busy = await calls_for_a_thousand_lines(0, undone), await calls_for_a_thousand_lines(0.01, undone)
    assert calm.calls < busy.calls <= 1.1 * calm.calls
    assert calm.most_at_once == busy.most_at_once == 16


async def calls_for_a_thousand_lines(probability: float, undone: bool) -> BusyContainer:
    world = World(container=BusyContainer)
    container = world.containers["inventory"]
    assert isinstance(container, BusyContainer)
    lines = tuple(Line(f"SKU-{number}", 1) for number in range(1000))
    for line in lines:
        await world.call("put_stock", {"onHand": 1000}, route={"sku": line.sku})
    container.calls, container.probability = 0, probability
    for command in (ReserveStock("ord_1", lines), ReleaseStock("ord_1", lines) if undone else CommitStock("ord_1")):
        await at_once(lambda command=command: handle(command, world.inventory), world.system)  # type: ignore[misc]
    assert container.running == 0
    return container
