"""How a container's limit of request units is kept."""

import pytest

from local.cosmos.throughput import Throughput


def test_a_request_is_admitted_while_units_are_left_and_its_debt_is_waited_for() -> None:
    throughput = Throughput(rate=400, at=0)

    assert throughput.wait(0) == 0
    throughput.spend(1000)

    assert throughput.wait(0) == pytest.approx(601 / 400)
    assert throughput.wait(1.5) > 0
    assert throughput.wait(601 / 400) == 0


def test_units_of_idle_seconds_are_not_kept() -> None:
    throughput = Throughput(rate=400, at=0)
    assert throughput.wait(60) == 0

    throughput.spend(400)

    assert throughput.wait(60) > 0


def test_whoever_waits_as_told_spends_no_more_than_the_rate() -> None:
    throughput, now, spent = Throughput(rate=400, at=0), 0.0, 0.0
    while now < 100:
        now += throughput.wait(now)
        throughput.spend(28)
        spent += 28

    assert spent == pytest.approx(400 * 100, rel=0.02)
