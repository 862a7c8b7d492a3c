"""Shows how far a replay is: a line now and then."""

import time
from collections.abc import Callable

_SECONDS_BETWEEN_LINES = 5.0


class Gauge:
    """Counts things of several names, each towards its total, and says how many are done and at what rate."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._totals: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._begun: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._said = time.monotonic()

    def begin(self, name: str, total: int) -> None:
        """A new count, at nothing."""
        self._totals[name], self._counts[name] = total, 0
        self._begun[name] = self._last[name] = time.monotonic()

    def step(self, name: str, count: int = 1) -> None:
        """So many more of them are done."""
        self._counts[name] += count
        self._last[name] = time.monotonic()
        if self._counts[name] == self._totals[name]:
            self._tell([name])
        elif time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._tell([name for name, total in self._totals.items() if self._counts[name] < total])

    def idle(self, name: str) -> float:
        """Seconds since the last step, or the beginning."""
        return time.monotonic() - self._last[name]

    def _tell(self, names: list[str]) -> None:
        self._said = time.monotonic()
        rates = {name: self._counts[name] / max(self._said - self._begun[name], 0.001) for name in names}
        self._say(
            ", ".join(f"{name} {self._counts[name]}/{self._totals[name]} ({rates[name]:.1f}/s)" for name in names)
        )
