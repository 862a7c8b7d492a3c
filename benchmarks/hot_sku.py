"""Many callers who take one product's stock, or ten's: the conditional patch of `services.inventory`, beside reading,
changing and replacing under an ETag."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, Protocol
from uuid import uuid4

import uvloop

from benchmarks.comparison import Comparison, percentile
from benchmarks.fresh import ROOT
from benchmarks.report import How, Report, Table
from local.verify.stack import read_stack
from scripts.measure_orders import read, stack
from services.inventory.domain import StockItem
from services.inventory.repositories import Stock
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.memory import MemoryBroker
from shared.adapters.system import RealSystem
from shared.errors import AlreadyExists, Contended
from shared.outbox import Outbox, OutboxTimes
from shared.ports import Container, Create, Document, Replace, System
from shared.retry import at_once
from shared.settings import Connection

CALLERS, JUDGED = (1, 2, 4, 8, 16, 32, 64), 16
RATE_TARGET, P99_TARGET = 5.0, 1 / 3
HOT, SHARED = "HOT", [f"HOT-{number}" for number in range(10)]
LINES = 3
"""Of an order that shares the ten."""
PLENTY = 10**9


class Taking(Protocol):
    """A way to set aside so many of a product for an order."""

    async def take(self, sku: str, order_id: str, quantity: int) -> bool:
        """False where too few are available. Raises Contended where another was faster."""
        ...


class UnderEtags:
    """The usual way: read the item, change it, and replace it if nobody else has meanwhile."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def take(self, sku: str, order_id: str, quantity: int) -> bool:
        """See Taking. The reservation goes with it, so that taking twice changes nothing."""
        partition = f"sku:{sku}"
        item = await self._container.read(partition, "stock")
        if item is None or item["available"] < quantity:
            return False
        reservation: Document = {"id": f"res:{order_id}", "pk": partition, "kind": "reservation", "orderId": order_id}
        reservation |= {"sku": sku, "quantity": quantity, "state": "active"}
        taken = Replace({**item, "available": item["available"] - quantity}, item["_etag"])
        try:
            await self._container.write(partition, [Create(reservation), taken])
        except AlreadyExists:
            return True
        return True


@dataclass(frozen=True, slots=True)
class Window:
    """What so many callers did in a while, and what the store counted of it."""

    milliseconds: tuple[float, ...]
    """That each success took."""
    seconds: float
    requests: float
    request_units: float

    @property
    def rate(self) -> float:
        """Successes a second."""
        return len(self.milliseconds) / self.seconds

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return percentile(self.milliseconds, 0.99)

    def document(self) -> dict[str, Any]:
        """As samples: of the times, each hundredth."""
        times = [round(percentile(self.milliseconds, each / 100), 2) for each in range(1, 101)]
        counts = {"successes": len(self.milliseconds), "requests": self.requests, "requestUnits": self.request_units}
        return {**counts, "seconds": self.seconds, "percentiles": times}


type Round = tuple[Window, Window]
"""Ours, and the one under ETags."""


