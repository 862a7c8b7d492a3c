"""What memory the Functions host holds after many orders, beside what it held after a tenth of them."""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.comparison import Comparison
from benchmarks.crowd import crowd
from benchmarks.end_to_end import CALLERS, SETTINGS
from benchmarks.report import How, Report, Table
from local.verify.stack import read_stack
from scripts.measure_orders import stack

TARGET = 1.2


def measure(how: How) -> Report:
    """One stack, whose timers publish what a busy machine makes the application leave."""
    few, many = how.of((1_000, 10_000), (100, 300))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        with stack(state, SETTINGS):
            held = asyncio.run(_measure(state, few, many), loop_factory=uvloop.new_event_loop)
    return report(held)


async def _measure(state: Path, few: int, many: int) -> dict[int, tuple[float, float]]:
    host = read_stack(state).parts["functions_host"].pid
    held = {}
    async with crowd(state) as customers:
        began = time.monotonic()
        for number, more in ((few, few), (many, many - few)):
            await customers.mostly_rejected(more, CALLERS)
            held[number] = resident(host), time.monotonic() - began
    return held


def resident(process: int) -> float:
    """Mebibytes of memory that a process holds now."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    [kibibytes] = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kibibytes) / 1024


def report(held: dict[int, tuple[float, float]]) -> Report:
    """The memory after so many orders, and the seconds that they took."""
    (_, (before, _)), (many, (after, _)) = held.items()
    comparison = Comparison(f"memory of the host after {many:,} orders", TARGET, (after,), (before,), "MiB")
    rows = [[number, round(memory, 1), round(seconds)] for number, (memory, seconds) in held.items()]
    return Report([comparison], [Table(("orders", "memory of the host, MiB", "seconds from the first"), rows)])
