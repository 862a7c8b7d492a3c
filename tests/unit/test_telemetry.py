"""What the log says, and of whom: of a record nothing but its text reaches Azure."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from shared.errors import Unavailable
from shared.telemetry import log, log_event, logged_with
from tests.unit.world import World


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_line_says_what_it_is_about_in_its_text_and_in_fields(caplog: pytest.LogCaptureFixture) -> None:
    with logged_with(queue="orders", message_id=""), logged_with(order_id="100%s"):
        log.warning("tried %d times", 3)
        log_event("order_overdue", "since %s", "Monday")

    assert texts(caplog) == [
        "tried 3 times (queue=orders, order_id=100%s)",
        "order_overdue: since Monday (queue=orders, order_id=100%s)",
    ]
    [first, _] = caplog.records
    assert (getattr(first, "queue", None), getattr(first, "order_id", None)) == ("orders", "100%s")


def test_a_line_about_nothing_in_particular_is_as_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("100% of it")
    assert texts(caplog) == ["100% of it"]


async def test_a_message_that_goes_later_is_named_with_its_order(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise TimeoutError

    world = World()
    await world.stocked(MUG=1)
    order = await world.placed(("MUG", 1))
    monkeypatch.setattr(world.containers["inventory"], "read", away)
    caplog.set_level(logging.WARNING)
    wire = world.broker.receive("inventory")
    assert wire

    await world.deliver("inventory", wire)

    assert texts(caplog)
    assert all(f"subject={order}" in text and f"message_id={wire.id}" in text for text in texts(caplog))


def test_of_a_failure_that_is_not_ours_a_traceback_has_the_type_and_the_lines_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        try:
            int("12 Ockham Park")
        except ValueError as fault:
            raise Unavailable("the store gave no answer") from fault
    except Unavailable:
        with logged_with(order_id="ord_1"):
            log.exception("it failed")

    [text] = texts(caplog)
    first, second, *rest = text.splitlines()
    assert (first, second) == ("it failed (order_id=ord_1)", "Unavailable('the store gave no answer')")
    assert "ValueError" in rest
    assert text.count("in test_of_a_failure_that_is_not_ours") == 2
    assert text.replace('int("12 Ockham Park")', "").count("Ockham") == 0
    assert caplog.records[0].exc_info is None


async def test_what_is_parked_for_a_fault_of_ours_says_where_it_came_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any) -> None:
        raise ValueError("12 Ockham Park")

    world = World()
    await world.stocked(MUG=1)
    await world.placed(("MUG", 1))
    monkeypatch.setattr("services.inventory.handlers.has_given_up", fault)

    await world.drain(until=timedelta(hours=2))

    [parked] = world.documents("inventory", "parked")
    assert re.fullmatch(r"failed 10 times: ValueError at services/inventory/handlers\.py:\d+", parked["reason"])


def test_a_record_reaches_azure_monitor_with_its_ids_as_attributes() -> None:
    exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()  # type: ignore[no-untyped-call]  # untyped there
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)  # what the worker's `configure_azure_monitor` puts in place
    log.addHandler(handler)
    try:
        with logged_with(message_id="m1", order_id="ord_1"):
            log_event("order_overdue", "since %s", "Monday")
    finally:
        log.removeHandler(handler)

    [record] = (each.log_record for each in exporter.get_finished_logs())
    attributes = record.attributes or {}
    assert record.body == "order_overdue: since Monday (message_id=m1, order_id=ord_1)"
    assert (attributes["order_id"], attributes["message_id"], attributes["event"]) == ("ord_1", "m1", "order_overdue")