def measure(how: How) -> Report:
    """Both ways against the stand-in of Cosmos DB alone."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        with stack(state, {}, ("local", "up", "--stand-ins")):
            return asyncio.run(_measure(state, how), loop_factory=uvloop.new_event_loop)


async def _measure(state: Path, how: How) -> Report:
    stand_in = read_stack(state)
    address = f"AccountEndpoint={stand_in.parts['cosmos'].address};AccountKey={stand_in.keys['cosmos']['inventory']};"
    connection = Connection.read({"COSMOS_INVENTORY": address}, "COSMOS_INVENTORY", "accountEndpoint")
    container = CosmosContainer(connection, "orderflow", "inventory", timedelta(seconds=10))
    try:
        found = await windows(state, container, how)
    finally:
        await container.close()
    return report(found)


async def windows(state: Path, container: CosmosContainer, how: How) -> dict[str, list[Round]]:
    """All rounds, by what was tried."""
    rounds, seconds = how.of(3, 1), how.of(0.5, 0.4)
    system = RealSystem()
    topology = json.loads((ROOT / "infra" / "topology.json").read_text())
    stock = Stock(container, Outbox(container, MemoryBroker(topology, system), system, OutboxTimes()))
    for sku in (HOT, *SHARED):
        await stock.save(StockItem(sku, PLENTY, PLENTY))
    ways = Taker(stock, system), Taker(UnderEtags(container), system)
    shared = [sorted(SHARED[(first + each) % len(SHARED)] for each in range(LINES)) for first in range(len(SHARED))]
    tried = {_alone(callers): (callers, [[HOT]]) for callers in how.of(CALLERS, (1, JUDGED))}
    tried[_TOGETHER] = JUDGED, shared
    return {
        name: [await in_turns(state, ways, callers, orders, seconds) for _ in range(rounds)]
        for name, (callers, orders) in tried.items()
    }


class Taker:
    """Takes what an order wants, line by line, each until it is taken."""

    def __init__(self, way: Taking, system: System) -> None:
        self._way, self._system = way, system

    async def take(self, skus: Sequence[str]) -> None:
        """One of each, for an order of its own."""
        order_id = f"ord_{uuid4().hex}"
        for sku in skus:
            while not await self._taken(sku, order_id):
                pass  # it would be tried again later

    async def _taken(self, sku: str, order_id: str) -> bool:
        with suppress(Contended):
            return await at_once(lambda: self._way.take(sku, order_id, 1), self._system)
        return False


async def in_turns(
    state: Path, ways: tuple[Taker, Taker], callers: int, orders: Sequence[Sequence[str]], seconds: float
) -> Round:
    """Ours, the other, the other, ours: each way's two windows as one."""
    ours, other = ways
    windows = [await window(state, each, callers, orders, seconds) for each in (ours, other, other, ours)]
    return both(windows[0], windows[3]), both(windows[1], windows[2])


def both(one: Window, other: Window) -> Window:
    """Two windows as one."""
    return Window(
        one.milliseconds + other.milliseconds,
        one.seconds + other.seconds,
        one.requests + other.requests,
        one.request_units + other.request_units,
    )


async def window(state: Path, way: Taker, callers: int, orders: Sequence[Sequence[str]], seconds: float) -> Window:
    """So many callers, each with one order after the other, for a while."""
    now = time.perf_counter  # the loop's clock stands still for a millisecond
    took: list[float] = []
    wanted = cycle(orders)
    before = (await read(state)).cosmos.get("inventory", {})
    start = now()

    async def caller() -> None:
        while (began := now()) < start + seconds:
            await way.take(next(wanted))
            took.append((now() - began) * 1000)

    await asyncio.gather(*(caller() for _ in range(callers)))
    ended = now()
    after = (await read(state)).cosmos["inventory"]
    requests, units = (after[name] - before.get(name, 0) for name in ("requests", "requestUnits"))
    return Window(tuple(took), ended - start, requests, units)


_TOGETHER = f"{JUDGED} callers, orders of {LINES} of ten SKUs"


def _alone(callers: int) -> str:
    return f"{callers} caller{'s' * (callers > 1)}, one SKU"


def report(found: dict[str, list[Round]]) -> Report:
    """The figures are those of sixteen callers."""
    name = _alone(JUDGED)
    ours, other = zip(*found[name], strict=True)
    rates, p99s = ([tuple(map(figure, way)) for way in (ours, other)] for figure in JUDGED_BY)
    comparisons = (
        Comparison(f"{name}: successes", RATE_TARGET, rates[0], rates[1], "a second", at_most=False),
        Comparison(f"{name}: p99", P99_TARGET, p99s[0], p99s[1]),
    )
    body: list[list[str | float]] = [
        [name, way, *(round(median(figure(each[number]) for each in rounds), 1) for figure in FIGURES.values())]
        for name, rounds in found.items()
        for number, way in enumerate(("patch", "ETag"))
    ]
    samples = {name: [[each.document() for each in ways] for ways in rounds] for name, rounds in found.items()}
    return Report(comparisons, [Table(("", "way", *FIGURES), body)], samples)


JUDGED_BY: tuple[Callable[[Window], float], ...] = (lambda each: each.rate, lambda each: each.p99)
FIGURES: dict[str, Callable[[Window], float]] = {
    "successes a second": lambda each: each.rate,
    "p50, ms": lambda each: percentile(each.milliseconds, 0.5),
    "p99, ms": lambda each: each.p99,
    "requests a success": lambda each: each.requests / len(each.milliseconds),
    "request units a success": lambda each: each.request_units / len(each.milliseconds),
}
