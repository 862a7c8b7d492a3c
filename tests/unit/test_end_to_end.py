"""What is said of orders end to end is reckoned from what happened to each."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bare_calls, end_to_end, page, paper
from benchmarks.crowd import Run
from benchmarks.end_to_end import Bare
from benchmarks.events import Event, Events, Journey
from local.cosmos.__main__ import provision
from local.cosmos.container import partition_key
from local.cosmos.items import Items, Operation
from local.cosmos.store import Store
from local.topology import load

BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
ORDER = "ord_00000000000040008000000000000000"


def journey(**milliseconds: float) -> Journey:
    """An order whose events came so long after its placing."""
    times = {name: BEGAN + timedelta(milliseconds=after) for name, after in milliseconds.items()}
    return Journey(ORDER, times | {"OrderPlaced": BEGAN})


def run(*completed: float, seconds: float = 1.0, **spent: float) -> Run:
    """Orders that were completed so long after their placing, and waited a second for the warehouse."""
    waited = {"ShipmentCreated": 100, "ShipmentDispatched": 1100}
    journeys = [journey(OrderConfirmed=80, OrderCompleted=1000 + each, **waited) for each in completed]
    return Run(journeys, seconds, spent)


def test_an_order_s_time_is_without_the_wait_for_the_warehouse() -> None:
    one = journey(OrderConfirmed=80, ShipmentCreated=100, ShipmentDispatched=5100, OrderCompleted=5300)

    assert (one.confirmed, one.completed) == (80, 300)


def test_an_order_is_over_when_all_that_is_asked_of_it_was_told() -> None:
    one = journey(OrderConfirmed=80, ShipmentDispatched=150, OrderCompleted=300)
    assert not one.is_over

    one.times["ShipmentCreated"] = BEGAN

    assert one.is_over


def test_the_application_s_share_is_that_of_all_hosts_by_the_order() -> None:
    one = run(300, 300, functions_host_orders=60.0, functions_host_shipping=40.0, cosmos=500.0)

    assert one.application == 50


def test_the_rate_of_a_round_is_of_both_its_runs_beside_both_of_the_script_s() -> None:
    spent = {"functions_host": 40.0, "cosmos": 20.0}
    runs, bare = [run(300, 310, **spent), run(320, 330, seconds=3, **spent)], [Bare(2, 1, 30.0), Bare(2, 1, 10.0)]

    found = end_to_end.report({1: [(runs, bare)]}, {0.5: run(400, 500, seconds=4)})

    rate, processor = found.comparisons
    assert (rate.whole, rate.bare, rate.target, rate.at_most) == ((1.0,), (2.0,), 0.8, False)
    assert (processor.whole, processor.bare, processor.target) == ((20.0,), (10.0,), 1.25)
    closed, parts, opened = (table.rows for table in found.tables)
    assert closed == [["orders of 1 line", 80, 80, 310, 330]]
    assert parts == [["orders of 1 line", 20.0, 10.0]]
    assert opened == [["50%", 0.5, 80, 80, 400, 500]]
    by_part, at_rates = (image for _, image in page.plots_of("end_to_end", found))
    assert "functions_host: 20" in by_part
    assert "completed: p99, ms" in at_rates


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with the stores of the topology."""
    (tmp_path / "cosmos").mkdir()
    with closing(Store(tmp_path / "cosmos" / "cosmos.sqlite")) as store:
        provision(store, load().containers)
    return tmp_path


def put(state: Path, container: str, *, pk: str = ORDER, **members: Any) -> None:
    with closing(Store(state / "cosmos" / "cosmos.sqlite")) as store, store.transaction():
        of = store.container(f"dbs/orderflow/colls/{container}")
        document = {"pk": pk, **members}
        Items(of, partition_key(document, of.key_path), store.sequence).apply(Operation("Create", body=document))


def test_events_are_told_once_and_those_of_no_order_not_at_all(state: Path) -> None:
    put(state, "operations", id="0", kind="event", name="OrderPlaced", orderId=ORDER, at=BEGAN.isoformat())
    with Events(state) as events:
        assert events.new() == [], "what was there before"
        put(state, "operations", id="1", kind="event", name="OrderPlaced", orderId=ORDER, at=BEGAN.isoformat())
        put(state, "operations", id="2", kind="event", name="PriceChanged", orderId=None, at=BEGAN.isoformat())
        put(state, "operations", id="3", kind="cursor")

        assert events.new() == [Event("OrderPlaced", ORDER, BEGAN)]
        assert events.new() == []


def test_the_script_knows_a_step_for_whatever_one_step_sends_another() -> None:
    wanted = {on for on in bare_calls.STEPS if not on.startswith("POST ")}
    sent = {name for step in paper.STEPS for name in step.sends}

    assert wanted <= sent
    assert sent - wanted == {"OrderPlaced", "OrderConfirmed", "OrderShipped", "OrderCompleted"}
