"""A shop with a past: orders a second, how long one takes, and request units of each timer and list, beside the same
shop with a page of orders."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import uvloop

from benchmarks import past
from benchmarks.comparison import Comparison
from benchmarks.crowd import Crowd, Run, crowd
from benchmarks.end_to_end import CALLERS, together
from benchmarks.fresh import CONTEXTS
from benchmarks.report import How, Report, Table
from benchmarks.timeline import WITH_A_LIMIT, a_run
from local.identity.issuer import Tokens
from local.replay.client import ADMIN, Api
from local.verify.stack import read_stack
from scripts.measure_orders import Reading, read, stack

RATE, UNITS = 0.9, 1.1
RUN_SECONDS = 2
SETTINGS = WITH_A_LIMIT | {
    "SWEEP_SCHEDULE": f"*/{RUN_SECONDS} * * * * *",
    "OPERATIONS_RECONCILE_WINDOW_SECONDS": f"{2 * RUN_SECONDS}",
}
"""Each run of the timers compares what was before two runs, so that none is left of what is over."""
LISTS = (
    "orders",
    "shipments?status=dispatched",
    "operations/orders",
    "operations/disagreements",
    *(f"{kind}/{context}" for kind in ("audit", "parked") for context in CONTEXTS),
)
LOOKS = 5

type Units = dict[str, float]
type Both[What] = tuple[What, What]
"""Of the shop that has a past, and of the one that has none."""


def measure(how: How) -> Report:
    """Two copies of one shop, whose orders fill a page of a list; one is given a past."""
    page, number = how.of(100, 16), how.of(100_000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        grown, fresh = Path(folder, "grown"), Path(folder, "fresh")
        with stack(fresh, SETTINGS):
            asyncio.run(open_shop(fresh, page))
        shutil.copytree(fresh, grown)
        (grown / "ports.json").unlink()  # two stacks can't have the same
        began = time.monotonic()
        past.load(grown / "cosmos" / "cosmos.sqlite", number)
        took = time.monotonic() - began
        with stack(grown, SETTINGS, fresh=False), stack(fresh, SETTINGS, fresh=False):
            timers, lists, rounds = asyncio.run(_measure((grown, fresh), page, how), loop_factory=uvloop.new_event_loop)
    return report(number, took, timers, lists, rounds)


async def open_shop(state: Path, number: int) -> None:
    """Put goods on sale, and sell some. When that is over, timers have counted and compared all of it."""
    async with crowd(state) as customers:
        await customers.closed(number, CALLERS, 1)
    for _ in range(4):
        await a_run(RUN_SECONDS)


async def _measure(shops: Both[Path], page: int, how: How) -> tuple[list[Both[Units]], Both[Units], list[Both[Run]]]:
    for shop in shops:  # what is asked for the first time has the stand-in make an index
        await units_of_lists(shop, page)
    timers = await units_of_timers(shops, how.of(5, 2))
    lists = await units_of_lists(shops[0], page), await units_of_lists(shops[1], page)
    async with crowd(shops[0], stocked=True) as grown, crowd(shops[1], stocked=True) as fresh:
        for customers in (grown, fresh):
            await customers.closed(how.of(32, 16), CALLERS, 1)
        rounds = [await in_turns(grown, fresh, how.of(96, 24)) for _ in range(how.of(3, 1))]
    return timers, lists, rounds


async def in_turns(grown: Crowd, fresh: Crowd, number: int) -> Both[Run]:
    """The one, the other, the other, the one: so many orders each time."""
    first = await grown.closed(number, CALLERS, 1)
    without = [await fresh.closed(number, CALLERS, 1) for _ in range(2)]
    return together([first, await grown.closed(number, CALLERS, 1)]), together(without)


async def units_of_timers(shops: Both[Path], runs: int) -> list[Both[Units]]:
    """Request units of so many runs, by container."""
    await a_run(RUN_SECONDS)
    before = [await read(shop) for shop in shops]
    found = []
    for _ in range(runs):
        await a_run(RUN_SECONDS)
        after = [await read(shop) for shop in shops]
        grown, fresh = (units(later, earlier) for later, earlier in zip(after, before, strict=True))
        found.append((grown, fresh))
        before = after
    return found


async def units_of_lists(shop: Path, page: int) -> Units:
    """Request units of each list's first page, by its path."""
    async with aclosing(Api(read_stack(shop).api, Tokens(shop).of)) as api:
        return {
            path: await units_of_list(api, shop, f"{path}{'&' if '?' in path else '?'}limit={page}") for path in LISTS
        }


async def units_of_list(api: Api, shop: Path, path: str) -> float:
    """Request units of one page, in whichever container: the least of a few times, since a timer may run meanwhile."""
    found = []
    for _ in range(LOOKS):
        before = await read(shop)
        (await api.call(ADMIN, "GET", path)).raise_for_status()
        found.append(sum(units(await read(shop), before).values()))
    return min(found)


def units(later: Reading, earlier: Reading) -> Units:
    """Request units between the two, by container."""
    return {name: counted["requestUnits"] for name, counted in later.less(earlier)["cosmos"].items()}


def report(
    number: int, took: float, timers: Sequence[Both[Units]], lists: Both[Units], rounds: Sequence[Both[Run]]
) -> Report:
    """Rate and time of orders, and that neither timers nor lists take more."""
    runs, without = zip(*rounds, strict=True)
    swept, swept_without = zip(*timers, strict=True)
    comparisons = (
        Comparison("orders", RATE, rates(runs), rates(without), "a second", at_most=False),
        Comparison("an order, placed to completed, p99", 1 / RATE, slowest(runs), slowest(without)),
        Comparison("a run of all timers", UNITS, sums(swept), sums(swept_without), "RU"),
        Comparison("a page of all lists", UNITS, sums(lists[:1]), sums(lists[1:]), "RU"),
    )
    rows: list[list[str | float]] = [
        [f"a run of the timer of {each}", mean(swept_without, each), mean(swept, each)] for each in CONTEXTS
    ]
    rows += [[f"GET /api/{each}", lists[1][each], lists[0][each]] for each in LISTS]
    tables = (
        Table(("orders stored before", "seconds to store them"), [[number, round(took, 1)]]),
        Table(("request units of", "with a page of orders", f"with {number:,} more"), rows),
    )
    samples = {
        "timers": timers,
        "orders": [[run.document() for run in both] for both in rounds],
    }
    return Report(comparisons, tables, samples)


def rates(runs: Sequence[Run]) -> tuple[float, ...]:
    """Orders a second, by round."""
    return tuple(run.rate for run in runs)


def slowest(runs: Sequence[Run]) -> tuple[float, ...]:
    """What 99 % of orders don't pass, by round."""
    return tuple(run.completed(0.99) for run in runs)


def sums(counted: Sequence[Units]) -> tuple[float, ...]:
    """Request units in all, each time."""
    return tuple(sum(each.values()) for each in counted)


def mean(counted: Sequence[Units], name: str) -> float:
    """Request units of one, each time on average."""
    return round(sum(each.get(name, 0.0) for each in counted) / len(counted), 2)
