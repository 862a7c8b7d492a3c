"""What a benchmark has found: tables for people, a file for programs. Every benchmark tells it in this one form."""

import json
import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Verdict
from scripts.cost_text import number, rows

PACKAGES = ("azure-cosmos", "azure-functions", "azure-functions-runtime", "azure-servicebus", "pydantic", "uvloop")
"""Whose versions change what is measured."""


@dataclass(frozen=True, slots=True)
class How:
    """What of a benchmark is wanted: all of it, or, `quick`, enough to see that it runs. `against`: what commit imports
    are compared with."""

    quick: bool = False
    against: str | None = None

    def of[T](self, whole: T, quick: T) -> T:
        """The one, or where it has to be quick the other."""
        return quick if self.quick else whole


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; numbers are written as people read them."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def text(self) -> str:
        """In Markdown."""
        return rows(
            self.heading, ([each if isinstance(each, str) else number(each) for each in row] for row in self.rows)
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Comparisons, each a figure with its target; what else is to be read, as tables; and what was measured, raw."""

    comparisons: Sequence[Comparison] = ()
    tables: Sequence[Table] = ()
    samples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missed(self) -> bool:
        """Whether a target is missed by more than the noise."""
        return any(each.verdict is Verdict.MISSED for each in self.comparisons)

    def text(self) -> Iterator[str]:
        """The tables, the comparisons' last."""
        yield from (table.text() for table in self.tables)
        if self.comparisons:
            yield Table(_HEADING, [_row(each) for each in self.comparisons]).text()

    def document(self, name: str, how: How) -> dict[str, Any]:
        """What was measured, when, and on what."""
        return {
            "benchmark": name,
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": how.quick,
            "machine": machine(),
            "versions": {
                "python": platform.python_version(),
                "sqlite": sqlite3.sqlite_version,
                **{each: version(each) for each in PACKAGES},
            },
            "figures": [
                {"name": each.name, "ratio": round(each.ratio, 3), "target": each.target, "at_most": each.at_most}
                for each in self.comparisons
            ],
            "comparisons": [asdict(each) | {"verdict": each.verdict} for each in self.comparisons],
            "tables": [asdict(each) for each in self.tables],
            "samples": self.samples,
        }

    def write(self, folder: Path, name: str, how: How) -> None:
        """Into a file of the benchmark's name."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(self.document(name, how), indent=1) + "\n")


def read(folder: Path, name: str) -> tuple[Report, dict[str, Any]] | None:
    """What was written of a benchmark, and all else that the file says; None where there is no file."""
    file = folder / f"{name}.json"
    if not file.exists():
        return None
    document: dict[str, Any] = json.loads(file.read_text())
    comparisons = [
        Comparison(
            each["name"], each["target"], tuple(each["whole"]), tuple(each["bare"]), each["unit"], each["at_most"]
        )
        for each in document["comparisons"]
    ]
    return Report(comparisons, [Table(**each) for each in document["tables"]], document["samples"]), document


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    load, _, _ = os.getloadavg()
    return {
        "processors": os.cpu_count(),
        "system": platform.system(),
        "kind": platform.machine(),
        "load": round(load, 2),
    }


_HEADING = ("measured", "in", "bare", "whole", "ratio", "middle half", "target", "")


def _row(comparison: Comparison) -> list[str]:
    """The median round's, and how far they spread."""
    low, high = comparison.spread
    whole, bare = comparison.typical
    figures = f"{bare:.2f}", f"{whole:.2f}", f"{comparison.ratio:.3f}", f"{low:.3f} – {high:.3f}"
    target = f"{'≤' if comparison.at_most else '≥'} {comparison.target:.2f}"
    return [comparison.name, comparison.unit, *figures, target, comparison.verdict]
