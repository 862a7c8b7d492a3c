"""What a replay prints, writes and ends with, as whoever calls it sees it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.__main__ import app
from local.replay import command
from local.replay.figures import Reading, figures
from local.replay.form import COLUMNS
from local.replay.journey import Load, Outcome
from local.replay.plan import Plan
from local.replay.report import Report
from local.verify.invariants import Finding

_SALES = f"{','.join(COLUMNS)}\n1,A,MUG,1,2010-12-01,2,,France\n"
_ORDER = {
    "orderId": "ord_1",
    "status": "completed",
    "total": {"amount": 200},
    "placedAt": "2026-11-24T06:00:00Z",
    "settledAt": "2026-11-24T06:00:02Z",
}


@pytest.mark.parametrize(
    ("outcome", "holds", "status"),
    [
        (Outcome({"1": _ORDER}), True, 0),
        (Outcome({"1": _ORDER}, refused=Counter(total_outside_limits=2)), True, 0),
        (Outcome({"1": _ORDER}, refused=Counter({"idempotency-key-reused": 1}), failures=["Invoice 1: 422"]), True, 1),
        (Outcome({"1": _ORDER}), False, 1),
        (Outcome({"1": _ORDER | {"settledAt": None}}), True, 3),
    ],
)
def test_the_status_tells_outcomes_from_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, holds: bool, status: int
) -> None:
    async def play(planned: Plan, state: Path, how: Load, seed: int) -> Report:
        nothing = Reading((1, 2), 0, 0, 0)
        return Report(planned, how, outcome, figures(outcome, nothing, nothing), [Finding("stock", holds, 1, [])])

    monkeypatch.setattr(command, "_play", play)
    (tmp_path / "sales.csv").write_text(_SALES)
    (tmp_path / "stack.json").write_text(json.dumps({"api": "http://127.0.0.1:9/api", "currency": "GBP", "parts": []}))
    (tmp_path / "keys.json").write_text("{}")
    outcome.seconds = outcome.placing_seconds = 2.0

    options = ["--state", str(tmp_path), "--report", str(tmp_path / "report.json"), "--rate", "5"]
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "sales.csv"), *options])

    assert done.exit_code == status, done.output
    assert "sales.csv is read as utf-8, fields by commas, decimal points, dates ymd" in done.output
    assert "1 placed, 5 a second (open loop)" in done.output
    told: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert (told["load"], told["orders"]["placed"]) == ("5 a second (open loop)", 1)
    assert (told["orders"]["refused"], told["failures"]) == (dict(outcome.refused), outcome.failures)
