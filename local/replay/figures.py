"""What a replay cost: counts that the parts of the stack keep about themselves, and the orders' own times."""

import math
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.replay.client import Client
from local.replay.journey import Outcome
from local.verify.stack import read_stack


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment, and the processes that keep them: a process that is started again counts anew."""

    processes: tuple[int, ...]
    cosmos_requests: float
    request_units: float
    messages: float


async def take_reading(state: Path) -> Reading:
    """Asks the stand-ins at `/_stats`, patiently."""
    (cosmos, stored), (service_bus, carried) = [await _stats(state, part) for part in ("cosmos", "service_bus")]
    counts = stored.get("requests", 0), stored.get("requestUnits", 0), carried.get("messagesSent", 0)
    return Reading((cosmos, service_bus), *counts)


async def _stats(state: Path, part: str) -> tuple[int, dict[str, Any]]:
    async with aclosing(Client(read_stack(state).parts[part].control)) as stand_in:
        stats = (await stand_in.send("GET", "_stats")).raise_for_status().json()
    return read_stack(state).parts[part].pid, stats


@dataclass(frozen=True, slots=True)
class Figures:
    """As in the report. None is what could not be measured: no order, or a part that was started again meanwhile."""

    seconds: float
    placed_per_second: float | None
    orders_per_second: float | None
    p50_ms: float | None
    p99_ms: float | None
    cosmos_requests_per_order: float | None
    request_units_per_order: float | None
    messages_per_order: float | None


def figures(outcome: Outcome, before: Reading, after: Reading) -> Figures:
    """Figures over the orders that were placed now; an order's own time runs from its placing to its end."""
    placed, seconds = outcome.placed, outcome.seconds
    took = sorted(
        (datetime.fromisoformat(order["settledAt"]) - datetime.fromisoformat(order["placedAt"])).total_seconds() * 1000
        for order in placed
        if order.get("settledAt") is not None
    )

    def per_order(earlier: float, later: float) -> float | None:
        if not placed or before.processes != after.processes:
            return None
        return round((later - earlier) / len(placed), 2)

    return Figures(
        seconds=round(seconds, 2),
        placed_per_second=round(len(placed) / outcome.placing_seconds, 2) if placed else None,
        orders_per_second=round(len(placed) / seconds, 2) if placed else None,
        p50_ms=_percentile(took, 0.50),
        p99_ms=_percentile(took, 0.99),
        cosmos_requests_per_order=per_order(before.cosmos_requests, after.cosmos_requests),
        request_units_per_order=per_order(before.request_units, after.request_units),
        messages_per_order=per_order(before.messages, after.messages),
    )


def _percentile(values: list[float], share: float) -> float | None:
    """The smallest value that so great a share of all does not pass."""
    return round(values[math.ceil(share * len(values)) - 1], 1) if values else None
