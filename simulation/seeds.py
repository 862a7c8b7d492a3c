"""Many histories, each in a loop of its own, shared among processes."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from simulation.faults import scenario_of
from simulation.history import History
from simulation.loop import VirtualLoop
from simulation.reach import reached
from simulation.verdict import violations


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed: the promises that weren't kept, and what was met on the way."""

    seed: int
    scenario: str
    violations: list[str]
    met: Counter[str]


def play(seed: int) -> Outcome:
    """The history of a seed, to its end."""
    history = History(seed, scenario_of(seed))
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(history.play())
    return Outcome(seed, history.scenario.name, list(violations(history)), reached(history))


def play_all(seeds: Sequence[int], jobs: int) -> Iterator[Outcome]:
    """Those of all seeds, in any order."""
    if jobs == 1:
        yield from map(play, seeds)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as processes:
        yield from processes.map(play, seeds, chunksize=4)
