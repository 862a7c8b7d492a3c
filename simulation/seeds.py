"""Many histories, each in a loop of its own, shared among processes."""

import gc
import logging
import math
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from shared.telemetry import log
from simulation.faults import scenario_of
from simulation.history import History
from simulation.loop import VirtualLoop
from simulation.reach import reached
from simulation.verdict import violations

_SEEDS_OF_A_PROCESS = 50
"""A history leaves some 2 MB of garbage, and to clear that away takes a tenth of the time: a process that ends after a
few needn't."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed: the promises that weren't kept, what was met on the way, and the trace."""

    seed: int
    scenario: str
    violations: list[str]
    met: Counter[tuple[str, str]]
    trace: list[str]


def play(seed: int, *, traced: bool = False) -> Outcome:
    """The history of a seed, to its end; with its trace, or else where a promise was broken."""
    # Nothing of what is logged is shown: what counts of it, `Told` hears.
    level, log.propagate, silence = log.level, False, logging.NullHandler()
    log.setLevel(logging.ERROR)
    log.addHandler(silence)
    try:
        return VirtualLoop().play(_played(seed, traced))
    finally:
        log.removeHandler(silence)
        log.setLevel(level)
        log.propagate = True


async def _played(seed: int, traced: bool) -> Outcome:
    history = History(seed, scenario_of(seed))
    try:
        await history.play()
        broken = list(violations(history))
    except Exception:  # noqa: BLE001 - it is told of like a broken promise
        broken = [*history.world.witness.wrong, f"the history broke off: {traceback.format_exc()}"]
    trace = list(history.world.trace.lines()) if traced or broken else []
    return Outcome(seed, history.scenario.name, broken, reached(history), trace)


def play_all(seeds: Sequence[int], jobs: int) -> Iterator[Outcome]:
    """Those of all seeds, in their order."""
    if jobs == 1:
        yield from map(play, seeds)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    size = min(_SEEDS_OF_A_PROCESS, math.ceil(len(seeds) / jobs))
    # One task each: in Python 3.13 an executor whose processes may do a few stops where one of them ends
    # (https://github.com/python/cpython/issues/115634).
    with ProcessPoolExecutor(jobs, context, gc.disable, max_tasks_per_child=1) as processes:
        yield from processes.map(play, seeds, chunksize=size)
