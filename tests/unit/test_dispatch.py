"""The ways out of a failing handler: at once, later, parked."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.contracts import Contract
from shared.contracts.inventory import ReserveStock
from shared.dispatch import Dispatcher, Handler, RetryTimes
from shared.errors import (
    AlreadyExists,
    BrokenPromise,
    ConditionFailed,
    MessageTooLarge,
    Postponed,
    TooEarly,
    Unavailable,
)
from shared.messaging import first, to_wire
from shared.ports import Document, WireMessage
from tests.unit.world import TOPOLOGY, VirtualSystem

type Work = Callable[[], Awaitable[None]]


class Dependencies:
    """One dispatcher of inventory's queue, whose only handler does what the test says."""

    def __init__(self, work: Work) -> None:
        self.system = VirtualSystem()
        self.container = FailingContainer()
        self.broker = FailingBroker(TOPOLOGY, self.system)
        self.calls = 0
        self.work = work
        handlers: dict[type[Contract], Handler] = {ReserveStock: self._handle}
        times = RetryTimes()
        self.dispatcher = Dispatcher("inventory", handlers, self.container, self.broker, self.system, times)

    async def _handle(self, command: ReserveStock) -> None:
        self.calls += 1
        self.last = command
        await self.work()

    async def deliver(self, wire: WireMessage) -> None:
        await self.dispatcher.handle(wire)

    async def deliver_until_quiet(self, wire: WireMessage) -> None:
        await self.deliver(wire)
        while due := self.broker.next_due():
            self.system.advance_to(due)
            again = self.broker.receive("inventory")
            assert again
            await self.deliver(again)

    @property
    def parked(self) -> list[Document]:
        return self.container.documents("parked")


class FailingContainer(MemoryContainer):
    """A store whose next writes fail."""

    failures = 0

    async def write(self, pk: str, operations: Any) -> list[str]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the store is away")
        return await super().write(pk, operations)


