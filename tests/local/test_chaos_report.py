"""What a run of chaos fails for: each thing that is wrong, and each that it hasn't shown enough of."""

from copy import deepcopy
from typing import Any

import pytest

from chaos.report import ENDS, short, summary, wrong
from chaos.schedule import KINDS

type Report = dict[str, Any]


def good(minutes: float = 30) -> Report:
    """Of a run that has reached what it must, and no more."""
    return {
        "minutes": minutes,
        "orders": {
            "placed": 6000,
            "placed_in_time": 200 * minutes,
            "ends": dict.fromkeys(ENDS, 1),
            "unsettled": [],
            "longest": "ord_1",
            "longest_seconds": 100.5,
        },
        "faults": {
            "kills": {"cosmos": 12, "gateway": 8},
            "freezes": {"functions_host_orders": 20},
            "freezes_longer_than_a_lock": 7,
            "struck": dict.fromkeys(KINDS, 1),
        },
        "messages": {
            "locks_lost": 40,
            "locks_lost_by_freezing": 10,
            "dead_lettered": 0,
            "planted": ["poison-1"],
            "parked": [{"context": "orders", "id": "poison-1", "reason": "not a CloudEvent", "repeat": "refused"}],
        },
        "invariants": [{"name": "stock", "holds": True, "checked": 9, "violations": []}],
        "failures": [],
    }


def changed(report: Report, path: str, value: object) -> Report:
    """The report with something else at a place in it."""
    report = deepcopy(report)
    *way, last = path.split("/")
    at = report
    for step in way:
        at = at[step]
    at[last] = value
    return report


@pytest.mark.parametrize("minutes", [30, 3, 1, 0.2])
def test_a_run_that_has_reached_what_it_must_fails_for_nothing(minutes: float) -> None:
    assert [*wrong(good(minutes)), *short(good(minutes))] == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("orders/placed_in_time", 5999, "too few orders placed: 5999, at least 6000 are needed"),
        ("faults/kills", {"cosmos": 19}, "too few kills: 19, at least 20 are needed"),
        ("faults/freezes", {"cosmos": 19}, "too few freezes: 19, at least 20 are needed"),
        ("messages/locks_lost_by_freezing", 9, "too few locks lost by freezing: 9, at least 10 are needed"),
        *((f"orders/ends/{end}", 0, f"too few orders {end}: 0, at least 1 are needed") for end in ENDS),
        *(
            (f"faults/struck/{kind}", 0, f"too few requests struck by {kind}: 0, at least 1 are needed")
            for kind in KINDS
        ),
    ],
)
def test_a_run_fails_below_each_floor(path: str, value: object, said: str) -> None:
    report = changed(good(), path, value)

    assert [*short(report)] == [said]
    assert [*wrong(report)] == []


@pytest.mark.parametrize(
    ("minutes", "path", "enough", "too_few"),
    [
        (3, "orders/placed_in_time", 600, 599),
        (3, "faults/kills", {"cosmos": 2}, {"cosmos": 1}),
        (1, "faults/kills", {"cosmos": 1}, {}),
        (0.2, "faults/freezes", {"cosmos": 1}, {}),
        (3, "messages/locks_lost_by_freezing", 1, 0),
    ],
)
def test_floors_are_in_proportion_to_the_minutes(minutes: float, path: str, enough: object, too_few: object) -> None:
    assert [*short(changed(good(minutes), path, enough))] == []
    assert len([*short(changed(good(minutes), path, too_few))]) == 1


def test_in_a_minute_orders_count_whenever_they_were_placed() -> None:
    late = changed(good(1), "orders/placed_in_time", 0)

    assert [*short(late)] == []
    assert [*short(changed(late, "orders/placed", 199))] == ["too few orders placed: 199, at least 200 are needed"]
    assert len([*short(changed(good(1.1), "orders/placed_in_time", 0))]) == 1


def test_no_lock_is_asked_for_where_no_freeze_can_outlast_one() -> None:
    assert [*short(changed(good(1), "messages/locks_lost_by_freezing", 0))] == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "invariants",
            [{"name": "money", "holds": False, "checked": 9, "violations": ["ord_1: captured 2 times"]}],
            "money doesn't hold: ord_1: captured 2 times",
        ),
        ("orders/unsettled", ["ord_1", "ord_2"], "2 orders came to no end: ord_1, ord_2"),
        ("failures", ["Invoice 1: 422"], "Invoice 1: 422"),
        ("messages/parked", [], "poison-1, which nobody can read, isn't parked: it is lost"),
    ],
)
def test_a_run_fails_for_what_is_wrong(path: str, value: object, said: str) -> None:
    report = changed(good(), path, value)

    assert [*wrong(report)] == [said]
    assert [*short(report)] == []


def test_a_parked_message_that_a_repeat_handles_fails_the_run() -> None:
    report = good()
    report["messages"]["parked"] += [
        {"context": "payments", "id": "evt-1", "reason": "failed 10 times", "repeat": "handled"},
        {"context": "payments", "id": "evt-2", "reason": "failed 10 times", "repeat": "parked again"},
    ]

    assert [*wrong(report)] == ["payments parked evt-1, which a repeat handled: failed 10 times"]


def test_the_summary_tells_all_of_it() -> None:
    text = "\n".join(summary(good()))

    assert "6000 placed" in text
    assert "1 rejected: payment_declined" in text
    assert "the longest took 100.5 s (ord_1)" in text
    assert "20 kills (12 cosmos, 8 gateway)" in text
    assert "20 freezes (20 functions_host_orders)" in text
    assert "40 locks lost, 10 of them by freezing; 0 dead-lettered, 1 parked" in text
    assert "stock         holds" in text
    assert all(f"1 {kind}" in text for kind in KINDS)
