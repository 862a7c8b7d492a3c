"""Nothing is lost, oversold or charged twice, whatever dies: each part is killed at random moments of a replay."""

import asyncio
import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, first_invoices, stack
from tests.processes import until

pytestmark = pytest.mark.stack

SEED = int(os.environ.get("ORDERFLOW_SEED") or random.SystemRandom().randrange(10**6))
PARTS = ("functions_host", "cosmos", "service_bus", pytest.param("payment_provider", marks=pytest.mark.long))


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_invoices(40, tmp_path_factory.mktemp("sales") / "forty.csv")


@pytest.fixture
def restarting(tmp_path: Path) -> Iterator[Stack]:
    with stack(tmp_path / "state", "--restart") as running:
        yield running


async def kill_at_random(running: Stack, part: str, times: int, chance: random.Random) -> None:
    """kill -9, so many times, each after a part of the replay."""
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.5, 6))
        await running.kill(part)


async def replay(running: Stack, sales: Path, tmp_path: Path, *options: str) -> dict[str, Any]:
    """Replay to the end; the report, once the replay's own verification has passed."""
    report = tmp_path / "report.json"
    status, output = await running.run("replay", str(sales), "--seed", str(SEED), "--report", str(report), *options)
    assert status == 0, output
    found: dict[str, Any] = json.loads(report.read_text())
    return found


async def survives(running: Stack, sales: Path, tmp_path: Path, part: str, times: int) -> None:
    print(f"ORDERFLOW_SEED={SEED}")  # noqa: T201 - to play the same again
    chance = random.Random(f"{SEED} {part}")
    options = ("--stock-factor", "0.9", "--decline-every", "9", "--cancel-every", "7")
    killing = asyncio.create_task(kill_at_random(running, part, times, chance))
    report = await replay(running, sales, tmp_path, *options)
    await killing

    async def counted() -> bool:
        """A timer counts what happened some seconds after it did, perhaps after the replay: nothing to examine yet."""
        status, output = await running.run("verify", "--wait", "90")
        assert status == 0, output
        return not re.search(r"^sums .* 0 examined$", output, re.MULTILINE)

    await until(counted)
    orders = report["orders"]
    assert orders["placed"] == 40
    assert orders["completed"] + orders["cancelled"] + sum(orders["rejected"].values()) == 40
    assert (orders["payment_due"], orders["refused"]) == (0, {})
    assert all(invariant["holds"] for invariant in report["invariants"])
    assert {invariant["name"] for invariant in report["invariants"] if not invariant["checked"]} <= {"sums"}


@pytest.mark.parametrize("part", PARTS)
async def test_a_replay_survives_the_death_of_a_part_twice(
    restarting: Stack, sales: Path, tmp_path: Path, part: str
) -> None:
    await survives(restarting, sales, tmp_path, part, times=2)


@pytest.mark.long
@pytest.mark.parametrize("part", [*PARTS, "identity"])
async def test_a_replay_survives_the_death_of_a_part_many_times(
    restarting: Stack, sales: Path, tmp_path: Path, part: str
) -> None:
    await survives(restarting, sales, tmp_path, part, times=6)
