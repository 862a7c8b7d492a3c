"""Orders through REST to their end, many at a time: how many a second, how long each takes, and what processor time,
beside a bare script that makes the same calls of the same stand-ins."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from benchmarks import processor
from benchmarks.bare_calls import BareOrders, bare_orders
from benchmarks.comparison import Comparison
from benchmarks.crowd import Crowd, Run, crowd
from benchmarks.report import How, Report, Table
from scripts.measure_orders import stack

TARGET = 0.8
SETTINGS = {"SWEEP_SCHEDULE": "*/10 * * * * *", "ORDERS_PER_CUSTOMER_PER_MINUTE": "1000000"}
"""Orders are counted, as a shop counts them, and nobody places too many; what a busy machine makes the application
leave unpublished, a timer publishes."""
CALLERS, SHARES = 16, (0.25, 0.5, 0.75, 0.9)
SIZES = {1: 96, 20: 32}
"""Lines of an order, and how many orders of them a run has."""


@dataclass(frozen=True, slots=True)
class Bare:
    """What so many orders took without the application: seconds, and milliseconds of the script's processor time."""

    orders: int
    seconds: float
    spent: float

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    @property
    def processor(self) -> float:
        """Milliseconds of an order."""
        return self.spent / self.orders


type Rounds = list[tuple[list[Run], list[Bare]]]


def measure(how: How) -> Report:
    """Two stacks, in turns: the whole, and stand-ins alone with the script."""
    with tempfile.TemporaryDirectory() as folder:
        whole, bare = Path(folder, "whole"), Path(folder, "bare")
        with stack(whole, SETTINGS), stack(bare, {}, ("local", "up", "--stand-ins")):
            return asyncio.run(_measure(whole, bare, how), loop_factory=uvloop.new_event_loop)


async def _measure(whole: Path, bare: Path, how: How) -> Report:
    async with crowd(whole) as customers, bare_orders(bare) as script:
        await customers.closed(how.of(64, 16), CALLERS, 1)
        await script.closed(how.of(64, 16), CALLERS, 1)
        closed: dict[int, Rounds] = {}
        for lines, number in how.of(SIZES, {1: 32}).items():
            closed[lines] = [await in_turns(customers, script, number, lines) for _ in range(how.of(3, 1))]
        rate = median(each.rate for runs, _ in closed[1] for each in runs)
        opened = {share: await customers.open(share * rate, how.of(15, 4), 1) for share in how.of(SHARES, (0.5,))}
    return report(closed, opened)


async def in_turns(customers: Crowd, script: BareOrders, number: int, lines: int) -> tuple[list[Run], list[Bare]]:
    """The whole, the bare, the bare, the whole."""
    runs = [await customers.closed(number, CALLERS, lines)]
    bare = [await alone(script, number, lines) for _ in range(2)]
    return [*runs, await customers.closed(number, CALLERS, lines)], bare


async def alone(script: BareOrders, number: int, lines: int) -> Bare:
    """So many orders of the script's, which this process runs."""
    before = processor.spent([os.getpid()])
    seconds = await script.closed(number, CALLERS, lines)
    return Bare(number, seconds, processor.spent([os.getpid()]) - before)


def report(closed: dict[int, Rounds], opened: dict[float, Run]) -> Report:
    """Of each size the rate and the processor time beside the script's, each round's two runs as one."""
    comparisons, times, parts = [], list[list[str | float]](), list[list[str | float]]()
    for lines, rounds in closed.items():
        size = f"orders of {lines} line{'s' * (lines > 1)}"
        whole, bare = [together(runs) for runs, _ in rounds], [in_all(scripts) for _, scripts in rounds]
        rates = tuple(each.rate for each in whole), tuple(each.rate for each in bare)
        spent = tuple(each.application for each in whole), tuple(each.processor for each in bare)
        comparisons.append(Comparison(size, TARGET, *rates, "a second", at_most=False))
        comparisons.append(Comparison(f"{size}, processor time", 1 / TARGET, *spent))
        everyone = together(whole)
        times.append([size, *_times(everyone)])
        parts.append([size, *(round(spent / len(everyone.journeys), 1) for spent in everyone.spent.values())])
    samples = {
        "closed": {lines: [[run.document() for run in runs] for runs, _ in rounds] for lines, rounds in closed.items()},
        "open": {f"{share:.0%}": run.document() for share, run in opened.items()},
    }
    at_rates: list[list[str | float]] = [
        [f"{share:.0%}", round(run.rate, 1), *_times(run)] for share, run in opened.items()
    ]
    tables = (
        Table((f"{CALLERS} callers, one order each at a time", *_TIMES), times),
        Table(("ms of processor time an order", *everyone.spent), parts),
        Table(("of the rate reached", "orders a second", *_TIMES), at_rates),
    )
    return Report(comparisons, tables, samples)


def together(runs: Sequence[Run]) -> Run:
    """Several as one."""
    journeys = [journey for run in runs for journey in run.journeys]
    spent = {part: sum(run.spent[part] for run in runs) for part in runs[0].spent}
    return Run(journeys, sum(run.seconds for run in runs), spent)


def in_all(runs: Sequence[Bare]) -> Bare:
    """Several as one."""
    return Bare(*(sum(each) for each in zip(*((run.orders, run.seconds, run.spent) for run in runs), strict=True)))


_TIMES = ("confirmed: p50, ms", "p99", "completed: p50, ms", "p99")


def _times(run: Run) -> list[float]:
    return [round(time(share)) for time in (run.confirmed, run.completed) for share in (0.5, 0.99)]
