"""What an order costs, as docs/cost.md has it: the page is what the script makes, and the script reckons rightly."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from scripts import cost_inputs, cost_page, costing
from scripts.cost_inputs import Counts, Price

TABLE = cost_inputs.prices()
TOPOLOGY = cost_inputs.data("topology.json")


def price(*tiers: tuple[float, float], units_of: float = 1, source: str | None = "https://example.com") -> Price:
    """A price that nobody asks for."""
    return Price("a meter", "GB", units_of, tiers, "uksouth", "USD", source, "2026-08-15" if source else None)


def test_the_page_is_as_the_script_renders_it() -> None:
    text = cost_page.PAGE.read_text()

    assert cost_page.fill(text) == text, "run scripts/cost"
    assert set(re.findall(r"scripts/cost: (\w+) -->", text)) == set(cost_page.TABLES)


def test_a_table_that_nobody_makes_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="no table is named wages"):
        cost_page.fill("<!-- scripts/cost: wages -->\n<!-- end -->")


def test_each_tier_is_paid_for_what_lies_in_it() -> None:
    operations = TABLE["standardOperations"]

    assert operations.of(13e6) == 0
    assert operations.of(150e6) == pytest.approx(87 * 0.8 + 50 * 0.5)
    assert price((0, 2.0), units_of=10).of(25) == pytest.approx(5.0)


@pytest.mark.parametrize("tiers", [[], [[1, 2.0]], [[0, 1.0], [5, 2.0], [3, 1.0]]])
def test_tiers_that_say_nothing_of_some_quantity_are_refused(tiers: list[list[float]]) -> None:
    listed: Mapping[str, Any] = {"meter": "m", "unit": "GB", "unitsOf": 1, "region": "r", "currency": "USD"}

    with pytest.raises(ValueError, match="the tiers of logs"):
        cost_inputs.prices({"logs": {**listed, "tiers": tiers}})


def test_every_price_says_where_and_when_it_was_read_or_is_marked_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in TABLE.values():
        assert each.meter
        assert each.unit
        assert (each.region, each.currency) in {("uksouth", "USD"), ("westus", "USD")}
        if each.verified:
            assert str(each.source).startswith("https://")
            date.fromisoformat(str(each.date))

    planted = {"a": price((0, 1.0), source=None), "b": price((0, 1.0))}
    monkeypatch.setattr(cost_inputs, "prices", lambda: planted)

    unsaid, said = cost_page.price_table().splitlines()[2:]
    assert "**unverified**" in unsaid
    assert "unverified" not in said


def test_what_was_counted_names_the_contexts_and_entities_of_the_topology() -> None:
    entities = {each["name"] for kind in ("queues", "topics") for each in TOPOLOGY[kind]}
    measured = cost_inputs.data("measured.json")

    assert set(measured["sweep"]) <= set(TOPOLOGY["contexts"])
    for lines in cost_page.ALL_LINES:
        order = cost_inputs.counts(lines)
        assert set(order.requests) <= set(TOPOLOGY["contexts"])
        assert order.sent.keys() | order.received.keys() <= entities


def test_a_context_that_was_not_counted_yet_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = cost_inputs.data("measured.json")
    known = {name: own for name, own in measured["sweep"].items() if name != "shipping"}
    monkeypatch.setattr(
        cost_inputs,
        "data",
        lambda name, data=cost_inputs.data: measured | {"sweep": known} if name == "measured.json" else data(name),
    )

    assert "| shipping | not counted yet |" in cost_page.sweeps()


def test_the_broker_forwards_and_filters_what_goes_to_topics_that_somebody_subscribes_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscriptions = [{"topic": topic} for topic in ("inventory-events", "payments-events")]
    monkeypatch.setattr(cost_inputs, "data", lambda _: {"subscriptions": subscriptions})
    sent = {"orders-events": 4, "inventory-events": 2, "inventory": 2}
    order = Counts(1, {}, {}, sent, {"orders": 2, "inventory": 2}, {})

    found = (order.filtered, order.forwarded, order.credits, order.operations)

    # Eight sent, four received, two filtered; and two forwarded, each received and sent, four settled.
    assert found == (2, 2, (14, 22), 8 + 4 + 4 + 2)


def test_a_month_of_the_small_environment_is_what_paper_says() -> None:
    order = cost_inputs.counts(3)
    lines = {line.what: line for line in costing.bill(cost_inputs.environment("small"), 1_000, order, TABLE)}

    # A second of 2 GB for each execution, as many as are free taken off; and each look reads an order.
    executions = 1_000 * (sum(order.received.values()) + 4) + len(TOPOLOGY["contexts"]) * 43_800
    cost = max(0, executions - 250_000) * 0.4e-6 + (executions * 2 - 100_000) * 0.000037
    assert lines["Functions"].most == pytest.approx(cost)
    assert lines["Functions"].least <= lines["Functions"].most
    assert lines["Service Bus"].most == pytest.approx(730 * 0.013441)
    looks = 2 * 2 * (1 + (order.stored["orders"]["bytes"] / 1024 - 1) / 11)
    sweeps = sum(own["requestUnits"] for own in cost_inputs.data("measured.json")["sweep"].values())
    units = 1_000 * (sum(order.request_units.values()) + looks) + 43_800 * sweeps
    assert lines["Cosmos DB, requests"].most == pytest.approx(units / 1e6 * 0.297)


def test_production_pays_a_tenth_of_its_throughput_at_least_and_its_busiest_second_at_most() -> None:
    place, order = cost_inputs.environment("prod"), cost_inputs.counts(3)

    def requests(orders: float) -> float:
        lines = {line.what: line.most for line in costing.bill(place, orders, order, TABLE)}
        return lines["Cosmos DB, requests"]

    assert requests(0) == pytest.approx(sum(place.throughput.values()) / 10 / 100 * 0.012 * 730)
    assert requests(100_000_000) > 5 * requests(0)


def test_executions_share_an_instance_only_as_far_as_its_concurrency_goes() -> None:
    few = costing.Group("orders", "orders", 1_000, 16, 2.0)
    many = costing.Group("orders", "orders", 100 * cost_inputs.SECONDS, 16, 2.0)

    assert few.shared == pytest.approx(few.alone, rel=0.001)
    assert many.shared == pytest.approx(many.alone / 16)


def test_what_is_read_from_a_snapshot_is_there() -> None:
    small, prod = cost_inputs.environment("small"), cost_inputs.environment("prod")

    assert (small.serverless, small.premium_units, len(small.of("endpoint"))) == (True, 0, 0)
    assert not prod.serverless
    assert prod.premium_units >= 1
    for place in (small, prod):
        assert set(place.throughput) == set(place.scale) == set(TOPOLOGY["contexts"])
        for kind in ("metricAlert", "logAlert"):
            assert place.of(kind), kind
