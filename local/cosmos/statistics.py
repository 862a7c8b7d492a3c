"""Counters: what `/_stats` shows."""

from collections import defaultdict

from local.faults import Stats


class CosmosStats(Stats):
    """The counters of every part; `requestUnits` in all, and with `requests` `byContainer` (`database/container`)."""

    def __init__(self) -> None:
        super().__init__()
        self._containers: dict[str, dict[str, float]] = defaultdict(lambda: {"requests": 0, "requestUnits": 0.0})

    def charge(self, container: list[str], units: float) -> None:
        """Count one answer's charge, on a container if there are the names of a database and one."""
        self.add("requestUnits", units)
        if len(container) == 2:
            counted = self._containers["/".join(container)]
            counted["requests"] += 1
            counted["requestUnits"] = round(counted["requestUnits"] + units, 3)

    def snapshot(self) -> dict[str, object]:
        """The counters, as JSON."""
        return {**super().snapshot(), "byContainer": dict(self._containers)}
