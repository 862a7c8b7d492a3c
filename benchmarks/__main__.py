"""`scripts/bench`: measures, prints tables, and writes what was measured. The exit status is 1 where a target is missed
by more than the noise."""

import argparse
import sys
import time
from collections.abc import Callable
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
    how = How(given.quick, given.against)
    missed = False
    for name in given.only or BENCHMARKS:
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


if __name__ == "__main__":
    sys.exit(main())
