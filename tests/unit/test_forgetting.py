"""A customer is forgotten: at their wish and by time, in every context, whatever crashes and whatever comes late."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from services.orders.forgetting import RUN
from shared.adapters.memory import MemoryContainer
from shared.errors import AlreadyExists, Unavailable
from shared.ports import Document, Operation, Query, Replace, WireMessage
from simulation.callers import SUPPORT, customer
from simulation.world import ENVIRONMENT, Answer, order_body
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World

ADDRESS = {
    "name": "Canary Name",
    "company": "Canary Company",
    "line1": "Canary Line1",
    "line2": "Canary Line2",
    "city": "Canary City",
    "state": "Canary State",
    "postalCode": "Canary Code",
    "phone": "Canary Phone",
    "country": "GB",
}
PERSONAL: dict[str, Any] = {"email": "canary@example.com", "shippingAddress": ADDRESS}
MARK = "[forgotten]"
LATER = timedelta(minutes=6)
"""After so long a wish may close."""


async def placed(world: World, customer: str = "C1", **more: Any) -> str:
    return await world.placed(("MUG", 1), **PERSONAL | {"customerId": customer} | more)


async def completed(world: World, customer: str = "C1", **more: Any) -> str:
    """An order that has ended, with everything that a customer can tell."""
    order_id = await placed(world, customer, **more)
    await world.drain()
    assert (await world.dispatched(order_id)).status == 200
    await world.drain()
    assert (await world.order(order_id))["status"] == "completed"
    return order_id


async def wish(world: World, customer: str = "C1") -> Answer:
    return await world.call("forget_customer", route={"customerId": customer})


async def data(world: World, customer: str = "C1", **query: str) -> Any:
    """What an admin is told of a customer."""
    answer = await world.call("get_customer_data", route={"customerId": customer}, query=query)
    assert answer.status == 200, answer.body
    return answer.body


async def forget(world: World, customer: str = "C1") -> None:
    """The wish, and what comes of it at once."""
    assert (await wish(world, customer)).status == 202
    await settle(world)


async def settle(world: World) -> None:
    """The timers run, and what they send arrives."""
    await world.sweep()
    await world.drain()


def told(world: World, containing: str = "canary") -> list[str]:
    """Where something that the customer told still stands."""
    return [
        f"{context}: {document['kind']} {document['id']}"
        for context, container in world.containers.items()
        for document in everything(container)
        if containing in json.dumps(document).lower()
    ]


def everything(container: MemoryContainer) -> list[Document]:
    kinds = ("order", "outbox", "parked", "shipment", "payment", "reservation", "decision", "erasure", "forgotten")
    return [document for kind in kinds for document in container.documents(kind)]


def wishes(world: World) -> list[Document]:
    """Those of which something may be due; the store deletes the others."""
    return [each for each in world.documents("orders", "erasure") if "ttl" not in each]


def announced(world: World) -> list[str]:
    """The orders of which CustomerForgotten was sent, once for each message."""
    return [
        json.loads(wire.body)["orderId"]
        for _, wire in world.broker.sent
        if str((wire.properties or {})["cloudEvents_type"]).endswith(".CustomerForgotten.v1")
    ]


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=100)
    return world


async def test_a_final_order_is_forgotten_and_its_shipment_follows(world: World) -> None:
    order_id = await completed(world)
    before = await world.order(order_id)
    assert told(world)

    answer = await wish(world)
    assert (answer.status, answer.body["customerId"], answer.body["due"]) == (202, "C1", [order_id])
    await settle(world)

    assert told(world) == []
    after = await world.order(order_id)
    assert after.pop("shippingAddress") == {"name": MARK, "line1": MARK, "city": MARK, "country": "GB"}
    del before["shippingAddress"]
    assert after == before
    shipment = (await world.call("get_shipment", route={"shipmentId": f"shp_{order_id}"})).body
    assert (shipment["status"], shipment["trackingNumber"]) == ("dispatched", "RM1")
    assert shipment["shippingAddress"]["name"] == MARK
    assert (await data(world))["due"] == []


async def test_an_admin_is_given_all_that_is_known_of_a_customer_and_what_is_due(world: World) -> None:
    final, another = await completed(world), await completed(world, "C2")
    await world.system.sleep(1)
    under_way = await placed(world)
    await world.drain()

    whole = await data(world)

    assert another not in json.dumps(whole)
    assert (whole["customerId"], whole["due"], whole["unreadable"]) == ("C1", [], [])
    assert [each["orderId"] for each in whole["value"]] == [final, under_way]
    for order in whole["value"]:
        assert order | await world.order(order["orderId"]) == order
        assert (order["email"], order["paymentMethod"], order["shippingAddress"]) == (
            PERSONAL["email"],
            "pm_card_visa",
            ADDRESS,
        )
        assert "forgottenAt" not in order
        assert order["elsewhere"] == {
            "inventory": order["orderId"],
            "payments": order["orderId"],
            "shipping": f"shp_{order['orderId']}",
        }

    assert (await wish(world)).body["due"] == [final, under_way]
    await settle(world)
    left = await data(world)
    assert left["due"] == [under_way]
    assert [each["email"] for each in left["value"]] == [MARK, PERSONAL["email"]]
    assert "forgottenAt" in left["value"][0]


class Counting(MemoryContainer):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def read(self, pk: str, id: str) -> Document | None:
        self.asked["reads"] += 1
        return await super().read(pk, id)

    async def find(self, query: Query) -> list[Document]:
        self.asked["queries"] += 1
        return await super().find(query)


async def test_to_tell_and_to_forget_a_customer_the_store_is_asked_for_nothing_twice() -> None:
    world = World(container=Counting)
    await world.stocked(MUG=100)
    for _ in range(3):
        await placed(world)
    store = world.containers["orders"]
    assert isinstance(store, Counting)

    store.asked.clear()
    assert len((await data(world))["value"]) == 3
    assert store.asked == {"queries": 1, "reads": 1}

    store.asked.clear()
    assert len((await wish(world)).body["due"]) == 3
    assert store.asked == {"queries": 1, "reads": 1}


async def test_of_whom_nothing_is_known_nothing_is_told_and_nothing_is_due(world: World) -> None:
    assert await data(world, "nobody") == {"customerId": "nobody", "value": [], "unreadable": [], "due": []}
    assert (await wish(world, "nobody")).body["due"] == []


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_a_customers_data_comes_by_pages_that_name_what_cannot_be_read(world: World, limit: int) -> None:
    subject = "https://id.example/ada lovelace?|é"
    orders = []
    for _ in range(5):
        orders.append(await placed(world, subject))
        await world.system.sleep(1)
    await spoilt(world, orders[3], lines="of a later version")

    listed: list[str] = []
    page = await data(world, subject, limit=str(limit))
    while True:
        listed += [*(each["orderId"] for each in page["value"]), *page["unreadable"]]
        if "nextLink" not in page:
            break
        path, _, query = page["nextLink"].partition("?")
        assert path == "/api/customers/https%3A%2F%2Fid.example%2Fada%20lovelace%3F%7C%C3%A9/data"
        page = await data(world, subject, **dict(parse_qsl(query)))

    assert sorted(listed) == sorted(orders)


@pytest.mark.parametrize("subject", ["v/w", "%25/%2", "é", "e\u0301"])
async def test_whoever_can_order_can_be_named_in_all_of_it_and_is_nobody_else(world: World, subject: str) -> None:
    theirs, others = customer(subject), {"v/w", "v%252Fw", "é", "e\u0301"} - {subject}
    first = (await world.call("place_order", order_body(("MUG", 1)), caller=theirs)).body["orderId"]
    named = order_body(("MUG", 1), customerId=subject)
    second = (await world.call("place_order", named, caller=SUPPORT)).body["orderId"]
    for other in others:
        await world.placed(("MUG", 1), customerId=other)

    for caller in (theirs, SUPPORT):
        [listed] = await world.orders_listed(caller, customerId=subject)
        assert sorted(listed) == sorted([first, second])
    told_of = await data(world, subject.replace("/", "%2F"))
    assert sorted(each["orderId"] for each in told_of["value"]) == sorted([first, second])
    wish = await world.call("forget_customer", route={"customerId": subject.replace("/", "%2f")})
    assert (wish.body["customerId"], sorted(wish.body["due"])) == (subject, sorted([first, second]))


@pytest.mark.parametrize("nobody", [".", "..", "v%2Fw", "v%2fw"])
async def test_whom_no_path_can_name_nobody_can_order_for(world: World, nobody: str) -> None:
    refused = await world.call("place_order", order_body(("MUG", 1), customerId=nobody), caller=SUPPORT)
    assert refused.status == 422
    [error] = refused.body["errors"]
    assert error["pointer"] == "/customerId"
    assert error["detail"].startswith("should be what a path can name")
    assert (await world.call("list_orders", query={"customerId": nobody}, caller=SUPPORT)).status == 400


async def test_a_slash_of_a_subject_that_the_host_leaves_encoded_is_one(world: World) -> None:
    order_id = await completed(world, "https://id.example/ada")

    await forget(world, "https:%2F%2Fid.example%2fada")

    assert announced(world) == [order_id]
    assert told(world) == []


async def spoilt(world: World, order_id: str, **fields: Any) -> Document:
    """The order as a later version might have written it; before."""
    container = world.containers["orders"]
    document = await container.read(order_id, order_id)
    assert document
    await container.write(order_id, [Replace({**document, **fields}, document["_etag"])])
    return document


@pytest.mark.parametrize("ends", [True, False], ids=["final", "under way"])
@pytest.mark.parametrize("fields", [{"lines": "?"}, {"step": "gift_wrapping"}], ids=["lines", "step"])
async def test_an_order_that_cannot_be_read_stays_due_is_named_and_holds_up_no_other(
    world: World, fields: dict[str, Any], ends: bool
) -> None:
    strange = await (completed if ends else placed)(world)
    await world.drain()
    readable = await spoilt(world, strange, **fields)
    await world.system.sleep(1)
    other = await completed(world)

    await forget(world)
    await world.system.sleep(LATER.total_seconds())
    await settle(world)
    assert (await data(world))["due"] == [strange]
    assert announced(world) == [other]
    await spoilt(world, strange, **readable)
    if not ends:
        await world.dispatched(strange)
        await world.drain()
    await settle(world)

    assert (await data(world))["due"] == []
    assert told(world) == []
    assert not wishes(world)


async def test_a_wish_for_more_than_a_run_has_time_for_is_gone_on_with_where_it_stood(world: World) -> None:
    orders = [await completed(world) for _ in range(70)]
    await world.system.sleep(LATER.total_seconds())
    await wish(world)
    limit, get = 2 * 32, world.orders.orders.get
    seen: list[str] = []

    async def slow(order_id: str) -> Any:
        seen.append(order_id)
        await world.system.sleep(RUN.total_seconds() / limit)
        return await get(order_id)

    world.orders.orders.get = slow  # type: ignore[method-assign]
    await world.sweep()
    assert len(announced(world)) == limit
    assert len((await data(world))["due"]) == len(orders) - limit
    seen.clear()
    await world.sweep()

    assert sorted(announced(world)) == sorted(orders)
    assert len(seen) == len(orders) - limit


async def test_what_is_sent_says_nothing_of_the_customer(world: World) -> None:
    order_id = await completed(world, "Canary-Subject")
    sent = len(world.broker.sent)

    await forget(world, "Canary-Subject")

    assert announced(world) == [order_id]
    assert not [wire for _, wire in world.broker.sent[sent:] if "canary" in f"{wire}".lower()]


async def test_an_order_under_way_follows_when_it_ends_and_the_wish_is_open_until_then(world: World) -> None:
    order_id = await placed(world)
    await world.drain()

    await forget(world)
    await world.system.sleep(LATER.total_seconds())
    await settle(world)
    assert (await world.order(order_id))["shippingAddress"]["name"] == "Canary Name"
    await world.dispatched(order_id)
    await world.drain()
    assert wishes(world)
    await settle(world)

    assert told(world) == []
    assert not wishes(world)


async def test_a_wish_may_be_repeated_and_another_customers_orders_stay_as_they_are(world: World) -> None:
    mine, another = await completed(world), await completed(world, "C2")

    for number in range(3):
        await forget(world)
        assert announced(world) == [mine] * (number + 1), "who missed it is told again"
        await settle(world)
        await world.system.sleep(LATER.total_seconds())
        await settle(world)

    assert (await world.order(another))["shippingAddress"]["name"] == "Canary Name"


async def test_what_is_ordered_after_the_wish_is_kept_until_the_next_wish(world: World) -> None:
    await completed(world)
    await forget(world)
    await world.system.sleep(1)
    later = await completed(world)

    await settle(world)
    assert (await world.order(later))["shippingAddress"]["name"] == "Canary Name"
    await forget(world)
    await settle(world)

    assert told(world) == []


async def test_a_wish_stays_open_until_no_order_of_its_time_can_turn_up_any_more(world: World) -> None:
    await forget(world)

    await settle(world)
    assert wishes(world)
    await world.system.sleep(LATER.total_seconds())
    await settle(world)

    assert not wishes(world)


@pytest.mark.parametrize("operation", ["get_customer_data", "forget_customer"])
async def test_it_is_for_admins_and_an_id_that_nobody_can_have_is_404(world: World, operation: str) -> None:
    assert world.functions[operation].operation.roles == {"admin"}
    for nobody in ("x" * 201, " ", "a\u202eb", ".", ".."):
        assert (await world.call(operation, route={"customerId": nobody})).status == 404
    assert not wishes(world)


async def test_an_order_that_is_forgotten_is_still_found_under_its_key(world: World) -> None:
    expected: dict[str, Any] = {"expectedTotal": {"amount": 250, "currency": "GBP"}}
    order_id = await completed(world, "C1", key="K1", **expected)
    await forget(world)

    assert await placed(world, "C1", key="K1", **expected) == order_id
    others = (
        {"lines": [{"sku": "MUG", "quantity": 2}]},
        {"expectedTotal": {"amount": 251, "currency": "GBP"}},
        {"paymentMethod": "pm_card_mastercard"},
        {"shippingAddress": ADDRESS | {"country": "FR"}},
    )
    for other in others:
        body = order_body(("MUG", 1), customerId="C1", **PERSONAL) | other
        refused = await world.call("place_order", body, headers={"idempotency-key": "K1"})
        assert (refused.status, refused.body["type"]) == (422, "urn:orderflow:problem:idempotency-key-reused")


async def test_final_orders_are_forgotten_by_time_and_no_others() -> None:
    world = World(environment=ENVIRONMENT | {"ORDERS_RETENTION_SECONDS": "3600"})
    await world.stocked(MUG=100)
    old, under_way = await completed(world), await placed(world)
    await world.drain()
    await world.system.sleep(3000)
    young = await completed(world)
    await world.system.sleep(1000)

    await settle(world)

    assert announced(world) == [old]
    for kept in (under_way, young):
        assert (await world.order(kept))["shippingAddress"]["name"] == "Canary Name"


async def test_by_time_an_order_under_way_follows_when_it_ends_whoevers_it_is_and_no_other_is_looked_at_again() -> None:
    world = World(environment=ENVIRONMENT | {"ORDERS_RETENTION_SECONDS": "3600"})
    await world.stocked(MUG=100)
    old, nobodys, under_way = await completed(world), await completed(world), await placed(world)
    await spoilt(world, nobodys, customerId=None)
    await world.drain()
    await world.system.sleep(7200)
    await settle(world)
    assert sorted(announced(world)) == sorted([old, nobodys])

    await world.dispatched(under_way)
    await world.drain()
    read: list[str] = []
    get = world.orders.orders.get

    async def noted(order_id: str) -> Any:
        read.append(order_id)
        return await get(order_id)

    world.orders.orders.get = noted  # type: ignore[method-assign]
    await world.functions["orders_sweep"](None)
    await world.drain()

    assert read == [under_way]
    assert announced(world)[2:] == [under_way]
    assert told(world) == []


async def test_without_a_retention_nothing_is_forgotten_by_time(world: World) -> None:
    order_id = await completed(world)
    await world.system.sleep(timedelta(days=4000).total_seconds())

    await settle(world)

    assert (await world.order(order_id))["shippingAddress"]["name"] == "Canary Name"


@pytest.mark.parametrize("context", ["inventory", "payments", "shipping", "orders"])
async def test_what_is_parked_of_the_order_loses_its_words_and_is_still_counted(world: World, context: str) -> None:
    order_id = await completed(world)
    parked = WireMessage("m1", b'{"name": "Canary Name"', correlation_id=order_id, properties={"x": "Canary"})
    await world.deliver(context, parked)
    assert len(world.documents(context, "parked")) == 1

    await forget(world)

    assert told(world) == []
    [document] = world.documents(context, "parked")
    assert (document["queue"], document["occurrences"]) == (context, 1)
    await world.deliver(context, parked)
    assert told(world) == []
    assert world.documents(context, "parked")[0]["occurrences"] == 2


@pytest.mark.parametrize("context", ["inventory", "payments", "shipping", "orders"])
async def test_what_is_parked_of_the_order_later_has_no_words_either(world: World, context: str) -> None:
    order_id = await completed(world)
    await forget(world)

    for number in range(2):
        body = b'{"name": "Canary Name"'
        await world.deliver(context, WireMessage(f"m{number}", body, correlation_id=order_id))

    assert len(world.documents(context, "parked")) == 2
    assert told(world) == []


@pytest.mark.parametrize("context", ["inventory", "payments", "shipping", "orders"])
async def test_what_the_broker_gave_up_on_is_parked_without_words_too(world: World, context: str) -> None:
    order_id = await completed(world)
    await forget(world)

    dead = WireMessage("m1", b"Canary", correlation_id=order_id, properties={"DeadLetterReason": "MaxDeliveryCount"})
    await world.deliver(f"{context}-dead", dead)

    [document] = world.documents(context, "parked")
    # What `scripts/local parked` and `order` read is still there.
    ids = {"messageId": "m1", "correlationId": order_id}
    assert (document["message"], told(world)) == (ids | {"properties": {}, "body": MARK}, [])


async def test_a_copy_of_the_news_that_comes_again_changes_nothing(world: World) -> None:
    await completed(world)
    await forget(world)
    before = world.documents("shipping", "shipment")
    [(_, news)] = [each for each in world.broker.sent if b"CustomerForgotten" in str(each[1]).encode()]

    for queue in ("inventory", "payments", "shipping"):
        await world.deliver(queue, replace(news, id="again"))

    assert world.documents("shipping", "shipment") == before


async def test_news_of_a_shipment_that_still_goes_waits_for_its_end(world: World) -> None:
    """The protocol rules it out: shipping doesn't rely on that."""
    order_id = await completed(world)
    await forget(world)
    [(_, news)] = [each for each in world.broker.sent if b"CustomerForgotten" in str(each[1]).encode()]
    other = await placed(world)
    await world.drain()

    body = news.body.replace(order_id.encode(), other.encode())
    await world.deliver("shipping", replace(news, id="other", body=body))
    assert world.broker.next_due() is not None
    await world.dispatched(other)
    await world.drain(timedelta(minutes=1))

    [shipment] = [each for each in world.documents("shipping", "shipment") if each["orderId"] == other]
    assert shipment["shippingAddress"]["name"] == MARK


