"""What is parked is listed without its words, and replayed once or discarded, whoever asks and whatever fails."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.payments.domain import Intent, IntentStatus
from shared.access import Caller
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.contracts.catalog import ProductDelisted
from shared.contracts.payments import AuthorisePayment
from shared.errors import Unavailable
from shared.messaging import first, to_wire
from shared.parking import Cause
from shared.ports import Operation, WireMessage
from simulation.callers import ADMIN, SUPPORT, WAREHOUSE, customer
from simulation.provider import MemoryProvider
from simulation.topology import CONTEXTS
from simulation.world import Answer, order_body
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.test_forgetting import PERSONAL, completed, forget, told
from tests.unit.world import World

PRICIER = {"sku": "MUG", "name": "Product MUG", "price": {"amount": 300, "currency": "GBP"}}


class Broken(MemoryProvider):
    """Fails in a way that nobody thought of, until somebody mends it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = True

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        if self.is_broken:
            raise KeyError("canary")
        return await super().create(order_id, amount, currency, payment_method)


class Away(MemoryBroker):
    """Takes nothing while it is away."""

    is_away = False

    async def send(self, *arguments: Any) -> None:
        if self.is_away:
            raise Unavailable("the broker is away")
        await super().send(*arguments)


async def stuck(**options: Any) -> tuple[World, str, str]:
    """An order whose AuthorisePayment is parked, the cause mended by now; the order, and what is parked."""
    world = World(provider=Broken, broker=Away, **options)
    await world.stocked(MUG=9)
    order = await world.placed(("MUG", 1), **PERSONAL)
    await world.drain(timedelta(minutes=20))
    mend(world)
    [parked] = world.documents("payments", "parked")
    return world, order, parked["pk"]


def mend(world: World, *, is_broken: bool = False) -> None:
    assert isinstance(world.provider, Broken)
    world.provider.is_broken = is_broken


async def listed(world: World, context: str, caller: Caller = SUPPORT, **query: str) -> list[list[Any]]:
    """What is parked, by pages, from link to link."""
    pages = []
    while True:
        page = await world.call(f"{context}_parked", query=query, caller=caller)
        assert page.status == 200, page.body
        pages.append(page.body["value"])
        if "nextLink" not in page.body:
            return pages
        query = dict(parse_qsl(urlsplit(page.body["nextLink"]).query))


async def replay(world: World, id: str, context: str = "payments", **query: str) -> Answer:
    return await world.call(f"{context}_replay", route={"parkedId": id}, query=query, caller=ADMIN)


async def discard(world: World, id: str, context: str = "payments", **query: str) -> Answer:
    return await world.call(f"{context}_discard", route={"parkedId": id}, query=query, caller=ADMIN)


def sendings(world: World, order: str) -> list[tuple[str, WireMessage]]:
    """Every sending of the order's AuthorisePayment, but those of a retry."""
    sent = [(to, wire) for to, wire in world.broker.sent if wire.correlation_id == order]
    of = [(to, wire, wire.properties or {}) for to, wire in sent]
    return [
        (to, wire)
        for to, wire, its in of
        if ".AuthorisePayment." in str(its["cloudEvents_type"]) and "orderflow_attempt" not in its
    ]


def wrote(world: World, context: str = "payments") -> list[tuple[str, Any, Any]]:
    """What the audit says of parked messages."""
    entries = world.documents(context, "audit")
    return [
        (each["operation"], each["before"], each["after"]) for each in entries if each["target"]["kind"] == "parked"
    ]


async def test_a_message_that_failed_goes_on_once_the_cause_is_mended() -> None:
    world, order, id = await stuck()

    answer = await replay(world, id)
    await world.drain()

    [(_, original), (sent_to, replayed)] = sendings(world, order)
    properties = dict(original.properties or {})
    properties.pop("orderflow_retryUntil")
    assert (answer.status, answer.body) == (
        202,
        {"id": id, "sentTo": "payments", "eventId": properties["cloudEvents_id"], "messageId": replayed.id},
    )
    assert (sent_to, replayed.body, replayed.properties) == ("payments", original.body, properties)
    assert replayed.id not in (original.id, id)
    assert (await world.order(order))["status"] == "confirmed"
    assert [world.documents("payments", kind) for kind in ("parked", "outbox")] == [[], []]
    reason = "failed 10 times: KeyError"
    before = {
        "status": "parked",
        "queue": "payments",
        "type": "orderflow.payments.AuthorisePayment.v1",
        "subject": order,
    }
    [(operation, was, after)] = wrote(world)
    assert (operation, was["failure"][: len(reason)], was) == (
        "payments_replay",
        reason,
        before | {"failure": was["failure"]},
    )
    assert after | {"id": id} == {"status": "replayed", **answer.body}