class FailingBroker(MemoryBroker):
    """A broker whose next sends fail."""

    failures = 0

    async def send(self, *arguments: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the broker is away")
        await super().send(*arguments)


def command(retry_after: timedelta | None = None) -> WireMessage:
    system = VirtualSystem()
    retry_until = system.now() + retry_after if retry_after else None
    return to_wire(first(ReserveStock("ord_1", ()), "ord_1", system.now(), retry_until=retry_until))


def raises(*failures: Exception | None) -> Work:
    """Fails with each in turn, the last one for ever; None succeeds."""
    left = list(failures)

    async def work() -> None:
        failure = left.pop(0) if len(left) > 1 else left[0]
        if failure:
            raise failure

    return work


async def test_a_message_that_is_handled_leaves_nothing_behind() -> None:
    deps = Dependencies(raises(None))
    await deps.deliver(command())
    assert (deps.calls, deps.parked, deps.broker.sent) == (1, [], [])


@pytest.mark.parametrize("failure", [ConditionFailed(0), AlreadyExists(0)])
async def test_another_writer_being_faster_is_tried_again_at_once(failure: Exception) -> None:
    deps = Dependencies(raises(failure, failure, None))
    started = deps.system.now()
    await deps.deliver(command())
    assert deps.calls == 3
    assert deps.system.now() - started < timedelta(seconds=1)
    assert deps.broker.sent == []


async def test_after_eight_tries_within_a_second_it_goes_later() -> None:
    deps = Dependencies(raises(ConditionFailed(0)))
    started = deps.system.now()
    await deps.deliver(command())
    assert deps.calls == 8
    assert deps.system.now() - started < timedelta(seconds=1)
    assert len(deps.broker.sent) == 1


async def test_what_is_transient_is_sent_again_to_its_queue_with_a_growing_delay_and_another_id() -> None:
    deps = Dependencies(raises(*[Unavailable("away")] * 5, None))
    handled_at = []
    work = deps.work

    async def noted() -> None:
        handled_at.append(deps.system.now())
        await work()

    deps.work = noted
    await deps.deliver_until_quiet(command())

    delays = [(after - before).total_seconds() for before, after in pairwise(handled_at)]
    assert len(delays) == 5
    for number, delay in enumerate(delays):
        assert 0.75 * 2 * 2**number <= delay <= 2 * 2**number
    assert len({wire.id for _, wire in deps.broker.sent} | {command().id}) == 6
    assert deps.parked == []


async def test_two_copies_of_a_handler_that_fail_do_not_become_two_chains() -> None:
    deps = Dependencies(raises(Unavailable("away")))
    await deps.deliver(command())
    await deps.deliver(command())
    assert len(deps.broker.sent) == 1


async def test_an_outage_of_hours_loses_nothing_and_parks_nothing() -> None:
    deps = Dependencies(raises(None))
    recovery = deps.system.now() + timedelta(hours=20)

    async def away_until_recovery() -> None:
        if deps.system.now() < recovery:
            raise Unavailable("away")

    deps.work = away_until_recovery
    await deps.deliver_until_quiet(command())
    assert deps.system.now() >= recovery
    assert deps.parked == []


async def test_after_twenty_four_hours_of_later_it_is_parked() -> None:
    deps = Dependencies(raises(TooEarly("the order isn't there")))
    started = deps.system.now()
    await deps.deliver_until_quiet(command())
    [parked] = deps.parked
    assert "still failing after 1 day" in parked["reason"]
    assert timedelta(hours=23) < deps.system.now() - started <= timedelta(hours=24)


async def test_a_command_that_is_sent_again_completes_once_its_next_resend_is_nearer_than_its_retry() -> None:
    deps = Dependencies(raises(Unavailable("away")))
    await deps.deliver_until_quiet(command(retry_after=timedelta(minutes=1)))
    assert deps.calls > 3
    assert deps.parked == []
    assert deps.system.now() - VirtualSystem().now() < timedelta(minutes=1)


@pytest.mark.parametrize("failure", [BrokenPromise("the protocol rules it out"), KeyError("a fault of ours")])
async def test_what_stays_wrong_for_ten_tries_is_parked_with_reason_and_attempts(failure: Exception) -> None:
    deps = Dependencies(raises(failure))
    wire = command(retry_after=timedelta(minutes=1))
    await deps.deliver_until_quiet(wire)
    [parked] = deps.parked
    assert deps.calls == 10
    assert parked["attempts"] == 10
    assert "failed 10 times" in parked["reason"]
    assert parked["queue"] == "inventory"
    assert json.loads(parked["message"]["body"])["orderId"] == "ord_1"
    assert parked["message"]["properties"]["cloudEvents_type"] == "orderflow.inventory.ReserveStock.v1"


async def test_transient_failures_in_between_do_not_count_as_tries() -> None:
    failures = [BrokenPromise("no"), Unavailable("away")] * 9
    deps = Dependencies(raises(*failures, None))
    await deps.deliver_until_quiet(command())
    assert deps.parked == []
    assert deps.calls == 19


async def test_a_message_that_is_postponed_remembers_why_and_is_not_left_to_its_resend() -> None:
    remembering = ReserveStock("ord_1", (), short_since=datetime(2026, 11, 24, 6, tzinfo=UTC))
    deps = Dependencies(raises(Postponed("short", remembering), None))
    await deps.deliver_until_quiet(command(retry_after=timedelta(seconds=1)))
    assert (deps.calls, deps.last) == (2, remembering)


async def test_an_event_that_would_be_too_large_is_parked_at_once() -> None:
    deps = Dependencies(raises(MessageTooLarge("300000 bytes")))
    await deps.deliver(command())
    assert [parked["reason"] for parked in deps.parked] == ["300000 bytes"]


POISON = {
    "not a CloudEvent": WireMessage("m1", b"{}"),
    "unknown type": WireMessage("m1", b"{}", properties={"cloudEvents_type": "orderflow.x.Y.v1"}),
    "the body is not JSON": WireMessage("m1", b"\xff\x00", properties={}),
    "/lines is missing": WireMessage("m1", b'{"orderId":"ord_1"}', properties={}),
    "/lines/0/quantity should be of type int": WireMessage(
        "m1", b'{"orderId":"ord_1","lines":[{"sku":"A","quantity":"1"}]}', properties={}
    ),
    "/ should be an object": WireMessage("m1", b"[]", properties={}),
    "cloudEvents_subject should be a text": WireMessage("m1", b"{}", properties={"cloudEvents_subject": 7}),
}


@pytest.mark.parametrize("reason", POISON)
async def test_a_message_that_cannot_be_read_is_parked_at_once_with_the_reason(reason: str) -> None:
    deps = Dependencies(raises(None))
    poison = POISON[reason]
    if poison.properties is not None:
        poison = WireMessage("m1", poison.body, properties=dict(command().properties or {}) | dict(poison.properties))

    await deps.deliver(poison)

    [parked] = deps.parked
    assert reason in parked["reason"]
    assert parked["pk"] == "m1"
    assert deps.calls == 0


async def test_a_message_without_an_id_is_parked_under_its_digest() -> None:
    deps = Dependencies(raises(None))
    await deps.deliver(WireMessage("", b"one"))
    await deps.deliver(WireMessage("", b"two"))
    await deps.deliver(WireMessage("", b"two"))
    assert len(deps.parked) == 2


async def test_a_known_type_that_nobody_here_wants_completes() -> None:
    deps = Dependencies(raises(None))
    properties = dict(command().properties or {}) | {"cloudEvents_type": "orderflow.orders.OrderConfirmed.v1"}
    await deps.deliver(WireMessage("m1", b'{"orderId":"ord_1"}', properties=properties))
    assert (deps.calls, deps.parked, deps.broker.sent) == (0, [], [])


async def test_parking_waits_for_the_store() -> None:
    deps = Dependencies(raises(None))
    deps.container.failures = 3
    await deps.deliver_until_quiet(WireMessage("m1", b"nonsense"))
    assert len(deps.parked) == 1


async def test_sending_again_waits_for_the_broker_below_half_the_lock() -> None:
    deps = Dependencies(raises(Unavailable("away"), None))
    deps.broker.failures = 3
    started = deps.system.now()
    await deps.deliver(command())
    assert len(deps.broker.sent) == 1
    assert deps.system.now() - started < timedelta(seconds=30)


async def test_when_neither_store_nor_broker_answers_the_function_raises_so_that_the_broker_delivers_again() -> None:
    deps = Dependencies(raises(Unavailable("away")))
    deps.broker.failures = 1000
    started = deps.system.now()
    with pytest.raises(Unavailable):
        await deps.deliver(command())
    assert deps.system.now() - started < timedelta(seconds=30)


async def test_a_dead_letter_is_parked_with_the_brokers_reason() -> None:
    deps = Dependencies(raises(None))
    wire = command()
    properties = dict(wire.properties or {}) | {"DeadLetterReason": "MaxDeliveryCountExceeded"}
    await deps.dispatcher.park_dead_letter(WireMessage(wire.id, wire.body, properties=properties))
    assert [parked["reason"] for parked in deps.parked] == ["dead-lettered: MaxDeliveryCountExceeded"]


async def test_a_poison_message_does_not_hold_up_the_one_behind_it() -> None:
    deps = Dependencies(raises(None))
    await deps.deliver(WireMessage("m1", b"nonsense"))
    await deps.deliver(command())
    assert deps.calls == 1
