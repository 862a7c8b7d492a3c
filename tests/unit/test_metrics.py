"""What is counted and measured of the work."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracer

from shared.adapters.recorder import OpenTelemetryRecorder
from shared.errors import Unavailable
from shared.metrics import METRICS
from shared.telemetry import record_with
from tests.unit.world import World

type Attributes = dict[str, str]


class Seen:
    """The metrics that were seen, once each is asked for."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meter = MeterProvider([self._reader]).get_meter("tests")

    def all(self) -> dict[str, list[tuple[float, Attributes]]]:
        """Of each its sums, or the largest values, by what they are about."""
        found: dict[str, list[tuple[float, Attributes]]] = {}
        data: Any = self._reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            points: Any = metric.data.data_points
            found[metric.name] = [
                (each.max if hasattr(each, "max") else each.value, dict(each.attributes)) for each in points
            ]
        return found


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    record_with(OpenTelemetryRecorder(NoOpTracer(), seen.meter))
    yield seen
    record_with(None)


async def test_an_order_that_ends_well_is_counted_with_its_revenue_and_the_time_in_each_step(seen: Seen) -> None:
    world = World()
    await world.stocked(MUG=1)
    order = await world.placed(("MUG", 1))
    await world.drain()
    await world.system.sleep(3600)
    body = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    await world.call("dispatch_shipment", body, route={"shipmentId": f"shp_{order}"})
    await world.drain()

    found = seen.all()

    assert found["orderflow.orders.ended"] == [(1, {"state": "completed", "reason": ""})]
    assert found["orderflow.revenue"] == [(250, {"currency": "GBP"})]
    steps = {attributes["step"]: lasted for lasted, attributes in found["orderflow.order.step.duration"]}
    assert steps.keys() == {"reserving_stock", "authorising_payment", "awaiting_dispatch", "settling"}
    assert steps["awaiting_dispatch"] == pytest.approx(3600, abs=60)


async def test_a_stock_out_is_counted_and_what_became_of_the_order(seen: Seen) -> None:
    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 2))
    await world.drain(until=timedelta(minutes=10))

    found = seen.all()

    assert found["orderflow.stock.outs"] == [(1, {})]
    assert found["orderflow.orders.ended"] == [(1, {"state": "rejected", "reason": "out_of_stock"})]
    assert "orderflow.revenue" not in found


async def test_an_order_that_is_given_up_has_ended_its_step_as_others_do(seen: Seen) -> None:
    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 1))
    while world.broker.receive("inventory"):
        pass
    await world.system.sleep(3601)
    await world.sweep()

    found = seen.all()

    [(lasted, about)] = found["orderflow.order.step.duration"]
    assert about == {"step": "reserving_stock"}
    assert lasted == pytest.approx(3601, abs=5)
    assert found["orderflow.order.waiting"] == [(lasted, about)]


async def test_what_is_parked_or_dead_lettered_is_counted_by_queue(seen: Seen) -> None:
    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 1))
    wire = world.broker.receive("inventory")
    assert wire

    await world.deliver("inventory-dead", wire)

    found = seen.all()
    assert found["orderflow.messages.dead_lettered"] == [(1, {"queue": "inventory-dead"})]
    assert found["orderflow.messages.parked"] == [(1, {"queue": "inventory-dead", "cause": "failure"})]


async def test_how_old_the_outbox_and_a_sweep_are_is_measured_at_each_sweep(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    await world.stocked(MUG=1)
    send = world.broker.send

    async def away(*_: Any) -> None:
        raise Unavailable("the broker is away")

    monkeypatch.setattr(world.broker, "send", away)
    await world.placed(("MUG", 1))
    for _ in range(2):
        await world.system.sleep(120)
        with pytest.raises(Unavailable):
            await world.functions["orders_sweep"](None)
    monkeypatch.setattr(world.broker, "send", send)
    await world.functions["shipping_sweep"](None)

    found = seen.all()
    [(oldest, _)] = found["orderflow.outbox.age"]
    assert oldest == pytest.approx(240, abs=1)
    ages = {about["function"]: age for age, about in found["orderflow.sweep.age"]}
    assert ages == {"orders_sweep": pytest.approx(120, abs=1), "shipping_sweep": 0}


def test_each_metric_says_what_it_is() -> None:
    assert len({each.name for each in METRICS}) == len(METRICS)
    assert all(each.name.startswith("orderflow.") and each.unit and each.meaning for each in METRICS)