async def test_a_dry_run_says_where_it_would_go_and_writes_nothing() -> None:
    world, _, id = await stuck()
    before, sent = world.documents("payments", "parked"), len(world.broker.sent)

    answer = await replay(world, id, dryRun="true")

    assert (answer.status, answer.body) == (200, {"id": id, "sentTo": "payments", "eventId": id})
    assert (world.documents("payments", "parked"), len(world.broker.sent), wrote(world)) == (before, sent, [])
    assert (await replay(world, id, dryRun="false")).status == 202


async def test_twice_is_once_and_says_so() -> None:
    world, order, id = await stuck()

    first, second, discarded = await replay(world, id), await replay(world, id), await discard(world, id, reason="done")

    assert [each.status for each in (first, second, discarded)] == [202, 404, 404]
    assert second.body["title"] == f"There is no parked message {id}."
    assert second.body["detail"] == "It was replayed or discarded, or its time is over: the audit says who did what."
    assert len(sendings(world, order)) == 2


@pytest.mark.parametrize("other", [replay, discard], ids=["replay", "discard"])
async def test_of_two_who_see_to_it_at_once_one_does(other: Any) -> None:
    world, order, id = await stuck()
    query = {"reason": "by hand"} if other is discard else {}

    answers = await asyncio.gather(replay(world, id), other(world, id, **query))

    assert sorted(each.status for each in answers) in ([202, 404], [200, 404])
    assert len(wrote(world)) == 1
    assert len(sendings(world, order)) == 1 + (answers[0].status == 202)


@pytest.mark.parametrize("seen_to", ["replayed", "discarded"])
@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_whose_answer_of_the_store_was_lost_is_done_once_and_told_so(lost: Exception, seen_to: str) -> None:
    world, order, id = await stuck(container=ForgetfulContainer)
    store = world.containers["payments"]
    assert isinstance(store, ForgetfulContainer)
    store.forget(lost)

    answer = await (replay(world, id) if seen_to == "replayed" else discard(world, id, reason="by hand"))

    assert answer.status == (202 if seen_to == "replayed" else 200)
    [(_, _, after)] = wrote(world)
    assert after | {"id": id} == {"status": seen_to, **answer.body}
    assert [wire.id for _, wire in sendings(world, order)[1:]] == (
        [answer.body["messageId"]] if "messageId" in after else []
    )


async def test_a_replay_while_the_broker_is_away_is_swept_under_the_same_id() -> None:
    world, order, id = await stuck()
    assert isinstance(world.broker, Away)
    world.broker.is_away = True

    answer = await replay(world, id)
    assert (answer.status, len(sendings(world, order))) == (202, 1)
    world.broker.is_away = False
    await world.system.sleep(60)
    await world.sweep()
    await world.drain()

    assert sendings(world, order)[-1][1].id == answer.body["messageId"]
    assert (await world.order(order))["status"] == "confirmed"


async def test_a_replay_goes_on_in_the_trace_of_the_message() -> None:
    world = World(provider=Broken, broker=Away)
    await world.stocked(MUG=9)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await world.call("place_order", order_body(("MUG", 1)), headers={"traceparent": trace})
    await world.drain(timedelta(minutes=20))
    mend(world)

    await replay(world, world.documents("payments", "parked")[0]["pk"])

    [_, (_, replayed)] = sendings(world, answer.body["orderId"])
    assert "4bf92f3577b34da6a3ce929d0e0e4736" in str((replayed.properties or {})["traceparent"])


async def test_what_fails_again_is_parked_again_as_if_for_the_first_time_and_may_be_replayed_again() -> None:
    world, order, id = await stuck()
    mend(world, is_broken=True)

    assert (await replay(world, id)).status == 202
    await world.drain(timedelta(minutes=20))
    [[again]] = await listed(world, "payments")
    assert (again["id"], again["attempts"], again["occurrences"]) == (id, 10, 1)

    mend(world)
    assert (await replay(world, id)).status == 202
    await world.drain()
    assert (await world.order(order))["status"] == "confirmed"
    assert len({wire.id for _, wire in sendings(world, order)}) == 3


