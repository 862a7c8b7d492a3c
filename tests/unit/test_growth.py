"""What is said of a shop that has grown is of both shops, each beside the other."""

from benchmarks import growth
from tests.unit.test_end_to_end import run


def test_a_shop_that_has_grown_is_told_beside_one_that_has_not() -> None:
    timers = [({"orders": 9.0, "payments": 2.0}, {"orders": 8.0, "payments": 2.0})] * 2
    lists = dict.fromkeys(growth.LISTS, 3.0), dict.fromkeys(growth.LISTS, 2.0)
    rounds = [(run(300, 400, seconds=2), run(200, 200))]

    report = growth.report(100_000, 30.0, timers, lists, rounds)

    assert [each.ratio for each in report.comparisons] == [0.5, 2.0, 1.1, 1.5]
    stored, units = report.tables
    assert stored.rows == [[100_000, 30.0]]
    assert ["a run of the timer of orders", 8.0, 9.0] in units.rows
    assert ["a run of the timer of catalog", 0.0, 0.0] in units.rows
    assert ["GET /api/shipments?status=dispatched", 2.0, 3.0] in units.rows
