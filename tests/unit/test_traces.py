"""One trace from the request through every message to the last effect, whatever comes again, later or by a timer."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.adapters.memory import MemoryBroker
from shared.adapters.recorder import OpenTelemetryRecorder
from shared.errors import Unavailable
from shared.ports import WireMessage
from shared.telemetry import record_with, span
from simulation.world import ENVIRONMENT
from tests.unit.world import World

ROOT = Path(__file__).parents[2]


class Trees:
    """All spans that ended, and how they hang together."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = provider.get_tracer("tests")

    def all(self, name: str = "") -> list[ReadableSpan]:
        return [each for each in self._kept.get_finished_spans() if name in each.name]

    def one(self, name: str) -> ReadableSpan:
        [found] = (each for each in self.all() if each.name == name)
        return found

    def of(self, root: ReadableSpan) -> list[ReadableSpan]:
        """The spans of the trace, each with its parent among them."""
        trace = [each for each in self.all() if trace_of(each) == trace_of(root)]
        ids = {id_of(each) for each in trace}
        lost = [each.name for each in trace if each is not root and (not each.parent or each.parent.span_id not in ids)]
        assert not lost, "they have no parent in the trace"
        return trace


def id_of(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.span_id)


def trace_of(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.trace_id)


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


def names(spans: Sequence[ReadableSpan]) -> list[str]:
    return sorted(each.name for each in spans if not each.name.startswith("operations "))


@pytest.fixture
def trees() -> Iterator[Trees]:
    trees = Trees()
    record_with(OpenTelemetryRecorder(trees.tracer, NoOpMeter("tests")))
    yield trees
    record_with(None)


STEPS = [
    *("place_order", "send OrderPlaced", "send ReserveStock", "inventory ReserveStock", "send StockReserved"),
    *("orders StockReserved", "send AuthorisePayment", "payments AuthorisePayment", "send PaymentAuthorised"),
    *("orders PaymentAuthorised", "send CreateShipment", "send OrderConfirmed", "shipping CreateShipment"),
    *("send ShipmentCreated", "orders ShipmentCreated", "send ShipmentDispatched", "orders ShipmentDispatched"),
    *("send CapturePayment", "send CommitStock", "send OrderShipped", "inventory CommitStock", "send StockCommitted"),
    *("payments CapturePayment", "send PaymentCaptured", "orders StockCommitted", "orders PaymentCaptured"),
    "send OrderCompleted",
]
"""Of an order that ends well, but for operations, which hears of each event."""


async def completed(world: World) -> str:
    order = await world.placed(("MUG", 1))
    await world.drain(until=timedelta(minutes=10))
    shipment = {"shipmentId": f"shp_{order}"}
    body = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    assert (await world.call("dispatch_shipment", body, route=shipment)).status == 200
    await world.drain(until=timedelta(minutes=10))
    [stored] = world.documents("orders", "order")
    assert stored["step"] == "completed"
    return order


async def test_one_trace_leads_from_the_request_to_the_last_effect(trees: Trees) -> None:
    world = World()
    await world.stocked(MUG=1)

    order = await completed(world)

    placing, dispatching = trees.one("place_order"), trees.one("dispatch_shipment")
    trace = trees.of(placing)
    # A context that is new may react, too.
    assert [name for name in names(trace) if name in STEPS] == sorted(STEPS)
    assert {(each.attributes or {}).get("subject") for each in trace if each is not placing} == {order}
    assert trace_of(dispatching) != trace_of(placing)
    sent = trees.one("send ShipmentDispatched")
    assert (linked(dispatching), linked(sent)) == ({id_of(sent)}, {id_of(dispatching)})
    producers = {each.name for each in trace if each.kind is SpanKind.PRODUCER}
    assert producers & set(STEPS) == {name for name in STEPS if name.startswith("send")}


async def test_each_step_hangs_below_the_sending_of_what_it_handles(trees: Trees) -> None:
    world = World()
    await world.stocked(MUG=1)
    await completed(world)

    parents = {id_of(each): each.name for each in trees.all()}
    for step in trees.of(trees.one("place_order")):
        if step.name in ("place_order", "send ShipmentDispatched"):
            continue
        assert step.parent
        above = parents[step.parent.span_id]
        queue, _, contract = step.name.partition(" ")
        assert above == f"send {contract}" if queue != "send" else not above.startswith("send ")


class TwiceBroker(MemoryBroker):
    """Delivers each message a second time."""

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        await super().send(destination, messages, at)
        self.forget()
        await super().send(destination, messages, at)


async def test_what_is_delivered_twice_stays_in_the_trace(trees: Trees) -> None:
    world = World(broker=TwiceBroker)
    await world.stocked(MUG=1)

    await completed(world)

    trace = names(trees.of(trees.one("place_order")))
    assert set(trace) >= set(STEPS)
    assert trace.count("inventory ReserveStock") == trace.count("orders StockReserved") / 2 == 2