async def test_a_broken_promise_that_is_replayed_is_handled_and_not_counted() -> None:
    world = World()
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1))
    await world.drain()
    for intent in world.provider.intents.values():
        intent["status"] = IntentStatus.CAPTURED
    await world.call("cancel_order", route={"orderId": order})
    await world.drain(timedelta(minutes=20))
    [[parked]] = await listed(world, "payments")
    assert parked["isBrokenPromise"]
    for intent in world.provider.intents.values():
        intent["status"] = IntentStatus.HELD

    assert (await replay(world, parked["id"])).status == 202
    await world.drain()

    assert (await world.order(order))["status"] == "cancelled"
    assert await listed(world, "payments") == [[]]


async def test_what_was_forgotten_can_only_be_discarded() -> None:
    world = World()
    await world.stocked(MUG=9)
    order = await completed(world)
    words = {"x": "Canary"}
    await world.deliver(
        "payments", WireMessage("m1", b'{"name": "Canary Name"', correlation_id=order, properties=words)
    )
    await forget(world)

    [[parked]] = await listed(world, "payments")
    assert (parked["id"], parked["subject"], parked["isForgotten"], "type" in parked) == ("m1", order, True, False)
    for dry_run in ("true", "false"):
        refused = await replay(world, "m1", dryRun=dry_run)
        assert (refused.status, refused.body["type"]) == (409, "urn:orderflow:problem:cannot-replay")
        assert refused.body["detail"] == "Its words are forgotten, with the order's customer: discard it."
    assert (await discard(world, "m1", reason="forgotten")).status == 200
    assert (await listed(world, "payments"), told(world)) == ([[]], [])


class Meanwhile(MemoryContainer):
    """Something happens before the next write of a replay."""

    happens: Any = None

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        happens = self.happens
        if happens and any(type(each).__name__ == "Delete" for each in operations):
            self.happens = None
            await happens()
        return await super().write(pk, operations)


async def test_of_a_customer_who_is_forgotten_while_it_is_replayed_no_word_comes_back() -> None:
    world = World(container=Meanwhile)
    await world.stocked(MUG=9)
    order = await completed(world)
    [(_, command)] = [each for each in world.broker.sent if "CreateShipment" in str(each[1].properties)]
    await world.deliver("shipping-dead", command)
    [[parked]] = await listed(world, "shipping")
    store = world.containers["shipping"]
    assert isinstance(store, Meanwhile)
    store.happens = lambda: forget(world)

    answer = await replay(world, parked["id"], "shipping")

    assert (answer.status, world.documents("shipping", "outbox"), told(world)) == (409, [], [])
    assert [wire for _, wire in world.broker.sent if b"Canary" in wire.body and wire.id != command.id] == []
    assert order in str(await listed(world, "shipping"))


async def test_what_forgets_a_customer_keeps_what_it_says_when_it_is_parked_itself() -> None:
    world = World()
    await world.stocked(MUG=9)
    await completed(world)
    [shipment] = world.documents("shipping", "shipment")
    shipments = partial(world.containers["shipping"].partition, shipment["pk"])
    shipments()[shipment["id"]] = shipment | {"state": "of another version"}
    await forget(world)
    await world.drain(timedelta(minutes=20))
    [[parked]] = await listed(world, "shipping")
    shipments()[shipment["id"]] = shipment

    assert (parked["type"], parked["isForgotten"]) == ("orderflow.customers.CustomerForgotten.v1", False)
    assert (await replay(world, parked["id"], "shipping")).status == 202
    await world.drain()

    assert told(world) == []


