"""`scripts/bench`: measures, prints tables, and writes what was measured. The exit status is 1 where a target is missed
by more than the noise."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from benchmarks.report import How, Report

BENCHMARKS = (
    "operations",
    "capacity",
    "cold_start",
    "stand_ins",
    "hot_sku",
    "end_to_end",
    "growth",
    "memory",
    "surface",
    "timeline",
)
COUNTING = ("operations", "capacity", "memory")
"""Those that look at no clock, and may run beside another."""
RESULTS = Path(__file__).parent / "results"


def benchmark(name: str) -> Callable[[How], Report]:
    """The one of this name: each is a module with a function `measure`."""
    measure: Callable[[How], Report] = import_module(f"benchmarks.{name}").measure
    return measure


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--only",
        choices=BENCHMARKS,
        action="append",
        help="this one; may be given again (default: all)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="just enough to see that each runs; the figures say little"
    )
    parser.add_argument("--against", metavar="COMMIT", help="what imports are compared with (default: before tokens)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where to write what was measured")
    given = parser.parse_args()
    if not Path("/proc/self/schedstat").exists():
        parser.error("processor time is read from /proc/PID/task/*/schedstat, as Linux has it: run it there")
    names = given.only or BENCHMARKS
    options = ["--results", str(given.results), *(["--quick"] if given.quick else [])]
    options += ["--against", given.against] if given.against else []
    # Quickly figures say little anyway.
    beside = [name for name in names if given.quick or name in COUNTING] if len(names) > 1 else []
    alone = [name for name in names if name not in beside]
    missed = two_at_a_time(beside, options)
    how = How(given.quick, given.against)
    for name in alone:
        began = time.monotonic()
        sys.stdout.write(f"## {name}\n\n")
        sys.stdout.flush()
        report = benchmark(name)(how)
        report.write(given.results, name, how)
        missed |= report.missed
        for table in report.text():
            sys.stdout.write(f"{table}\n\n")
        sys.stdout.write(f"{time.monotonic() - began:.0f} seconds\n\n")
        sys.stdout.flush()
    return int(missed)


def two_at_a_time(names: Sequence[str], options: Sequence[str]) -> bool:
    """Each in a process of its own; whether one misses its target."""

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "benchmarks", "--only", name, *options]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)

    missed = False
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run, name) for name in reversed(names)]  # the long ones first
        for done in (each.result() for each in reversed(running)):
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            missed |= done.returncode != 0
    return missed


if __name__ == "__main__":
    sys.exit(main())
