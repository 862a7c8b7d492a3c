"""Two ways of doing the same, measured in turns in one run, and what may be said of them after that."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median, quantiles


class Verdict(StrEnum):
    """How a ratio stands to its target."""

    MET = "met"
    UNCLEAR = "missed, within the noise"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way of doing it: `work` does it once, `processor` tells the milliseconds of processor time so far of whatever
    does it. `rest` waits, behind each time and without being timed, until all that it has set going is done."""

    work: Callable[[], object]
    processor: Callable[[], float]
    rest: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What each round found of the whole way and of the bare one, in `unit`: what doing it once took, or, of a rate,
    how often it could be done."""

    name: str
    target: float
    """What the ratio may be `at_most`; otherwise what it should be at least."""
    whole: tuple[float, ...]
    bare: tuple[float, ...]
    unit: str = "ms"
    at_most: bool = True

    @property
    def ratios(self) -> list[float]:
        """Of the whole to the bare, by round."""
        return [whole / bare for whole, bare in zip(self.whole, self.bare, strict=True)]

    @property
    def typical(self) -> tuple[float, float]:
        """The whole's and the bare's median round, each by itself."""
        return median(self.whole), median(self.bare)

    @property
    def ratio(self) -> float:
        """The median round's."""
        return median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """Between which the ratios of the middle half of the rounds are."""
        low, _, high = quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self) -> Verdict:
        """Missed is only what three quarters of the rounds agree on."""
        if self._meets(self.ratio):
            return Verdict.MET
        return Verdict.UNCLEAR if any(map(self._meets, self.spread)) else Verdict.MISSED

    def _meets(self, ratio: float) -> bool:
        return ratio <= self.target if self.at_most else ratio >= self.target


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so great a share of all doesn't pass."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def compare(
    name: str, target: float, whole: Way, bare: Way, *, rounds: int, turns: int
) -> tuple[Comparison, Comparison]:
    """Do both in so many rounds of so many turns; the time that it took, and the processor time.

    A turn is the whole, the bare, the bare, the whole: what grows slower or faster meanwhile does so for both. A
    round's time is the median of its own.
    """
    measured = [_round(whole, bare, turns) for _ in range(rounds)]
    (times, bare_times), (spent, bare_spent) = (zip(*rounds, strict=True) for rounds in zip(*measured, strict=True))
    return (
        Comparison(f"{name}, time", target, times, bare_times),
        Comparison(f"{name}, processor time", target, spent, bare_spent),
    )


def _round(whole: Way, bare: Way, turns: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """The times of the whole and the bare, and their processor times."""
    times: dict[Way, list[float]] = {whole: [], bare: []}
    before = {way: way.processor() for way in times}
    for way in (whole, bare, bare, whole) * turns:
        began = time.perf_counter()
        way.work()
        times[way].append((time.perf_counter() - began) * 1000)
        way.rest()
    spent = {way: (way.processor() - before[way]) / len(taken) for way, taken in times.items()}
    return (median(times[whole]), median(times[bare])), (spent[whole], spent[bare])
