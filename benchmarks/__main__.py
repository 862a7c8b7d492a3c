"""`scripts/bench`: measures, prints a table, and writes what was measured. The exit status is 1 where a bound is
exceeded by more than the noise."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.comparison import Comparison, Verdict
from benchmarks.surface import surface
from benchmarks.timeline import timeline

BENCHMARKS: dict[str, Callable[[int, str | None], Iterator[Comparison]]] = {"surface": surface, "timeline": timeline}
HEADINGS = ("measured", "in", "bare", "whole", "ratio", "middle half", "bound", "")
RESULTS = Path(__file__).parent / "results"


def row(comparison: Comparison) -> tuple[str, ...]:
    """A line of the table: the median round's, and how far they spread."""
    low, high = comparison.spread
    whole, bare = comparison.typical
    figures = f"{bare:.2f}", f"{whole:.2f}", f"{comparison.ratio:.3f}", f"{low:.3f} – {high:.3f}"
    return comparison.name, comparison.unit, *figures, f"{comparison.bound:.2f}", comparison.verdict


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |\n"


def document(name: str, rounds: int, comparisons: Sequence[Comparison]) -> dict[str, object]:
    """What was measured, and on what."""
    return {
        "benchmark": name,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "rounds": rounds,
        "figures": [
            {"name": each.name, "ratio": round(each.ratio, 3), "target": each.bound, "at_most": True}
            for each in comparisons
        ],
        "comparisons": [
            asdict(each) | {"ratio": each.ratio, "spread": each.spread, "verdict": each.verdict} for each in comparisons
        ],
    }


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, default="surface", help="which one (default: surface)")
    parser.add_argument("--rounds", type=int, default=20, help="of what is timed, two at least (default: 20)")
    parser.add_argument("--against", metavar="COMMIT", help="what imports are compared with (default: before tokens)")
    parser.add_argument("--json", type=Path, help="where to write what was measured (default: benchmarks/results)")
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("--rounds should be 2 or more: of one there is no spread")
    if not Path("/proc/self/schedstat").exists():
        parser.error("processor time is read from /proc/PID/task/*/schedstat, as Linux has it: run it there")
    sys.stdout.write(line(HEADINGS) + line(["---", "---", *["---:"] * 5, "---"]))
    comparisons = []
    for comparison in BENCHMARKS[given.only](given.rounds, given.against):
        comparisons.append(comparison)
        sys.stdout.write(line(row(comparison)))
        sys.stdout.flush()
    file = given.json or RESULTS / f"{given.only}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document(given.only, given.rounds, comparisons), indent=2) + "\n")
    return int(any(each.verdict is Verdict.EXCEEDED for each in comparisons))


if __name__ == "__main__":
    sys.exit(main())