@pytest.mark.parametrize(
    ("queue", "wire", "why"),
    [
        (
            "orders",
            WireMessage("m1", b"not json"),
            "Not a CloudEvent: the property cloudEvents_specversion should be '1.0'.",
        ),
        (
            "orders-dead",
            WireMessage("m1", b"\xff\x00", properties={"DeadLetterReason": "x"}),
            "Not a CloudEvent: the prop",
        ),
        ("inventory", WireMessage("m1", b"", correlation_id="ord_1"), "Not a CloudEvent: the property"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_fault(queue: str, wire: WireMessage, why: str) -> None:
    world = World()
    await world.deliver(queue, wire)
    context = queue.removesuffix("-dead")

    for dry_run in ("true", "false"):
        refused = await replay(world, "m1", context, dryRun=dry_run)
        assert (refused.status, refused.body["type"]) == (409, "urn:orderflow:problem:cannot-replay")
        assert refused.body["detail"].startswith(why)
        assert refused.body["detail"].endswith("Deploy a version that can read it, or discard it.")
    assert wrote(world, context) == []


async def test_a_type_that_this_version_does_not_know_waits_for_the_one_that_does() -> None:
    world = World()
    wire = to_wire(first(AuthorisePayment("ord_1", 1, "GBP", "pm_1"), "ord_1", world.system.now()))
    newer = dict(wire.properties or {}) | {"cloudEvents_type": "orderflow.payments.Newer.v1"}
    await world.deliver("payments", replace(wire, properties=newer))
    await world.drain(timedelta(hours=2))

    refused = await replay(world, wire.id)

    assert refused.body["detail"].startswith("Unknown type 'orderflow.payments.Newer.v1'.")


@pytest.mark.parametrize("is_mended", [False, True])
async def test_what_the_outbox_could_not_read_goes_where_it_should_have_gone_once_it_can(is_mended: bool) -> None:
    world = World(broker=Away)
    await world.stocked(MUG=9)
    assert isinstance(world.broker, Away)
    world.broker.is_away = True
    await world.call("import_products", {"products": [PRICIER]})
    [document] = world.documents("catalog", "outbox")
    whole = document if is_mended else document | {"message": {}}
    parked = WireMessage(document["id"], json.dumps(whole).encode(), correlation_id="MUG")
    await world.contexts["catalog"].outbox._parked.park(
        document["id"], parked, "outbox", Cause.UNREADABLE, "the outbox can't"
    )
    world.containers["catalog"].partition("MUG").pop(document["id"])
    world.broker.is_away = False
    await world.system.sleep(60)

    [[told_of]] = await listed(world, "catalog")
    answer = await replay(world, document["id"], "catalog")
    await world.drain()

    assert (told_of["queue"], told_of["subject"]) == ("outbox", "MUG")
    price = (await world.call("get_price", route={"sku": "MUG"})).body["price"]["amount"]
    if is_mended:
        assert (answer.body["sentTo"], price) == ("catalog-events", 300)
    else:
        assert (answer.status, price) == (409, 250)
        assert answer.body["detail"].startswith("/message/id is missing.")


@pytest.mark.parametrize("queue", ["orders-dead", "orders"])
async def test_a_dead_letter_goes_back_to_the_queue_that_takes_its_type(queue: str) -> None:
    world = World()
    await world.stocked(MUG=9)
    delisted = first(ProductDelisted("MUG", 250, "GBP", False, 7), "MUG", world.system.now(), 7)
    if queue == "orders-dead":
        await world.deliver(queue, to_wire(delisted))
    else:
        await world.contexts["orders"].outbox._parked.park(delisted.id, to_wire(delisted), queue, Cause.UNREADABLE, "x")

    answer = await replay(world, delisted.event_id, "orders")
    await world.drain()

    assert answer.body["sentTo"] == "orders-prices"
    assert not (await world.call("get_price", route={"sku": "MUG"})).body["listed"]


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_each_is_listed_once_oldest_first_though_all_were_parked_in_one_moment(limit: int) -> None:
    world = World()
    for number in range(5):
        await world.deliver(
            "orders", WireMessage(f"m{number}", b"canary", correlation_id="canary", properties={"x": 1})
        )

    pages = await listed(world, "orders", limit=str(limit))

    assert [each["id"] for each in chain(*pages)] == [f"m{number}" for number in range(5)]
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert "canary" not in json.dumps(pages)


async def test_who_asks_for_the_list_again_is_told_only_what_has_changed() -> None:
    world, _, id = await stuck()
    first = await world.call("payments_parked", caller=SUPPORT)
    known = {"if-none-match": first.headers["ETag"]}

    again = await world.call("payments_parked", caller=SUPPORT, headers=known)
    await discard(world, id, reason="Paid by hand")
    changed = await world.call("payments_parked", caller=SUPPORT, headers=known)

    assert (again.status, again.content, again.headers["Cache-Control"]) == (304, b"", "private, no-cache")
    assert (changed.status, changed.body["value"]) == (200, [])


async def test_the_list_of_an_order_has_its_messages_alone() -> None:
    world, order, id = await stuck()
    await world.deliver("payments", WireMessage("m1", b"x", correlation_id="ord_2"))

    assert [[each["id"] for each in page] for page in await listed(world, "payments", subject=order)] == [[id]]
    assert len(await listed(world, "payments", subject="ord_3")) == 1
    assert "Canary" not in json.dumps(await listed(world, "payments"))


async def test_an_id_that_no_path_could_hold_is_another_in_the_list_and_found_by_that() -> None:
    world = World()
    for strange in ("../a b?#%2F", "x" * 150, ".", "ü"):
        await world.deliver("orders", WireMessage(strange, b"x"))
        await world.deliver("orders", WireMessage(strange, b"x"))

    [found] = await listed(world, "orders")

    assert [each["occurrences"] for each in found] == [2] * 4
    for each in found:
        assert (await discard(world, each["id"], "orders", reason="a stranger's")).status == 200
    assert await listed(world, "orders") == [[]]


async def test_what_is_discarded_is_gone_and_the_audit_says_why() -> None:
    world, _, id = await stuck()

    answer = await discard(world, id, reason="Paid by hand")

    assert (answer.status, answer.body) == (200, {"id": id, "reason": "Paid by hand"})
    [(operation, before, after)] = wrote(world)
    assert (operation, before["queue"], after) == (
        "payments_discard",
        "payments",
        {"status": "discarded", "reason": "Paid by hand"},
    )
    assert await listed(world, "payments") == [[]]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"dryRun": "yes"}, "It should be true or false."),
        ({"dryRun": "True"}, "It should be true or false."),
        ({"dry_run": "true"}, "It is not a known one: remove it. This operation takes dryRun."),
    ],
)
async def test_a_replay_that_is_not_understood_is_refused(query: dict[str, str], detail: str) -> None:
    world, order, id = await stuck()

    answer = await replay(world, id, **query)

    assert (answer.status, answer.body["detail"], len(sendings(world, order))) == (400, detail, 1)


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (None, "It is missing."),
        ("", "It should not be empty."),
        ("x" * 201, "It should have 200 characters at most."),
    ],
)
async def test_a_discard_needs_a_reason(reason: str | None, detail: str) -> None:
    world, _, id = await stuck()

    answer = await discard(world, id, **({} if reason is None else {"reason": reason}))

    assert (answer.status, answer.body["detail"], len(await listed(world, "payments"))) == (400, detail, 1)