async def test_what_is_tried_again_later_is_beside_the_attempt_that_failed(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    await world.stocked(MUG=1)
    read, failures = world.containers["inventory"].read, iter([Unavailable("away")])

    async def once_away(pk: str, id: str) -> Any:
        for failure in failures:
            raise failure
        return await read(pk, id)

    monkeypatch.setattr(world.containers["inventory"], "read", once_away)
    await completed(world)

    trees.of(trees.one("place_order"))
    first, second = trees.all("inventory ReserveStock")
    assert first.parent == second.parent
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET


class DeafBroker(MemoryBroker):
    """Refuses the first sending to a destination, or takes it and loses it."""

    refuses: str | None = None
    loses: str | None = None

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        if destination == self.refuses:
            self.refuses = None
            raise Unavailable("the broker is away")
        if destination == self.loses:
            self.loses = None
        else:
            await super().send(destination, messages, at)


async def test_what_a_sweep_publishes_stays_in_its_trace_and_the_sweep_is_another_with_links(trees: Trees) -> None:
    world = World(broker=DeafBroker)
    assert isinstance(world.broker, DeafBroker)
    await world.stocked(MUG=1)
    world.broker.refuses = "payments"
    order = await world.placed(("MUG", 1))
    await world.drain()

    await world.system.sleep(60)
    await world.sweep()

    trace = trees.of(trees.one("place_order"))
    refused, swept = (each for each in trace if each.name == "send AuthorisePayment")
    sweep = trees.one("orders_sweep")
    assert refused.parent == swept.parent
    assert (refused.status.status_code, swept.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert trace_of(sweep) != trace_of(swept)
    assert (linked(sweep), linked(swept)) == ({id_of(swept)}, {id_of(sweep)})
    assert (swept.attributes or {})["subject"] == order


async def test_what_the_timer_sends_again_goes_on_in_the_trace_of_the_order(trees: Trees) -> None:
    world = World(broker=DeafBroker)
    assert isinstance(world.broker, DeafBroker)
    await world.stocked(MUG=1)
    world.broker.loses = "inventory"
    order = await world.placed(("MUG", 1))

    await world.system.sleep(61)
    await world.sweep()
    await world.drain()

    trace = trees.of(trees.one("place_order"))
    _, again = (each for each in trace if each.name == "send ReserveStock")
    looking = trees.one("look at an order")
    assert trace_of(looking) == trace_of(trees.one("orders_sweep"))
    assert (looking.attributes or {})["order_id"] == order
    assert linked(again) == {id_of(looking)}
    assert "send StockReserved" in names(trace)


async def test_what_a_person_replays_goes_on_in_the_trace_of_the_order(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    await world.stocked(MUG=1)
    with monkeypatch.context() as broken:
        broken.setattr("services.inventory.handlers.has_given_up", None)
        await world.placed(("MUG", 1))
        await world.drain(until=timedelta(hours=2))
    [parked] = world.documents("inventory", "parked")

    answer = await world.call("inventory_replay", route={"parkedId": parked["pk"]})
    await world.drain()

    assert answer.status == 202
    trace = trees.of(trees.one("place_order"))
    *_, replayed = (each for each in trace if each.name == "send ReserveStock")
    assert linked(replayed) == {id_of(trees.one("inventory_replay"))}
    assert "send StockReserved" in names(trace)


async def test_the_callers_trace_and_the_hosts_span_are_above_the_functions(trees: Trees) -> None:
    world = World()
    callers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    await world.call("list_orders", headers={"traceparent": callers})
    with trees.tracer.start_as_current_span("host") as host:
        answer = await world.call("list_orders")

    of_caller, of_host = trees.all("list_orders")
    assert of_caller.parent
    assert f"{of_caller.parent.trace_id:032x}-{of_caller.parent.span_id:016x}" in callers
    assert of_host.parent == host.get_span_context()
    assert f"{host.get_span_context().span_id:016x}" in answer.headers["traceparent"]


async def test_a_span_tells_of_anothers_failure_its_type_and_place_alone(trees: Trees) -> None:
    with pytest.raises(ValueError, match="Ockham"), span("work"):
        raise ValueError("12 Ockham Park")

    work = trees.one("work")
    assert (work.status.status_code, work.status.description) == (StatusCode.ERROR, "ValueError")
    assert not work.events


async def test_what_a_message_carries_is_no_trace_is_passed_over(trees: Trees) -> None:
    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 1))
    wire = world.broker.receive("inventory")
    assert wire
    strange = {**(wire.properties or {}), "traceparent": "12 Ockham Park"}

    await world.deliver("inventory", WireMessage(wire.id, wire.body, properties=strange))

    assert trees.one("inventory ReserveStock").parent is None


def test_without_a_setting_opentelemetry_is_not_even_imported() -> None:
    look = "import function_app, sys; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    environment = {**ENVIRONMENT, "PATH": "/usr/bin:/bin", "SWEEP_SCHEDULE": "0 * * * * *"}

    seen = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert seen.stdout.strip() == "[]"


AZURE_MONITOR = """
import os
from azure_functions_runtime.otel import initialize_azure_monitor, otel_manager
initialize_azure_monitor()
import function_app
from azure.core.settings import settings
from opentelemetry import trace
from shared import telemetry
provider = trace.get_tracer_provider()
with telemetry.span("work"):
    inside = telemetry.current_traceparent()
seen = otel_manager.get_azure_monitor_available(), type(provider.sampler).__name__, settings.tracing_implementation()
print(*seen, inside, flush=True)
os._exit(0)
"""


def test_azure_monitor_is_what_the_worker_sets_up_and_the_settings_of_the_templates_are_such_as_it_takes() -> None:
    template = (ROOT / "infra" / "modules" / "app.bicep").read_text()
    given = dict(re.findall(r"(OTEL_[A-Z_]+): '([^']+)'", template))
    nowhere = "http://127.0.0.1:1/"
    environment = {
        **ENVIRONMENT,
        **given,
        "PATH": "/usr/bin:/bin",
        "SWEEP_SCHEDULE": "0 * * * * *",
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={UUID(int=0)};IngestionEndpoint={nowhere};"
        f"LiveEndpoint={nowhere}",
    }

    seen = subprocess.run(
        [sys.executable, "-c", AZURE_MONITOR], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    available, sampler, sdk, inside = seen.stdout.split()[-4:]
    assert given.keys() == {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "OTEL_TRACES_SAMPLER"}
    assert (available, sampler, sdk) == ("True", "ParentBased", "None")
    assert int(inside[-2:], 16) & 1, "it is sampled"
    assert "Invalid argument" not in seen.stderr
