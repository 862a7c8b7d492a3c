"""Timers fire when they are due, never overlap themselves, and remember what they missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.local.functions_host.conftest import StartHost
from tests.local.functions_host.running import Host
from tests.processes import wait_until

_SETTINGS = {"EACH_SECOND": "* * * * * *"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    started = Host("timers", tmp_path_factory.mktemp("timers"), _SETTINGS)
    yield started.ready()
    started.stop()


def test_timers_fire_and_one_that_takes_longer_than_its_schedule_never_overlaps(host: Host) -> None:
    wait_until(lambda: len(host.said("slow ends")) >= 3)

    messages = [line["message"] for line in host.said("slow ")]
    assert messages[:6] == ["slow begins False {}", "slow ends"] * 3


def test_a_timer_that_raises_is_logged_and_fires_again(host: Host) -> None:
    wait_until(lambda: len(host.said("'Functions.failing' (Failed)")) >= 2)


def test_a_timer_may_fire_at_the_start(host: Host) -> None:
    wait_until(lambda: host.said("at startup False"))


def test_a_timer_of_less_than_a_minute_is_not_monitored(host: Host) -> None:
    wait_until(lambda: host.said("slow ends"))

    assert sorted(file.stem for file in (host.log.parent / "functions_host").iterdir()) == ["at_startup", "yearly"]


def test_a_monitored_timer_keeps_when_it_is_due_and_fires_late_after_it_missed_that(start_host: StartHost) -> None:
    host = start_host("timers", _SETTINGS).ready()
    kept = host.log.parent / "functions_host" / "yearly.json"
    wait_until(kept.exists)
    status = json.loads(kept.read_text())
    wait_until(lambda: host.said("slow begins"))
    assert host.stop() == 0
    assert len(host.said("slow begins")) == len(host.said("slow ends"))  # what is in work is waited for
    assert host.said("yearly ") == []
    assert datetime.fromisoformat(status["Next"]) > datetime.now(UTC)

    missed = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    kept.write_text(json.dumps({**status, "Next": missed}))
    again = host.again().ready()

    assert wait_until(lambda: again.said("yearly "))[0]["message"] == f"yearly True {missed}"
    assert again.stop() == 0
    assert datetime.fromisoformat(json.loads(kept.read_text())["Next"]) > datetime.now(UTC)