@pytest.mark.parametrize("id", ["none", "x" * 300, "parked", "..", "a/b"])
async def test_an_id_of_nothing_is_404(id: str) -> None:
    world = World()

    assert (await replay(world, id)).status == 404
    assert (await discard(world, id, reason="x")).status == 404


@pytest.mark.parametrize("context", CONTEXTS)
async def test_support_reads_the_list_and_admins_alone_see_to_it(context: str) -> None:
    world = World()

    for caller in (ADMIN, SUPPORT, WAREHOUSE, customer("ada")):
        may_read, may_write = caller in (ADMIN, SUPPORT), caller is ADMIN
        listing = await world.call(f"{context}_parked", caller=caller)
        assert (listing.status, listing.status == 200) == (200 if may_read else 403, may_read)
        for operation, query in (("replay", {}), ("discard", {"reason": "x"})):
            route = {"parkedId": "none"}
            answer = await world.call(f"{context}_{operation}", route=route, query=query, caller=caller)
            assert answer.status == (404 if may_write else 403)


async def test_a_parked_document_of_another_version_is_left_out_of_the_list_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    for name in ("m1", "m2"):
        await world.deliver("orders", WireMessage(name, b"x"))
    partition = world.containers["orders"].partition("m1")
    partition["parked"] = partition["parked"] | {"attempts": "canary"}

    assert [[each["id"] for each in page] for page in await listed(world, "orders")] == [["m2"]]
    assert "parked parked is left out: m1: /attempts should be of type int" in caplog.text
    assert "canary" not in caplog.text
