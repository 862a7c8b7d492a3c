"""The outbox: what is committed is published, whatever fails in between; what is not committed never is."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.memory import MemoryBroker
from shared.contracts import Line
from shared.contracts.inventory import ReserveStock, StockReserved
from shared.contracts.shipping import Address, CreateShipment
from shared.errors import AlreadyExists, MessageTooLarge, Throttled, Transient, Unavailable
from shared.messaging import first
from shared.outbox import Outbox, OutboxTimes
from shared.ports import Create, Document, Replace
from shared.telemetry import span
from simulation.clock import VirtualSystem
from simulation.topology import TOPOLOGY
from tests.unit.forgetful import LOST, ForgetfulContainer


class Failing:
    """Fails the next calls of what it stands before, and those for one partition for ever."""

    left = 0
    partition = ""
    failure: Exception = Unavailable("away")

    def check(self, partition: str | None = None) -> None:
        if self.left or partition == self.partition:
            self.left = max(0, self.left - 1)
            raise self.failure


class Setting:
    """An outbox between a container and a broker that fail when told to."""

    def __init__(self) -> None:
        self.system = VirtualSystem()
        self.broken = ""
        self.sending, self.clearing = sending, clearing = Failing(), Failing()

        class Container(ForgetfulContainer):
            async def write(self, pk: str, operations: Any) -> list[str]:
                if not isinstance(operations[0], Create) or pk == clearing.partition:
                    clearing.check(pk)
                return await super().write(pk, operations)

        class Broker(MemoryBroker):
            async def send(broker, destination: str, *arguments: Any) -> None:  # noqa: N805 - two selves
                sending.check()
                if destination == self.broken:
                    raise Unavailable("away")
                await super().send(destination, *arguments)

        self.container = Container()
        self.broker = Broker(TOPOLOGY, self.system)
        self.outbox = Outbox(self.container, self.broker, self.system, OutboxTimes())

    async def commit(self, number: int = 1) -> None:
        order = f"ord_{number}"
        await self.system.sleep(0.001)
        message = first(ReserveStock(order, ()), order, self.system.now())
        await self.outbox.commit(order, [Create({"id": order, "pk": order, "kind": "order"})], [message])

    async def commit_event(self, number: int) -> None:
        order = f"ord_{number}"
        message = first(StockReserved(order), order, self.system.now())
        await self.outbox.commit(order, [Create({"id": order, "pk": order, "kind": "order"})], [message])

    async def store_strange(self, pk: str = "ord_0", **changes: Any) -> Document:
        """An outbox document that can't be read: the first one, changed."""
        document = self.left[0] | {"id": "strange", "pk": pk, "createdAt": "2026-11-24T05:00:00.000000Z"} | changes
        await self.container.write(pk, [Create(document)])
        return document

    @property
    def left(self) -> list[Document]:
        return self.container.documents("outbox")

    @property
    def sent(self) -> list[str]:
        return [message.correlation_id for _, message in self.broker.sent]


async def left_behind(setting: Setting, number: int) -> None:
    """So many messages that could not be published when they were committed."""
    setting.sending.left = 1
    for each in range(number):
        await setting.commit(each)
    await setting.system.sleep(60)


async def test_what_is_committed_is_published_and_cleared() -> None:
    setting = Setting()
    await setting.commit()
    assert (setting.sent, setting.left) == (["ord_1"], [])


async def test_a_batch_that_is_refused_publishes_nothing() -> None:
    setting = Setting()
    await setting.commit()
    with pytest.raises(AlreadyExists):
        await setting.commit()
    assert setting.sent == ["ord_1"]


async def test_while_the_broker_is_away_commits_succeed_and_the_sweep_publishes_later() -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit(1)
    await setting.commit(2)
    assert (setting.sent, len(setting.left)) == ([], 2)

    await setting.system.sleep(60)
    assert await setting.outbox.sweep() == 2
    assert (setting.sent, setting.left) == (["ord_1", "ord_2"], [])


