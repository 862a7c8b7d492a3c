"""The benchmarks run from end to end, and write what they measured."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT

pytestmark = [pytest.mark.long, pytest.mark.stack]


def measured(folder: Path, *options: str) -> list[dict[str, Any]]:
    """What `scripts/bench` has measured with two rounds, and told by its table, its figures and its exit status."""
    report = folder / "report.json"
    command = [str(ROOT / "scripts" / "bench"), *options, "--rounds", "2", "--json", str(report)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=400)

    assert report.exists(), done.stderr
    document = json.loads(report.read_text())
    comparisons: list[dict[str, Any]] = document["comparisons"]
    assert [each["target"] for each in document["figures"]] == [each["bound"] for each in comparisons]
    assert all(each["name"] in done.stdout for each in comparisons)
    assert done.returncode == any(each["verdict"] == "exceeded" for each in comparisons)
    return comparisons


def test_what_the_surface_costs_is_measured_on_two_stacks(tmp_path: Path) -> None:
    comparisons = measured(tmp_path, "--only", "surface", "--against", "HEAD")

    assert [each["bound"] for each in comparisons] == [1.1, 1.1, 1.05, 1.05, 1.1]
    assert [len(each["whole"]) for each in comparisons] == [2] * 5


def test_what_operations_costs_is_counted_and_timed_beside_stacks_without_it(tmp_path: Path) -> None:
    *counted, timed = measured(tmp_path, "--only", "timeline")

    assert [each["bound"] for each in counted] == [1.15] * 3
    assert [(timed["bound"], len(timed["whole"]))] == [(1.1, 2)]
    ratios = [each["ratio"] for each in counted]
    assert ratios == sorted(ratios, reverse=True), "the larger the order, the less it is of it"
    assert 1.03 < ratios[-1] < 1.15
    assert ratios[0] < 1.25
