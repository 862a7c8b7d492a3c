"""The way that stock is taken and the one it is beside do the same, and what a window says is what was measured."""

import asyncio

import pytest

from benchmarks.hot_sku import Taker, Taking, UnderEtags, Window, both, report
from services.inventory.domain import StockItem
from services.inventory.repositories import Stock
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.outbox import Outbox, OutboxTimes
from simulation.clock import VirtualSystem
from simulation.topology import TOPOLOGY


async def stocked(available: int) -> tuple[MemoryContainer, dict[str, Taking]]:
    """A container with so many of each product, and both ways to take them."""
    container, system = MemoryContainer(), VirtualSystem()
    stock = Stock(container, Outbox(container, MemoryBroker(TOPOLOGY, system), system, OutboxTimes()))
    for sku in ("A", "B"):
        await stock.save(StockItem(sku, available, available))
    return container, {"patch": stock, "ETag": UnderEtags(container)}


@pytest.mark.parametrize("way", ["patch", "ETag"])
async def test_either_way_takes_what_is_there_once_for_an_order_and_no_more(way: str) -> None:
    container, ways = await stocked(3)

    assert await ways[way].take("A", "ord_1", 2)
    assert await ways[way].take("A", "ord_1", 1), "taken already"
    assert not await ways[way].take("A", "ord_2", 2)
    assert container.partition("sku:A")["stock"]["available"] == 1


@pytest.mark.parametrize("way", ["patch", "ETag"])
async def test_either_way_goes_on_until_all_lines_of_all_orders_are_taken(way: str) -> None:
    container, ways = await stocked(1000)
    taker = Taker(ways[way], VirtualSystem())

    await asyncio.gather(*(taker.take(["A", "B"]) for _ in range(50)))

    for sku in ("A", "B"):
        partition = container.partition(f"sku:{sku}")
        assert partition["stock"]["available"] == 950
        assert len(partition) == 1 + 50


def test_two_windows_of_a_way_are_one() -> None:
    window = both(Window((1.0, 2.0), 0.5, 8, 80.0), Window((3.0,), 0.5, 4, 40.0))

    assert (window.rate, window.p99) == (3.0, 3.0)
    assert (window.requests, window.request_units) == (12, 120.0)


def test_the_figures_are_of_sixteen_callers_round_by_round() -> None:
    ours, other = Window((1.0,) * 100, 1.0, 100, 1000.0), Window((9.0,) * 10, 1.0, 60, 500.0)
    few = "1 caller, one SKU", "16 callers, one SKU"

    found = report(dict.fromkeys(few, [(ours, other)] * 2))

    rate, p99 = found.comparisons
    assert (rate.whole, rate.bare, rate.target, rate.at_most) == ((100.0, 100.0), (10.0, 10.0), 5.0, False)
    assert [p99.ratio, p99.target] == pytest.approx([1 / 9, 1 / 3])
    assert p99.at_most
    assert found.tables[0].rows[2:] == [
        [few[1], "patch", 100.0, 1.0, 1.0, 1.0, 10.0],
        [few[1], "ETag", 10.0, 9.0, 9.0, 6.0, 50.0],
    ]
    assert len(found.samples[few[0]][0][0]["percentiles"]) == 100