async def test_after_a_failure_only_the_sweep_tries_for_a_while_so_that_requests_stay_fast() -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit(1)
    await setting.commit(2)
    await setting.system.sleep(OutboxTimes().pause.total_seconds())
    await setting.commit(3)
    assert setting.sent == ["ord_3"]


async def test_the_sweep_leaves_alone_what_a_handler_may_be_publishing() -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit()
    await setting.system.sleep((OutboxTimes().grace - timedelta(seconds=1)).total_seconds())
    assert await setting.outbox.sweep() == 0


async def test_what_was_published_and_not_cleared_is_published_again_under_its_id_and_so_dropped() -> None:
    setting = Setting()
    setting.clearing.left = 1
    await setting.commit()
    assert len(setting.left) == 1

    await setting.system.sleep(60)
    await setting.outbox.sweep()
    assert (setting.sent, setting.left) == (["ord_1"], [])


async def test_the_sweep_goes_through_any_number_oldest_first() -> None:
    setting = Setting()
    await left_behind(setting, 450)
    assert await setting.outbox.sweep() == 450
    assert setting.sent == [f"ord_{number}" for number in range(450)]


async def test_a_destination_that_fails_holds_up_no_other() -> None:
    setting = Setting()
    setting.sending.left = 2
    await setting.commit(1)
    await setting.commit_event(2)
    await setting.system.sleep(60)

    setting.broken = "inventory"
    with pytest.raises(Unavailable):
        await setting.outbox.sweep()
    assert setting.sent == ["ord_2"]
    assert [document["destination"] for document in setting.left] == ["inventory"]

    setting.broken = ""
    await setting.outbox.sweep()
    assert (setting.sent, setting.left) == (["ord_2", "ord_1"], [])


async def test_a_message_that_is_too_large_is_refused_before_anything_is_written() -> None:
    setting = Setting()
    lines = tuple(Line("S" * 40 + str(n), 1) for n in range(4000))
    address = Address("Ada", "12 St James's Square", "London", "GB")
    message = first(CreateShipment("ord_1", lines, address), "ord_1", setting.system.now())
    with pytest.raises(MessageTooLarge):
        await setting.outbox.commit("ord_1", [Create({"id": "ord_1", "pk": "ord_1", "kind": "order"})], [message])
    assert setting.container.documents("order") == []


