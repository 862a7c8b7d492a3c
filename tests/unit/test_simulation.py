"""New seeds each time: whatever crashes, repeats or arrives out of order, every promise is kept."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

import pytest

from simulation import __main__, reach, report
from simulation.faults import STEPS, STRIKES, strikes
from simulation.incarnation import INCARNATION, NoAnswer, begin
from simulation.loop import VirtualLoop
from simulation.seeds import Outcome, play, play_all
from tests.unit.defects import DEFECTS

ROOT = Path(__file__).parents[2]
SEEDS = 300


def a_new_seed() -> int:
    return SystemRandom().randrange(2**32)


def test_new_seeds_keep_every_promise() -> None:
    first = a_new_seed()

    outcomes = list(play_all(range(first, first + SEEDS), jobs=1))

    broken = ["\n".join(report.of(each)) for each in outcomes if each.violations]
    assert not broken, "\n".join(broken)
    met = sum((each.met for each in outcomes), Counter[tuple[str, str]]())
    ends = [(end, "") for end in reach.ENDS]
    assert [what for what in ends if not met[what]] == [], f"none of {SEEDS} seeds from {first} on came to them"


def test_a_seed_is_one_history_to_the_letter_whatever_the_hash_seed() -> None:
    seed = a_new_seed()

    def trace(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "simulation", "--seed", str(seed), "--trace"]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True).stdout

    one = trace("1")
    assert one.count(b"\n") > 200, seed
    assert one == trace("2"), seed


def test_what_has_crashed_never_goes_on_and_nothing_of_it_is_done_any_more() -> None:
    went_on: list[str] = []

    async def sibling() -> None:
        who = INCARNATION.get()
        assert who
        await who.wait(2)
        went_on.append("another part of it")

    async def code() -> None:
        who = INCARNATION.get()
        assert who
        try:
            async with asyncio.timeout(3):
                await asyncio.gather(who.crash(), sibling())
        except BaseException:
            went_on.append("except")
            raise
        finally:
            went_on.append("finally")

    async def history() -> None:
        with suppress(NoAnswer):
            await begin("orders", "a message", code)
            went_on.append("whoever waited for it")
        await asyncio.sleep(10)
        assert went_on == []

    VirtualLoop().play(history())


def test_a_broken_promise_is_told_with_whom_it_concerns_what_happened_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    DEFECTS["a give-back leaves no tombstone"](monkeypatch)
    monkeypatch.setattr(sys, "argv", ["simulate", "--seed", "100", "--seeds", "12", "--jobs", "1"])

    assert __main__.main() == 1

    said = capsys.readouterr().out
    assert re.search(r"seed (\d+) \(\w+\) broke \d+ promises:\n  .*ord_\w+", said)
    assert re.search(r"What happened to ord_\w+.* \(\d+ of \d+ steps\):\n(  ….*\n)?  +\d+\.\d{3}  ", said)
    assert re.search(r"scripts/simulate --seed \d+ plays it again", said)


def test_a_thousand_seeds_that_miss_a_fault_fail_though_they_keep_every_promise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = Counter(dict.fromkeys((*strikes(), *((what, "") for what in reach.REACHED)), 1))
    met = everything.copy()
    monkeypatch.setattr(__main__, "play_all", lambda seeds, jobs: [Outcome(1, "patient", [], met, [])])
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "1000"])
    assert __main__.main() == 0

    del met["crash after", "orders publish"]
    assert __main__.main() == 1
    assert "Too few of them met: crash after (orders publish)." in capsys.readouterr().out


def test_ten_thousand_seeds_meet_each_fault_at_each_step_ten_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    met = Counter(dict.fromkeys(strikes(), 10) | {(what, ""): 1 for what in reach.REACHED})
    monkeypatch.setattr(__main__, "play_all", lambda seeds, jobs: [Outcome(1, "patient", [], met, [])])
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "10000"])
    assert __main__.main() == 0

    met["lost", "orders message"] = 9
    assert __main__.main() == 1
    assert "Too few of them met: lost (orders message)." in capsys.readouterr().out


def test_every_fault_has_a_step_that_it_can_strike() -> None:
    assert {act for _, act in STEPS} == STRIKES.keys()


def test_a_seed_with_its_trace_has_the_outcome_that_it_has_without() -> None:
    seed = a_new_seed()

    one, other = play(seed), play(seed, traced=True)

    assert (one.violations, one.met) == (other.violations, other.met)
