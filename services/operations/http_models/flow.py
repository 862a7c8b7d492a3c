"""The flow of orders in an answer, and its being built anew."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.operations.projections import Rebuild, percentile
from services.operations.queries import Flow
from shared.codec import encode, rfc3339
from shared.fields import Moment, View, optional


class StepView(View):
    """How long one step took, in seconds, each within a tenth."""

    orders: int
    p50: float
    p95: float
    p99: float


class CountedView(View):
    """What there was in a time."""

    since: Moment
    events: dict[str, int]
    """How many of each, by name."""
    rejected: dict[str, int]
    """How many orders, by reason."""
    captured: dict[str, int]
    """Minor units of each currency."""
    steps: dict[str, StepView]
    """From the placing to what inventory said (`stock`), on to what payments said (`payment`), from the confirmation to
    the dispatch (`dispatch`), from a decline or a recall to the end (`undo`), from the dispatch to the end (`settle`),
    and the `whole` way; where an order took it."""


class WindowView(CountedView):
    """What there was in a time, and in each part of it."""

    periods: list[CountedView]
    """Earliest first; the last is under way."""


class FlowView(View):
    """How orders move."""

    under_way: dict[str, int]
    """How many orders wait for what: `stock`, `payment`, `dispatch`, `undo`, `settle`."""
    counted_until: Moment | None = optional()
    """The last event that is counted, by the store's clock."""
    hour: WindowView
    day: WindowView
    week: WindowView

    @classmethod
    def of(cls, flow: Flow) -> "FlowView":
        """The flow as it is shown."""
        windows = {}
        for window, periods in flow.windows.items():
            whole = sum(map(Counter, periods.values()), Counter[str]())
            parts = [_counted(since, counts) for since, counts in periods.items()]
            windows[window] = _counted(min(periods), whole) | {"periods": parts}
        until = rfc3339(flow.counted_until) if flow.counted_until else None
        return cls.model_validate({"underWay": flow.under_way, "countedUntil": until, **windows})


def _counted(since: datetime, counts: Mapping[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {name: {} for name in ("event", "rejected", "captured", "took")}
    for key, number in counts.items():
        group, _, name = key.partition(".")
        found[group][name] = number
    steps: dict[str, dict[int, int]] = defaultdict(dict)
    for key, number in found["took"].items():
        step, _, bin = key.partition(".")
        steps[step][int(bin)] = number
    return {
        "since": rfc3339(since),
        "events": found["event"],
        "rejected": found["rejected"],
        "captured": found["captured"],
        "steps": {
            step: {"orders": sum(bins.values()), **{f"p{p}": percentile(bins, p / 100) for p in (50, 95, 99)}}
            for step, bins in steps.items()
        },
    }


class RebuildView(View):
    """The sums built anew."""

    rebuild_id: str
    since: str
    """The first day that is built anew; those before stay as they are."""
    requested_at: Moment
    finished_at: Moment | None = optional()
    """When it took the place of what was shown; left out while it runs."""

    @classmethod
    def of(cls, rebuild: Rebuild) -> "RebuildView":
        """The rebuild as it is shown."""
        return cls.model_validate(encode(rebuild))
