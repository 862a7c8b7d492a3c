"""Whatever is sent, nothing breaks."""

import os
import subprocess

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.stack

SEED = os.environ.get("ORDERFLOW_SEED") or "1"
"""Always the same: a gate says whether a change broke something. `scripts/fuzz` finds what nobody knew."""


def test_hostile_requests_are_refused_in_an_orderly_way_and_write_nothing() -> None:
    fuzzed = subprocess.run(
        [ROOT / "scripts" / "fuzz", "--requests", "2000", "--seed", SEED], capture_output=True, text=True, check=False
    )
    print(fuzzed.stdout)  # noqa: T201 - its figures, and what to play again
    assert fuzzed.returncode == 0, fuzzed.stderr
