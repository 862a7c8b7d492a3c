"""`scripts/chaos`, as anybody runs it: the promise holds while it kills, freezes and misleads a stack of its own."""

import json
import os
import random
import signal
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import pytest

from tests.processes import ROOT, wait_until

pytestmark = pytest.mark.stack

SEED = int(os.environ.get("ORDERFLOW_SEED") or random.SystemRandom().randrange(10**6))


def chaos(tmp_path: Path, *options: str) -> Popen[str]:
    """The command, started, with its state in a folder of the test's own."""
    print(f"ORDERFLOW_SEED={SEED}")  # noqa: T201 - to play the same again
    command = [sys.executable, "-P", "-m", "chaos", "--seed", str(SEED), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    return Popen(command, env=environment, stdout=PIPE, stderr=STDOUT, text=True)


def survived(tmp_path: Path, minutes: float) -> dict[str, Any]:
    """The report of a run, once it has failed for nothing."""
    report = tmp_path / "report.json"
    with chaos(tmp_path, "--minutes", str(minutes), "--report", str(report)) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_short_run_breaks_nothing_and_shows_what_it_must(tmp_path: Path) -> None:
    report = survived(tmp_path, 0.15)

    assert report["fails"] == []
    assert all(invariant["holds"] and invariant["checked"] for invariant in report["invariants"])
    assert {message["repeat"] for message in report["messages"]["parked"]} == {"refused"}
    assert not [*tmp_path.glob("chaos-*")]


@pytest.mark.long
def test_some_minutes_break_nothing_and_freeze_a_host_for_longer_than_it_holds_a_lock(tmp_path: Path) -> None:
    report = survived(tmp_path, 3)

    assert report["faults"]["freezes_longer_than_a_lock"] >= 1
    assert report["messages"]["locks_lost_by_freezing"] >= 1


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_all_its_processes_even_the_frozen_ones(tmp_path: Path, how: signal.Signals) -> None:
    with chaos(tmp_path, "--minutes", "3") as process:
        assert process.stdout is not None
        while " frozen for " not in (line := process.stdout.readline()):
            assert line, "it ended before it froze anything"
        [stack] = tmp_path.glob("chaos-*/state/stack.json")
        told = json.loads(stack.read_text())

        process.send_signal(how)
        process.communicate()

    assert process.returncode == 130
    pids = [told["supervisor"], *(part["pid"] for part in told["parts"])]
    wait_until(lambda: not [pid for pid in pids if lives(pid)])
    assert not [*tmp_path.glob("chaos-*")]
