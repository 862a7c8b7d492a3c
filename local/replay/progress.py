"""Shows how far a replay is: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 5.0


class Gauge:
    """Counts things of several names, each towards its total, and shows them with their rates."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._totals: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._begun: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._said = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:8.1f}/s"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def shown(self) -> Iterator[Self]:
        """While the bars are to be seen."""
        with self._progress:
            yield self

    def begin(self, name: str, total: int) -> None:
        """A new count, at nothing."""
        self._totals[name], self._counts[name] = total, 0
        self._begun[name] = self._last[name] = time.monotonic()
        self._bars[name] = self._progress.add_task(name, total=total, rate=0.0)

    def step(self, name: str, count: int = 1) -> None:
        """So many more of them are done."""
        self._counts[name] += count
        self._last[name] = time.monotonic()
        self._progress.update(self._bars[name], completed=self._counts[name], rate=self._rate(name))
        if self._counts[name] == self._totals[name]:
            self._say([name])
        elif time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._say([name for name, total in self._totals.items() if self._counts[name] < total])

    def idle(self, name: str) -> float:
        """Seconds since the last step, or the beginning."""
        return time.monotonic() - self._last[name]

    def _say(self, names: list[str]) -> None:
        self._said = time.monotonic()
        if not self._console.is_terminal:
            parts = (f"{name} {self._counts[name]}/{self._totals[name]} ({self._rate(name):.1f}/s)" for name in names)
            self._console.print(", ".join(parts), highlight=False, soft_wrap=True)

    def _rate(self, name: str) -> float:
        return self._counts[name] / max(time.monotonic() - self._begun[name], 0.001)
