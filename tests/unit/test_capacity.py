"""What gives way first is reckoned rightly, from limits that say where they come from, and buckets oversell nothing."""

from datetime import date

import pytest

from benchmarks import capacity
from benchmarks.buckets import Sale, sale
from benchmarks.report import How
from scripts import cost_inputs, costing

PROD = cost_inputs.environment("prod")


def test_every_limit_says_what_it_is_of_and_where_and_when_it_was_read() -> None:
    for each in cost_inputs.data("limits.json").values():
        assert each["limit"] > 0
        assert each["what"]
        assert each["more"]
        assert each["source"].startswith("https://")
        date.fromisoformat(each["read"])


def test_a_resource_carries_its_limit_over_what_an_order_needs() -> None:
    found = {each.name: each for each in capacity.resources(PROD, 1, 0.5)}

    order = cost_inputs.counts(1)
    assert found["container `orders`"].rate == PROD.throughput["orders"] / order.request_units["orders"]
    hot = found["the hot product's stock, one logical partition"]
    assert hot.rate == pytest.approx(2 * 10_000 / costing.units_of_a_line())
    assert found["Stripe, the account"].rate == pytest.approx(100 / 3)
    executions = sum(number for name, number in order.executions.items() if name.startswith("payments/"))
    assert found["instances of `payments`"].rate == pytest.approx(20 / (executions * 0.1 / 16))


def test_a_namespace_that_is_not_premium_is_held_to_its_credits() -> None:
    found = {each.name: each for each in capacity.resources(cost_inputs.environment("small"), 3, 0.1)}

    assert found["Service Bus Standard"].rate == 1000 / cost_inputs.counts(3).credits[1]


def test_with_the_most_of_everything_no_resource_carries_less() -> None:
    as_it_is, most = (capacity.resources(place, 20, 0.1) for place in (PROD, capacity.at_most(PROD)))

    for one, other in zip(as_it_is, most, strict=True):
        assert one.rate <= other.rate, one.name


def test_the_figures_are_of_the_fullest_resource() -> None:
    [slow, *_] = capacity.measure(How(quick=True)).comparisons

    assert slow.ratio == pytest.approx(1 / min(each.rate for each in capacity.resources(PROD, 1, 0.01)))


@pytest.mark.parametrize("buckets", [1, 2, 7, 32])
@pytest.mark.parametrize("quantities", [(1,), (1, 2, 3), (3,)])
async def test_buckets_sell_what_is_there_and_no_more(buckets: int, quantities: tuple[int, ...]) -> None:
    sold = await sale(buckets, quantities, stock=100)

    assert sold.oversold == 0
    most = 100 // min(quantities)
    assert sold.sold <= most
    if len(quantities) == 1 and (quantities == (1,) or buckets == 1):
        assert sold.sold == most


async def test_what_is_left_in_several_buckets_may_be_enough_together_and_in_none() -> None:
    assert (await sale(32, (3,), stock=100)).sold == 32 < 100 // 3


def test_the_busiest_bucket_sets_the_pace() -> None:
    assert Sale(2, 300, 6_000.0, 1.0, 0).rate(10_000) == 500
