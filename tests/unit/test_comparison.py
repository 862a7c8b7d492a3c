"""What a benchmark says of two ways of doing the same is what it measured of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.comparison import Comparison, Verdict, Way, compare, percentile
from benchmarks.report import How, Report


def of(*ratios: float) -> Comparison:
    return Comparison("it", 1.10, tuple(100 * ratio for ratio in ratios), (100.0,) * len(ratios))


@pytest.mark.parametrize(
    ("ratios", "ratio", "verdict"),
    [
        ([1.05], 1.05, Verdict.MET),
        ([1.0, 1.05, 1.09], 1.05, Verdict.MET),
        ([1.0, 1.1, 5.0], 1.1, Verdict.MET),
        ([1.0, 1.11, 1.2], 1.11, Verdict.UNCLEAR),
        ([1.0, 1.3, 1.3, 1.3], 1.3, Verdict.MISSED),
        ([1.11, 1.12, 1.13], 1.12, Verdict.MISSED),
    ],
    ids=[
        "of one round",
        "within",
        "within but for a moment",
        "over in half of the rounds",
        "over in three quarters",
        "over in all",
    ],
)
def test_a_target_is_missed_only_where_three_quarters_of_the_rounds_are_over_it(
    ratios: Sequence[float], ratio: float, verdict: Verdict
) -> None:
    assert of(*ratios).ratio == pytest.approx(ratio)
    assert of(*ratios).verdict == verdict


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.8, 0.9, 0.85], Verdict.MET),
        ([0.7, 0.75, 0.9, 0.79], Verdict.UNCLEAR),
        ([0.7, 0.75, 0.6], Verdict.MISSED),
    ],
    ids=["reached", "missed in half of the rounds", "missed in all"],
)
def test_what_should_be_reached_is_missed_below(ratios: Sequence[float], verdict: Verdict) -> None:
    assert replace(of(*ratios), target=0.8, at_most=False).verdict == verdict


def test_the_spread_is_what_the_middle_half_of_the_rounds_has() -> None:
    assert of(9.0, 1.0, 1.1, 1.2, 0.1).spread == pytest.approx((1.0, 1.2))


def test_a_round_is_compared_with_itself_alone_so_that_a_machine_that_slows_down_changes_nothing() -> None:
    slower = Comparison("it", 1.10, (110.0, 220.0, 440.0), (100.0, 200.0, 400.0))
    assert slower.ratios == pytest.approx([1.1] * 3)


def test_both_ways_take_turns_from_each_side_and_each_round_tells_what_one_time_took() -> None:
    done: list[str] = []
    whole, bare = (Way(lambda name=name: done.append(name), lambda name=name: 3.0 * done.count(name)) for name in "AB")  # type: ignore[misc]

    time, processor = compare("it", 1.10, whole, bare, rounds=3, turns=2)

    assert "".join(done) == "ABBAABBA" * 3
    assert (processor.name, processor.whole, processor.bare) == ("it, processor time", (3.0,) * 3, (3.0,) * 3)
    assert (time.name, len(time.whole), len(time.bare)) == ("it, time", 3, 3)
    assert min(*time.whole, *time.bare) > 0


def test_what_a_way_sets_going_is_done_before_the_other_has_its_turn() -> None:
    done: list[str] = []
    ways = (Way(lambda name=name: done.append(name), lambda: 0.0, lambda: done.append("rest")) for name in "AB")  # type: ignore[misc]

    compare("it", 1.10, *ways, rounds=1, turns=1)

    assert done == ["A", "rest", "B", "rest", "B", "rest", "A", "rest"]


@pytest.mark.parametrize(("share", "value"), [(0.01, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], share) == value


def test_a_report_misses_where_one_comparison_does_by_more_than_the_noise() -> None:
    assert not Report([of(1.0), of(1.0, 1.11, 1.2)]).missed
    assert Report([of(1.0), of(1.2, 1.3)]).missed


def test_the_file_says_of_each_figure_what_was_to_be_and_of_the_run_whether_it_was_quick() -> None:
    document = Report([of(1.2, 1.4)], samples={"seen": [1, 2]}).document("surface", How(quick=True))

    assert document["figures"] == [{"name": "it", "ratio": 1.3, "target": 1.10, "at_most": True}]
    assert (document["benchmark"], document["quick"], document["samples"]) == ("surface", True, {"seen": [1, 2]})
    assert document["comparisons"][0]["whole"] == (120.0, 140.0)
