"""NCRONTAB: six fields, seconds first, or five; UTC; both day fields must match."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.ncrontab import Schedule

_START = datetime(2026, 11, 24, 6, 0, 30, 500_000, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * * *", "2026-11-24T06:00:31"),
        ("*/10 * * * * *", "2026-11-24T06:00:40"),
        ("0 * * * * *", "2026-11-24T06:01:00"),
        ("* * * * *", "2026-11-24T06:01:00"),
        ("*/15 * * * *", "2026-11-24T06:15:00"),
        ("0 5/20 * * * *", "2026-11-24T06:05:00"),
        ("0 30 9 * * 1-5", "2026-11-24T09:30:00"),
        ("0 0 3 * * *", "2026-11-25T03:00:00"),
        ("5,35,50 0 6 * * *", "2026-11-24T06:00:35"),
        ("0 0 0-8/4 * * *", "2026-11-24T08:00:00"),
        ("0 0 0 1 * *", "2026-12-01T00:00:00"),
        ("0 0 0 * * 0", "2026-11-29T00:00:00"),
        ("0 0 0 13 * 5", "2027-08-13T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_a_schedule_tells_when_it_is_next_due(expression: str, due: str) -> None:
    assert Schedule(expression).next(_START) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    ["* * * *", "60 * * * * *", "* * 24 * * *", "0 0 0 0 * *", "5-2 * * * * *", "*/0 * * * * *", "x * * * *"],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"fields|out of bounds|supported"):
        Schedule(expression)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        Schedule("0 0 0 30 2 *")


@settings(max_examples=50)
@given(
    seconds=st.sets(st.integers(0, 59), min_size=1),
    minutes=st.sets(st.integers(0, 59), min_size=1),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - the zone is added
)
def test_no_time_that_matches_is_passed_over(seconds: set[int], minutes: set[int], start: datetime) -> None:
    start = start.replace(tzinfo=UTC)
    first, expression = start.replace(microsecond=0), f"{_listed(seconds)} {_listed(minutes)} * * * *"
    times = (first + timedelta(seconds=passed) for passed in range(1, 3 * 3600))

    due = Schedule(expression).next(start)

    assert due == next(time for time in times if time.second in seconds and time.minute in minutes)


def _listed(values: set[int]) -> str:
    return ",".join(map(str, values))
