"""The ways out of a failing handler: at once, later, parked."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from shared.adapters.memory import MemoryBroker
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
from shared.ports import Delete, Document, WireMessage
from simulation.clock import VirtualSystem
from simulation.topology import TOPOLOGY
from tests.unit.forgetful import LOST, ForgetfulContainer

type Work = Callable[[], Awaitable[None]]


class Setting:
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


class FailingContainer(ForgetfulContainer):
    """A store whose next writes fail, or are done and their answers lost."""

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
    setting = Setting(raises(None))
    await setting.deliver(command())
    assert (setting.calls, setting.parked, setting.broker.sent) == (1, [], [])


@pytest.mark.parametrize("failure", [ConditionFailed(0), AlreadyExists(0)])
async def test_another_writer_being_faster_is_tried_again_at_once(failure: Exception) -> None:
    setting = Setting(raises(failure, failure, None))
    started = setting.system.now()
    await setting.deliver(command())
    assert setting.calls == 3
    assert setting.system.now() - started < timedelta(seconds=1)
    assert setting.broker.sent == []


async def test_after_eight_tries_within_a_second_it_goes_later() -> None:
    setting = Setting(raises(ConditionFailed(0)))
    started = setting.system.now()
    await setting.deliver(command())
    assert setting.calls == 8
    assert setting.system.now() - started < timedelta(seconds=1)
    assert len(setting.broker.sent) == 1


async def test_what_is_transient_is_sent_again_to_its_queue_with_a_growing_delay_and_another_id() -> None:
    setting = Setting(raises(*[Unavailable("away")] * 5, None))
    handled_at = []
    work = setting.work

    async def noted() -> None:
        handled_at.append(setting.system.now())
        await work()

    setting.work = noted
    await setting.deliver_until_quiet(command())

    delays = [(after - before).total_seconds() for before, after in pairwise(handled_at)]
    assert len(delays) == 5
    for number, delay in enumerate(delays):
        assert 0.75 * 2 * 2**number <= delay <= 2 * 2**number
    assert len({wire.id for _, wire in setting.broker.sent} | {command().id}) == 6
    assert setting.parked == []


async def test_two_copies_of_a_handler_that_fail_do_not_become_two_chains() -> None:
    setting = Setting(raises(Unavailable("away")))
    await setting.deliver(command())
    await setting.deliver(command())
    assert len(setting.broker.sent) == 1


async def test_an_outage_of_hours_loses_nothing_and_parks_nothing() -> None:
    setting = Setting(raises(None))
    recovery = setting.system.now() + timedelta(hours=20)

    async def away_until_recovery() -> None:
        if setting.system.now() < recovery:
            raise Unavailable("away")

    setting.work = away_until_recovery
    await setting.deliver_until_quiet(command())
    assert setting.system.now() >= recovery
    assert setting.parked == []


async def test_after_twenty_four_hours_of_later_it_is_parked() -> None:
    setting = Setting(raises(TooEarly("the order isn't there")))
    started = setting.system.now()
    await setting.deliver_until_quiet(command())
    [parked] = setting.parked
    assert "still failing after 1 day" in parked["reason"]
    assert timedelta(hours=23) < setting.system.now() - started <= timedelta(hours=24)


async def test_a_command_that_is_sent_again_completes_once_its_next_resend_is_nearer_than_its_retry() -> None:
    setting = Setting(raises(Unavailable("away")))
    await setting.deliver_until_quiet(command(retry_after=timedelta(minutes=1)))
    assert setting.calls > 3
    assert setting.parked == []
    assert setting.system.now() - VirtualSystem().now() < timedelta(minutes=1)


@pytest.mark.parametrize("failure", [BrokenPromise("the protocol rules it out"), KeyError("a fault of ours")])
async def test_what_stays_wrong_for_ten_tries_is_parked_with_reason_and_attempts(failure: Exception) -> None:
    setting = Setting(raises(failure))
    wire = command(retry_after=timedelta(minutes=1))
    await setting.deliver_until_quiet(wire)
    [parked] = setting.parked
    assert setting.calls == 10
    assert parked["attempts"] == 10
    assert "failed 10 times" in parked["reason"]
    assert parked["queue"] == "inventory"
    assert json.loads(parked["message"]["body"])["orderId"] == "ord_1"
    assert parked["message"]["properties"]["cloudEvents_type"] == "orderflow.inventory.ReserveStock.v1"


async def test_transient_failures_in_between_do_not_count_as_tries() -> None:
    failures = [BrokenPromise("no"), Unavailable("away")] * 9
    setting = Setting(raises(*failures, None))
    await setting.deliver_until_quiet(command())
    assert setting.parked == []
    assert setting.calls == 19


async def test_a_message_that_is_postponed_remembers_why_and_is_not_left_to_its_resend() -> None:
    remembering = ReserveStock("ord_1", (), short_since=datetime(2026, 11, 24, 6, tzinfo=UTC))
    setting = Setting(raises(Postponed("short", remembering), None))
    await setting.deliver_until_quiet(command(retry_after=timedelta(seconds=1)))
    assert (setting.calls, setting.last) == (2, remembering)


async def test_an_event_that_would_be_too_large_is_parked_at_once() -> None:
    setting = Setting(raises(MessageTooLarge("300000 bytes")))
    await setting.deliver(command())
    assert [parked["reason"] for parked in setting.parked] == ["300000 bytes"]


POISON = {
    "not a CloudEvent": WireMessage("m1", b"{}"),
    "unknown type": WireMessage("m1", b"{}", properties={"cloudEvents_type": "com.example.Y"}),
    "the body is not JSON": WireMessage("m1", b"\xff\x00", properties={}),
    "/lines is missing": WireMessage("m1", b'{"orderId":"ord_1"}', properties={}),
    "/lines/0/quantity should be of type int": WireMessage(
        "m1", b'{"orderId":"ord_1","lines":[{"sku":"A","quantity":"1"}]}', properties={}
    ),
    "/ should be an object": WireMessage("m1", b"[]", properties={}),
    "cloudEvents_subject should be a text": WireMessage("m1", b"{}", properties={"cloudEvents_subject": 7}),
    "cloudEvents_id should be a text of 1 to 200": WireMessage("m1", b"{}", properties={"cloudEvents_id": "x" * 3000}),
    "/giveUpAt should be a time": WireMessage(
        "m1", b'{"orderId":"ord_1","lines":[],"giveUpAt":"2026-11-24T06:00:00"}', properties={}
    ),
}


@pytest.mark.parametrize("reason", POISON)
async def test_a_message_that_cannot_be_read_is_parked_at_once_with_the_reason(reason: str) -> None:
    setting = Setting(raises(None))
    poison = POISON[reason]
    if poison.properties is not None:
        poison = WireMessage("m1", poison.body, properties=dict(command().properties or {}) | dict(poison.properties))

    await setting.deliver(poison)

    [parked] = setting.parked
    assert reason in parked["reason"]
    assert parked["pk"] == "m1"
    assert setting.calls == 0


async def test_a_type_of_ours_that_is_not_known_yet_is_tried_ten_times_before_it_is_parked() -> None:
    """Contexts are deployed one by one: the sender may be ahead."""
    setting = Setting(raises(None))
    newer = dict(command().properties or {}) | {"cloudEvents_type": "orderflow.inventory.CountStock.v1"}
    started = setting.system.now()
    await setting.deliver_until_quiet(replace(command(), properties=newer))
    [parked] = setting.parked
    assert "unknown type" in parked["reason"]
    assert parked["attempts"] == 10
    assert setting.system.now() - started > timedelta(minutes=10)


async def test_a_broken_promise_is_parked_once_and_what_comes_again_counts_on_it() -> None:
    setting = Setting(raises(BrokenPromise("the protocol rules it out")))
    await setting.deliver_until_quiet(command())
    for number in range(3):
        await setting.system.sleep(3600)
        await setting.deliver_until_quiet(replace(command(), id=f"resend {number}"))
    [parked] = setting.parked
    assert (setting.calls, parked["occurrences"]) == (10, 4)
    assert parked["lastParkedAt"] > parked["parkedAt"]
    assert parked["ttl"] == 90 * 24 * 3600


async def test_once_a_broken_promise_is_deleted_the_next_one_is_handled() -> None:
    setting = Setting(raises(*[BrokenPromise("no")] * 10, None))
    await setting.deliver_until_quiet(command())
    [parked] = setting.parked
    await setting.container.write(parked["pk"], [Delete(parked["id"])])
    await setting.deliver_until_quiet(replace(command(), id="resend"))
    assert (setting.calls, setting.parked) == (11, [])


async def test_what_failed_for_a_fault_of_ours_is_handled_anew_when_it_comes_again() -> None:
    """The next deployment may have mended it."""
    setting = Setting(raises(*[KeyError("a fault of ours")] * 10, None))
    await setting.deliver_until_quiet(command())
    await setting.deliver_until_quiet(replace(command(), id="resend"))
    assert setting.calls == 11
    assert len(setting.parked) == 1


async def test_messages_that_cannot_be_read_are_each_kept_though_they_claim_the_same_event() -> None:
    setting = Setting(raises(None))
    for number in range(2):
        await setting.deliver(replace(command(), id=f"m{number}", body=b"no JSON"))
    assert [parked["pk"] for parked in setting.parked] == ["m0", "m1"]


async def test_a_message_without_an_id_is_parked_under_its_digest() -> None:
    setting = Setting(raises(None))
    await setting.deliver(WireMessage("", b"one"))
    await setting.deliver(WireMessage("", b"two"))
    await setting.deliver(WireMessage("", b"two"))
    assert len(setting.parked) == 2


async def test_a_known_type_that_nobody_here_wants_completes() -> None:
    setting = Setting(raises(None))
    properties = dict(command().properties or {}) | {"cloudEvents_type": "orderflow.orders.OrderConfirmed.v1"}
    await setting.deliver(WireMessage("m1", b'{"orderId":"ord_1"}', properties=properties))
    assert (setting.calls, setting.parked, setting.broker.sent) == (0, [], [])


async def test_parking_waits_for_the_store() -> None:
    setting = Setting(raises(None))
    setting.container.failures = 3
    await setting.deliver_until_quiet(WireMessage("m1", b"nonsense"))
    assert len(setting.parked) == 1


@pytest.mark.parametrize("old_reads", [0, 1])
@pytest.mark.parametrize("lost", [*LOST, Unavailable("no answer")], ids=lambda lost: type(lost).__name__)
async def test_what_is_parked_is_said_though_the_answer_to_its_writing_is_lost(
    lost: Exception, old_reads: int, caplog: pytest.LogCaptureFixture
) -> None:
    setting = Setting(raises(None))
    setting.container.forget(lost, old_reads)

    await setting.deliver_until_quiet(WireMessage("m1", b"nonsense"))

    assert [parked["pk"] for parked in setting.parked] == ["m1"]
    assert "message_parked: not a CloudEvent" in caplog.text


async def test_what_fails_again_once_it_is_parked_is_counted_there() -> None:
    setting = Setting(raises(KeyError("a fault of ours")))
    for number in range(3):
        await setting.deliver_until_quiet(replace(command(), id=f"sending {number}"))
    [parked] = setting.parked
    assert (setting.calls, parked["occurrences"]) == (30, 3)


async def test_what_comes_again_is_counted_and_not_said_again(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting(raises(BrokenPromise("the protocol rules it out")))
    for number in range(3):
        await setting.deliver_until_quiet(replace(command(), id=f"sending {number}"))
    assert caplog.text.count("message_parked") == 1


async def test_sending_again_waits_for_the_broker_below_half_the_lock() -> None:
    setting = Setting(raises(Unavailable("away"), None))
    setting.broker.failures = 3
    started = setting.system.now()
    await setting.deliver(command())
    assert len(setting.broker.sent) == 1
    assert setting.system.now() - started < timedelta(seconds=30)


async def test_when_neither_store_nor_broker_answers_the_function_raises_so_that_the_broker_delivers_again() -> None:
    setting = Setting(raises(Unavailable("away")))
    setting.broker.failures = 1000
    started = setting.system.now()
    with pytest.raises(Unavailable):
        await setting.deliver(command())
    assert setting.system.now() - started < timedelta(seconds=30)


async def test_a_dead_letter_is_parked_with_the_brokers_reason() -> None:
    setting = Setting(raises(None))
    wire = command()
    properties = dict(wire.properties or {}) | {"DeadLetterReason": "MaxDeliveryCountExceeded"}
    await setting.dispatcher.park_dead_letter(WireMessage(wire.id, wire.body, properties=properties))
    assert [parked["reason"] for parked in setting.parked] == ["dead-lettered: MaxDeliveryCountExceeded"]


@pytest.mark.parametrize("name", ["cloudEvents_id", "orderflow_firstId"])
async def test_no_message_is_parked_where_no_store_could_keep_it(name: str) -> None:
    setting = Setting(raises(None))
    await setting.dispatcher.park_dead_letter(WireMessage("m1", b"nonsense", properties={name: "x" * 3000}))
    assert [parked["pk"] for parked in setting.parked] == ["m1"]


async def test_a_poison_message_does_not_hold_up_the_one_behind_it() -> None:
    setting = Setting(raises(None))
    await setting.deliver(WireMessage("m1", b"nonsense"))
    await setting.deliver(command())
    assert setting.calls == 1