async def test_a_message_carries_the_trace_that_it_was_committed_in_even_when_swept() -> None:
    setting = Setting()
    setting.sending.left = 1
    with span("work", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        await setting.commit()
    await setting.system.sleep(60)
    await setting.outbox.sweep()
    [(_, message)] = setting.broker.sent
    assert (message.properties or {})["traceparent"].startswith("00-0af7651916cd43dd")  # type: ignore[union-attr]


async def test_an_answer_that_is_given_again_has_the_same_event_id_and_a_fresh_message_id() -> None:
    setting = Setting()
    message = first(ReserveStock("ord_1", ()), "ord_1", setting.system.now())
    await setting.outbox.publish_again(message)
    await setting.outbox.publish_again(message)
    sent = [wire for _, wire in setting.broker.sent]
    assert len({wire.id for wire in sent} | {message.id}) == 3
    assert {(wire.properties or {})["cloudEvents_id"] for wire in sent} == {message.event_id}
    assert setting.left == []


@pytest.mark.parametrize(
    "unreadable",
    [{"message": {"type": "orderflow.inventory.ReserveStock.v1"}}, {"message": 7}, {"destination": None}],
    ids=["of another version", "no message", "no destination"],
)
async def test_a_document_that_cannot_be_read_is_parked_and_holds_up_no_other(unreadable: Document) -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit(1)
    strange = await setting.store_strange(**unreadable)
    await setting.system.sleep(60)

    assert await setting.outbox.sweep() == 1

    assert setting.container.documents("outbox") == []
    [parked] = setting.container.documents("parked")
    assert (parked["pk"], parked["queue"], parked["message"]["correlationId"]) == ("strange", "outbox", "ord_0")
    assert json.loads(parked["message"]["body"])["message"] == strange["message"]
    assert "should be" in parked["reason"] or "is missing" in parked["reason"]


@pytest.mark.parametrize("lost", [*LOST, Unavailable("no answer")], ids=lambda lost: type(lost).__name__)
async def test_a_parked_document_is_said_though_the_answer_to_its_writing_is_lost(
    lost: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit()
    await setting.store_strange(message=7)
    setting.container.forget(lost)
    await setting.system.sleep(60)

    for _ in range(2):
        await setting.outbox.sweep()

    assert (setting.sent, setting.left) == (["ord_1"], [])
    assert len(setting.container.documents("parked")) == 1
    assert "message_parked: the outbox can't read it: /message should be an object (message_id=strange," in caplog.text


async def test_a_document_that_cannot_be_parked_holds_up_no_other() -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit()
    await setting.store_strange(message=7)
    await setting.system.sleep(60)
    setting.clearing.partition = "strange"

    await setting.outbox.sweep()

    assert (setting.sent, [document["id"] for document in setting.left]) == (["ord_1"], ["strange"])


@pytest.mark.parametrize("failure", [Throttled("429"), Unavailable("away")], ids=lambda failure: type(failure).__name__)
async def test_a_partition_that_cannot_be_cleared_fails_the_sweep_once_everything_is_published(
    failure: Transient,
) -> None:
    setting = Setting()
    await left_behind(setting, 450)
    setting.clearing.partition, setting.clearing.failure = "ord_7", failure

    with pytest.raises(type(failure)):
        await setting.outbox.sweep()

    assert setting.sent == [f"ord_{number}" for number in range(450)]
    assert 0 < len(setting.left) < 200


async def test_what_a_busy_store_leaves_is_published_without_waiting_and_swept() -> None:
    setting = Setting()
    setting.clearing.left, setting.clearing.failure = 1, Throttled("429", wait=10)
    began = setting.system.now()
    await setting.commit()
    assert (setting.sent, len(setting.left)) == (["ord_1"], 1)
    assert setting.system.now() - began < timedelta(seconds=1)

    await setting.system.sleep(60)
    assert await setting.outbox.sweep() == 1
    assert (setting.sent, setting.left) == (["ord_1"], [])


async def test_a_document_of_another_version_is_read_with_defaults() -> None:
    setting = Setting()
    setting.sending.left = 1
    await setting.commit(1)
    [document] = setting.container.documents("outbox")
    del document["message"]["traceparent"]
    document["message"]["addedLater"] = True
    await setting.container.write(document["pk"], [Replace(document, document["_etag"])])
    await setting.system.sleep(60)

    assert await setting.outbox.sweep() == 1
    assert setting.container.documents("parked") == []


async def test_who_loses_a_race_publishes_what_the_winner_stored_under_the_same_id_and_not_its_own() -> None:
    """Two imports of one product both make version 2, with two prices: only the stored one may be announced."""
    setting = Setting()
    winner = first(ReserveStock("ord_1", (Line("MUG", 1),)), "ord_1", setting.system.now())
    loser = first(ReserveStock("ord_1", (Line("MUG", 2),)), "ord_1", setting.system.now())
    assert winner.id == loser.id
    operations = [Create({"id": "ord_1", "pk": "ord_1", "kind": "order"})]
    setting.sending.left = 1
    await setting.outbox.commit("ord_1", operations, [winner])
    await setting.system.sleep(60)

    with pytest.raises(AlreadyExists):
        await setting.outbox.commit("ord_1", operations, [loser])

    assert [b'"quantity":1' in wire.body for _, wire in setting.broker.sent] == [True]
    assert setting.container.documents("outbox") == []
