"""Service Bus functions: peek-lock as Azure's host does it, against the stand-in over AMQP."""

from __future__ import annotations

import asyncio
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from local.functions_host.service_bus import Receiver
from local.functions_host.settings import HostJson
from local.functions_host.worker import Function
from tests.local.functions_host.conftest import StartHost
from tests.local.functions_host.running import Bus, Host
from tests.processes import wait_until

_TOPOLOGY: dict[str, Any] = {
    "contexts": ["reader"],
    "containers": [],
    "queues": [
        {"name": "whole"},
        {"name": "failing", "maxDeliveryCount": 3},
        {"name": "short-locks", "lockDuration": "PT2S"},
        {"name": "long-locks"},
        {"name": "limited", "lockDuration": "PT2S"},
    ],
    "topics": [{"name": "news"}],
    "subscriptions": [{"topic": "news", "name": "reader"}],
    "grants": [{"context": "reader", "send": [], "receive": []}],
}


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    started = Bus(tmp_path_factory.mktemp("bus"), _TOPOLOGY)
    started.start()
    yield started
    started.process.stop()


@pytest.fixture(scope="module")
def host(bus: Bus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    started = Host("queues", tmp_path_factory.mktemp("queues"), _settings(bus))
    yield started.ready()
    assert started.stop() == 0


@pytest.fixture
def limited(bus: Bus, start_host: StartHost) -> Host:
    return start_host("limits", _settings(bus)).ready()


def _settings(bus: Bus) -> dict[str, str]:
    return {"BUS": bus.connection, "WHOLE_QUEUE": "whole"}


def test_a_function_is_given_a_messages_body_and_properties(bus: Bus, host: Host) -> None:
    # With data_type binary, what a JSON body holds doesn't overwrite the message's own properties.
    body = b'{"messageId": "not this one", "subject": {}, "State": "x"}'
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    properties: dict[str | bytes, Any] = {"text": "é", "number": 7, "flag": True, "traceparent": trace}
    bus.send(
        "whole",
        ServiceBusMessage(
            body,
            message_id="m-1",
            correlation_id="ord_1",
            content_type="application/json",
            subject="news",
            application_properties=properties,
        ),
    )

    seen = wait_until(lambda: host.said("given"))[0]["seen"]
    assert seen["body"] == body.decode()
    assert (seen["message_id"], seen["correlation_id"], seen["subject"]) == ("m-1", "ord_1", "news")
    assert (seen["content_type"], seen["delivery_count"]) == ("application/json", 1)
    assert seen["properties"] == properties
    assert seen["enqueued"].startswith("20")
    assert seen["zone"] == "None"
    assert str(uuid.UUID(seen["lock_token"])) == seen["lock_token"]
    assert seen["sequence_number"] > 0
    assert re.fullmatch("00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01", seen["trace_parent"])


async def test_nobody_reads_from_a_connection_beside_the_host(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS", bus.connection)
    trigger = {"type": "serviceBusTrigger", "queueName": "whole", "connection": "BUS", "dataType": "BINARY"}
    host = HostJson(route_prefix="", prefetch_count=0, concurrent_calls=1, lock_renewal=300)
    intervals, stop = list[float](), asyncio.Event()

    class Watched(Receiver):
        async def _work(self, receiver: ServiceBusReceiver) -> None:
            intervals.append(receiver._handler._keep_alive_interval)
            stop.set()
            await super()._work(receiver)

    async with (
        ServiceBusClient.from_connection_string(bus.connection) as client,
        client.get_queue_receiver("whole") as other,
    ):
        assert other._handler._keep_alive_interval == 5
    await Watched(Function("keep", "1", (trigger,)), host).run(stop)

    assert intervals == [sys.maxsize]


def test_success_completes_a_message(bus: Bus, host: Host) -> None:
    bus.send("whole", *[b"%d" % number for number in range(100)])

    wait_until(lambda: not bus.messages("whole"))
    bodies = [line["seen"]["body"] for line in host.said("given")]
    assert sorted(int(body) for body in bodies if body.isdecimal()) == list(range(100))


def test_a_topics_subscription_is_drained_by_a_function_in_a_thread(bus: Bus, host: Host) -> None:
    bus.publish("news", ServiceBusMessage(b'{"of": "today"}'))

    wait_until(lambda: host.said("news {'of': 'today'}"))
    wait_until(lambda: not bus.messages("news/subscriptions/reader"))


def test_an_exception_abandons_at_once_until_the_broker_dead_letters(bus: Bus, host: Host) -> None:
    bus.send("failing", b"the reason")

    wait_until(lambda: [message for message in bus.messages("failing") if message["state"] == "deadLettered"])
    assert [line["message"] for line in host.said("failing ")] == ["failing 1", "failing 2", "failing 3"]
    assert "ValueError: the reason" in host.said("(Failed)")[0]["exception"]


def test_the_lock_is_renewed_while_a_function_works(bus: Bus, host: Host) -> None:
    bus.send("short-locks", b"5")

    wait_until(lambda: host.said("short ends"))
    wait_until(lambda: not bus.messages("short-locks"))
    assert len(host.said("short begins")) == 1


def test_a_lock_that_is_lost_is_logged_and_the_message_comes_again(bus: Bus, host: Host) -> None:
    bus.send("long-locks", b"1")
    wait_until(lambda: host.said("long begins"))
    bus.disturb(kind="expire-locks", path="long-locks")

    wait_until(lambda: len(host.said("long ends")) == 2)
    wait_until(lambda: not bus.messages("long-locks"))
    assert [line["level"] for line in host.said("its lock is lost, it comes again")] == ["WARNING"]


def test_what_is_in_work_when_the_connection_breaks_is_settled_over_the_next_one(bus: Bus, host: Host) -> None:
    before = len(host.said("long begins"))
    bus.send("long-locks", b"1")
    wait_until(lambda: len(host.said("long begins")) == before + 1)
    bus.disturb(kind="outage", seconds=0.5)

    wait_until(lambda: not bus.messages("long-locks"))
    assert len(host.said("long begins")) == before + 1


def test_a_message_that_is_slow_to_be_completed_holds_up_no_other(bus: Bus, host: Host) -> None:
    bus.disturb(kind="slow", seconds=5, operation="Settle", path="^whole$", count=1)
    bus.send("whole", b"held up")
    wait_until(lambda: [line for line in host.said("given") if line["seen"]["body"] == "held up"])

    bus.send("whole", *[b"passing"] * 8)

    wait_until(lambda: len(bus.messages("whole")) <= 2)
    assert "held up" in [message["body"] for message in bus.messages("whole")]


def test_no_more_than_the_allowed_number_works_at_once(bus: Bus, limited: Host) -> None:
    bus.send("limited", *[b"0.3"] * 6)

    wait_until(lambda: not bus.messages("limited"))
    assert limited.said("at most 2")
    assert not limited.said("at most 3")


def test_a_lock_is_renewed_for_no_longer_than_host_json_allows(bus: Bus, limited: Host) -> None:
    bus.send("limited", b"4")

    wait_until(lambda: not bus.messages("limited"))
    assert limited.said("delivery 2")
    wait_until(lambda: limited.said("its lock is lost, it comes again"))


def test_at_the_end_a_message_in_work_is_waited_for_but_its_success_is_abandoned(bus: Bus, limited: Host) -> None:
    bus.send("limited", b"1")
    wait_until(lambda: limited.said("begins"))

    assert limited.stop() == 0

    assert limited.said("ended")
    (message,) = bus.messages("limited")
    assert (message["state"], message["deliveryCount"]) == ("active", 1)


def test_a_host_that_is_killed_loses_no_message(bus: Bus, limited: Host, start_host: StartHost) -> None:
    bus.send("limited", *[b"0.2"] * 6)
    wait_until(lambda: limited.said("begins"))
    limited.kill()

    start_host("limits", _settings(bus)).ready()

    wait_until(lambda: not bus.messages("limited"))


def test_a_host_may_start_before_the_broker_and_finds_one_that_was_killed_and_started_again(
    tmp_path: Path, start_host: StartHost
) -> None:
    bus = Bus(tmp_path, _TOPOLOGY)
    host = start_host("queues", _settings(bus)).ready()
    wait_until(lambda: host.said("No connection for function whole"))

    for number in range(2):
        bus.start()
        bus.send("whole", b"%d" % number)
        wait_until(lambda: not bus.messages("whole"))
        bus.process.kill()

    assert [line["seen"]["body"] for line in host.said("given")] == ["0", "1"]
