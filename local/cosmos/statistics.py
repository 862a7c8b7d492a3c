"""Counters: what `/_stats` shows."""

from collections import Counter

from local.faults import Stats


class CosmosStats(Stats):
    """The counters of every part, and `requestUnits`, in all and in `byContainer` (with `requests`)."""

    def __init__(self) -> None:
        super().__init__()
        self._units, self._requests = Counter[str](), Counter[str]()

    def charge(self, container: str | None, units: float) -> None:
        """Count one answer's charge; `container` is `database/container`, None where it was about none."""
        self.add("requestUnits", units)
        if container is not None:
            self._units[container] += units  # type: ignore[assignment]  # a Counter counts fractions as well
            self._requests[container] += 1

    def snapshot(self) -> dict[str, object]:
        """The counters, as JSON."""
        containers = {
            name: {"requests": count, "requestUnits": round(self._units[name], 3)}
            for name, count in self._requests.items()
        }
        return {**super().snapshot(), "byContainer": containers}
