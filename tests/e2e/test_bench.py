"""The benchmarks run from end to end, and write what they measured."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT


@pytest.mark.long
@pytest.mark.stack
def test_what_the_surface_costs_is_measured_on_two_stacks_and_told_by_the_exit_status(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--only", "surface", "--rounds", "2", "--against", "HEAD", "--json", str(report)]

    command = [str(ROOT / "scripts" / "bench"), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400)

    assert report.exists(), done.stderr
    comparisons = json.loads(report.read_text())["comparisons"]
    assert [each["bound"] for each in comparisons] == [1.1, 1.1, 1.05, 1.05, 1.1]
    assert [len(each["whole"]) for each in comparisons] == [2] * 5
    assert all(each["name"] in done.stdout for each in comparisons)
    assert done.returncode == any(each["verdict"] == "exceeded" for each in comparisons)