class Breaking(MemoryContainer):
    """Fails at one write, before or after it is done, and at none after."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.breaks_at: int | None = None
        self.is_done = False

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.writes += 1
        broken = self.writes - 1 == self.breaks_at
        if broken and not self.is_done:
            raise Unavailable("before")
        etags = await super().write(pk, operations)
        if broken:
            raise Unavailable("after")
        return etags


@pytest.mark.parametrize("is_done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("context", ["orders", "shipping"])
async def test_a_failure_at_any_write_delays_forgetting_and_no_more(context: str, at: int, is_done: bool) -> None:
    world = World(container=Breaking)
    await world.stocked(MUG=100)
    order_id = await completed(world)
    await world.deliver(context, WireMessage("m1", b'{"name": "Canary"', correlation_id=order_id))
    container = world.containers[context]
    assert isinstance(container, Breaking)
    container.writes, container.breaks_at, container.is_done = 0, at, is_done

    answer = await wish(world)
    if answer.status == 503:
        answer = await wish(world)
    for _ in range(4):
        with suppress(Unavailable):
            await world.sweep()
        await world.drain(timedelta(minutes=1))
        await world.system.sleep(LATER.total_seconds())

    assert answer.status == 202
    assert told(world) == []
    assert set(announced(world)) == {order_id}
    assert not wishes(world)


@pytest.mark.parametrize("answer", LOST, ids=repr)
@pytest.mark.parametrize("old_reads", [0, 1])
@pytest.mark.parametrize("at", ["the wish", "the order"])
async def test_a_lost_answer_loses_no_wish_and_the_sweep_alone_recovers(
    answer: Exception, old_reads: int, at: str
) -> None:
    world = World(container=ForgetfulContainer)
    await world.stocked(MUG=100)
    order_id = await completed(world)
    container = world.containers["orders"]
    assert isinstance(container, ForgetfulContainer)

    async def lose() -> None:
        container.forget(answer, old_reads)

    if at == "the wish":
        await lose()
        assert (await wish(world)).status == 202
    else:
        await wish(world)
        # The first write of the sweep is what marks the order's partition, the second the order's own.
        container.forget(AlreadyExists(0), 0, lose)
    for _ in range(3):
        await settle(world)

    assert len(world.documents("orders", "audit")) == 1
    assert told(world) == []
    assert set(announced(world)) == {order_id}


async def test_the_audit_says_which_admin_wished_it_and_nothing_of_the_customer_but_the_id(world: World) -> None:
    await completed(world)

    await forget(world)
    await world.system.sleep(1)
    await forget(world)

    first, second = world.documents("orders", "audit")
    assert (first["subject"], first["operation"], first["personal"]) == ("admin", "forget_customer", [])
    assert first["target"] == {"kind": "customer", "id": "C1"}
    assert (first["before"], second["before"]) == ({}, first["after"])
    assert second["after"] != first["after"]
