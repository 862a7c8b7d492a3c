"""The benchmarks run from end to end, and write what they measured. What they find is theirs to judge: no time is
asserted here, only what is counted."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT

pytestmark = [pytest.mark.long, pytest.mark.stack]


def measured(folder: Path, name: str, *options: str) -> dict[str, Any]:
    """What `scripts/bench` has measured, quickly, and told by its tables, its figures and its exit status."""
    command = [str(ROOT / "scripts" / "bench"), "--quick", "--only", name, "--results", str(folder), *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)

    report = folder / f"{name}.json"
    assert report.exists(), done.stderr
    document: dict[str, Any] = json.loads(report.read_text())
    comparisons = document["comparisons"]
    assert all(each.keys() == {"name", "ratio", "target", "at_most"} for each in document["figures"])
    assert all(each["name"] in done.stdout for each in comparisons)
    assert done.returncode == any(each["verdict"] == "missed" for each in comparisons)
    return document


@pytest.mark.parametrize("name", ["capacity", "cold_start", "stand_ins", "hot_sku", "end_to_end"])
def test_each_runs_to_its_end_and_tells_in_the_same_form(name: str, tmp_path: Path) -> None:
    document = measured(tmp_path, name)

    assert (document["benchmark"], document["quick"]) == (name, True)
    assert document["tables"]
    assert document["machine"]["processors"] > 0
    assert "azure-cosmos" in document["versions"]


def test_an_order_takes_on_a_stack_what_is_derived_on_paper(tmp_path: Path) -> None:
    figures = measured(tmp_path, "operations")["figures"]

    assert [(each["ratio"], each["target"]) for each in figures] == [(1.0, 1.0)] * 3


def test_what_the_surface_costs_is_measured_on_two_stacks(tmp_path: Path) -> None:
    comparisons = measured(tmp_path, "surface", "--against", "HEAD")["comparisons"]

    assert [each["target"] for each in comparisons] == [1.1, 1.1, 1.05, 1.05, 1.1]
    assert [len(each["whole"]) for each in comparisons] == [2] * 5


def test_what_operations_costs_is_counted_and_timed_beside_stacks_without_it(tmp_path: Path) -> None:
    document = measured(tmp_path, "timeline")

    *counted, timed = document["comparisons"]
    assert [each["target"] for each in counted] == [1.15] * 3
    assert [(timed["target"], len(timed["whole"]))] == [(1.1, 2)]
    ratios = [each["ratio"] for each in document["figures"][:-1]]
    assert ratios == sorted(ratios, reverse=True), "the larger the order, the less it is of it"
    assert 1.03 < ratios[-1] < ratios[0] < 1.15, "timers are left out where it is to be quick"


def test_a_shop_with_a_past_is_measured_beside_one_with_a_page_of_orders(tmp_path: Path) -> None:
    document = measured(tmp_path, "growth")

    rate, slowest, timers, lists = document["comparisons"]
    assert [(each["target"], each["at_most"]) for each in (rate, timers, lists)] == [
        (0.9, False),
        (1.1, True),
        (1.1, True),
    ]
    assert (round(slowest["target"], 2), slowest["at_most"]) == (1.11, True)
    assert (len(timers["whole"]), len(lists["whole"])) == (2, 1)
    assert [each["ratio"] for each in document["figures"]][3] <= 1.1, "request units are counted, not timed"


def test_the_memory_of_the_host_is_measured_before_and_after_many_orders(tmp_path: Path) -> None:
    document = measured(tmp_path, "memory")

    [comparison] = document["comparisons"]
    assert (comparison["target"], comparison["unit"]) == (1.2, "MiB")
    assert [row[0] for row in document["tables"][0]["rows"]] == [100, 300]
