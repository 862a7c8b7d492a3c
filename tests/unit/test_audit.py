"""Every write by one of the staff leaves an entry that says who changed what; it is part of the write."""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.access import Caller
from shared.adapters.memory import MemoryContainer
from shared.errors import Contended, Unavailable
from shared.ports import Delete, Document, Operation, Replace
from simulation.callers import ADMIN, SUPPORT, WAREHOUSE, customer
from simulation.topology import CONTEXTS, TOPOLOGY
from simulation.world import order_body
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World

PRODUCT = {"sku": "MUG", "name": "Product MUG", "price": {"amount": 250, "currency": "GBP"}}
NOTE = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
ADDRESS = ["shippingAddress.name", "shippingAddress.line1", "shippingAddress.city", "shippingAddress.country"]


def entries(world: World) -> list[Document]:
    """Every entry of every context, without what differs from run to run."""
    varying = ("id", "pk", "kind", "createdAt", "ttl", "requestId", "_etag", "_ts")
    found = (entry for context in CONTEXTS for entry in world.documents(context, "audit"))
    return [{name: value for name, value in entry.items() if name not in varying} for entry in found]


def entry(who: str, operation: str, kind: str, id: str, before: Any, after: Any, *personal: str) -> Document:
    """What an entry says; the subjects of the tests' staff are their roles."""
    return {
        "subject": who,
        "role": who,
        "operation": operation,
        "target": {"kind": kind, "id": id},
        "before": before,
        "after": after,
        "personal": list(personal),
    }


async def imports(world: World, price: int = 250) -> Any:
    """An admin imports the mug."""
    product = PRODUCT | {"price": {"amount": price, "currency": "GBP"}}
    return (await world.call("import_products", {"products": [product]}, caller=ADMIN)).body["results"]


async def counts(world: World, number: int) -> Any:
    """The warehouse counts the mugs."""
    return await world.call("put_stock", {"onHand": number}, route={"sku": "MUG"}, caller=WAREHOUSE)


async def corrects(world: World, order: str) -> Any:
    """The warehouse puts right a tracking number."""
    route, right = {"shipmentId": f"shp_{order}"}, {"trackingNumber": "RM2"}
    return await world.call("correct_shipment", right, route=route, headers={"if-match": "*"}, caller=WAREHOUSE)


async def test_an_import_says_what_it_made_of_each_product_that_it_changed() -> None:
    world = World()

    await imports(world)
    await imports(world)
    await imports(world, 300)

    made = {"name": "Product MUG", "price": 250, "currency": "GBP", "listed": True}
    assert entries(world) == [
        entry("admin", "import_products", "product", "MUG", {}, made),
        entry("admin", "import_products", "product", "MUG", {"price": 250}, {"price": 300}),
    ]


async def test_a_count_says_what_it_changed_and_that_it_was_made_where_it_changed_nothing() -> None:
    world = World()

    await counts(world, 5)
    await counts(world, 5)
    await counts(world, 7)

    assert entries(world) == [
        entry("warehouse", "put_stock", "stock", "MUG", {}, {"onHand": 5, "available": 5}),
        entry("warehouse", "put_stock", "stock", "MUG", {}, {}),
        entry("warehouse", "put_stock", "stock", "MUG", {"onHand": 5, "available": 5}, {"onHand": 7, "available": 7}),
    ]


async def test_a_count_that_is_sent_again_under_its_key_leaves_one() -> None:
    world = World()
    key = {"idempotency-key": "k-1"}

    for _ in range(2):
        await world.call("put_stock", {"onHand": 5}, route={"sku": "MUG"}, headers=key, caller=WAREHOUSE)

    assert len(entries(world)) == 1


async def test_an_order_that_support_sends_again_under_its_key_leaves_one() -> None:
    world = World()
    await world.stocked(MUG=5)
    before = len(entries(world))
    body = order_body(("MUG", 1), customerId="C1")

    for _ in range(2):
        answer = await world.call("place_order", body, headers={"idempotency-key": "k-1"}, caller=SUPPORT)
        assert answer.status == 201

    assert len(entries(world)) == before + 1


async def test_support_places_and_cancels_and_the_personal_fields_are_named_alone() -> None:
    world = World()
    await world.stocked(MUG=5)
    before = len(entries(world))

    placed = await world.call("place_order", order_body(("MUG", 2), customerId="C1"), caller=SUPPORT)
    order = placed.body["orderId"]
    await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)
    await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)

    made = {"status": "pending", "customerId": "C1", "lines": 1, "total": 500, "currency": "GBP"}
    personal = ["email", "paymentMethod", *ADDRESS, "shippingAddress.postalCode"]
    placing, cancelling = [each for each in entries(world) if each["target"]["kind"] == "order"]
    assert len(entries(world)) == before + 2
    assert placing == entry("support", "place_order", "order", order, {}, made) | {"personal": placing["personal"]}
    assert sorted(placing["personal"]) == sorted(personal)
    assert cancelling == entry(
        "support", "cancel_order", "order", order, {"status": "pending"}, {"status": "cancelling"}
    )


async def test_a_dispatch_says_what_was_typed() -> None:
    world = World()
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1))
    await world.drain()
    route = {"shipmentId": f"shp_{order}"}

    await world.call("dispatch_shipment", NOTE, route=route, caller=WAREHOUSE)
    await world.call("dispatch_shipment", NOTE, route=route, caller=WAREHOUSE)

    [found] = [each for each in entries(world) if each["target"]["kind"] == "shipment"]
    after = {"status": "dispatched", **NOTE}
    assert found == entry("warehouse", "dispatch_shipment", "shipment", f"shp_{order}", {"status": "pending"}, after)


async def test_a_correction_says_what_was_wrong_and_what_is_right() -> None:
    world = World()
    await world.stocked(MUG=5)
    [order] = await world.confirmed(1)
    await world.dispatched(order)

    for _ in range(2):
        await corrects(world, order)

    [_, found] = [each for each in entries(world) if each["target"]["kind"] == "shipment"]
    before, after = {"trackingNumber": "RM1"}, {"trackingNumber": "RM2"}
    assert found == entry("warehouse", "correct_shipment", "shipment", f"shp_{order}", before, after)


async def test_what_customers_do_and_what_is_refused_leaves_none() -> None:
    world = World()
    await world.stocked(MUG=5)
    before = entries(world)

    order = await world.placed(("MUG", 1), customerId="C1")
    await world.call("cancel_order", route={"orderId": order}, caller=customer("C1"))
    assert (await world.call("cancel_order", route={"orderId": "ord_none"}, caller=SUPPORT)).status == 404
    assert (await world.call("put_stock", {"onHand": 9}, route={"sku": "MUG"}, caller=SUPPORT)).status == 403
    tea = order_body(("TEA", 1), customerId="C1")
    assert (await world.call("place_order", tea, caller=SUPPORT)).status == 422
    await world.drain()

    assert entries(world) == before


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_a_request_whose_answer_was_lost_leaves_one(lost: Exception) -> None:
    world = World(container=ForgetfulContainer)

    def forget(context: str) -> None:
        container = world.containers[context]
        assert isinstance(container, ForgetfulContainer)
        container.forget(lost)

    forget("catalog")
    await imports(world)
    await world.drain()
    forget("inventory")
    await counts(world, 5)
    forget("orders")
    placed = await world.call("place_order", order_body(("MUG", 1), customerId="C1"), caller=SUPPORT)
    await world.drain()
    forget("shipping")
    await world.dispatched(placed.body["orderId"])
    forget("shipping")
    await corrects(world, placed.body["orderId"])
    second = (await world.call("place_order", order_body(("MUG", 1), customerId="C1"), caller=SUPPORT)).body["orderId"]
    forget("orders")
    await world.call("cancel_order", route={"orderId": second}, caller=SUPPORT)

    assert sorted(each["operation"] for each in entries(world)) == [
        "cancel_order",
        "correct_shipment",
        "dispatch_shipment",
        "import_products",
        "place_order",
        "place_order",
        "put_stock",
    ]


class Recording(MemoryContainer):
    """Remembers what each batch writes, by kind or else id, and refuses what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: Exception | None = None
        self.batches: list[list[str]] = []

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        if self.refusal:
            raise self.refusal
        written = [each for each in operations if not isinstance(each, Delete)]
        self.batches.append([each.document["kind"] if hasattr(each, "document") else each.id for each in written])
        return await super().write(pk, operations)


@pytest.mark.parametrize("refusal", [Contended("449"), Unavailable("away")], ids=lambda each: type(each).__name__)
async def test_an_entry_is_in_the_batch_of_its_write_or_neither_is_there(refusal: Exception) -> None:
    world = World(container=Recording)
    store = world.containers["inventory"]
    assert isinstance(store, Recording)

    store.refusal = refusal
    assert (await counts(world, 5)).status == 503
    assert (world.documents("inventory", "audit"), world.documents("inventory", "stock")) == ([], [])

    store.refusal = None
    assert (await counts(world, 5)).status == 201
    assert store.batches == [["stock", "audit"]]


@pytest.mark.parametrize("context", CONTEXTS)
async def test_no_batch_has_more_documents_than_instances_are_reckoned_with(context: str) -> None:
    world = World(container=Recording)
    await world.stocked(MUG=9, TEA=9)
    body = order_body(("MUG", 1), ("TEA", 1), customerId="C1")

    for end in ("dispatch", "cancel"):
        order = (await world.call("place_order", body, caller=SUPPORT)).body["orderId"]
        await world.drain()
        if end == "dispatch":
            await world.dispatched(order)
        else:
            await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)
        await world.drain()

    store = world.containers[context]
    assert isinstance(store, Recording)
    [app] = [app for app in TOPOLOGY["apps"] if app["context"] == context]
    assert max(map(len, store.batches), default=0) <= app["documentsPerWrite"]


async def test_an_entry_says_when_and_is_kept_for_a_year() -> None:
    world = World()
    await counts(world, 5)

    [stored] = world.documents("inventory", "audit")
    assert (stored["createdAt"], stored["ttl"]) == ("2026-11-24T06:00:00.000000Z", 366 * 24 * 3600)


async def test_no_value_of_a_personal_field_is_in_an_entry() -> None:
    world = World()
    await world.stocked(MUG=5)
    address = {
        name: f"canary-{name}" for name in ("name", "company", "line1", "line2", "city", "state", "postalCode", "phone")
    }
    body = order_body(
        ("MUG", 1),
        customerId="C1",
        email="canary@example.com",
        paymentMethod="pm_canary",
        shippingAddress=address | {"country": "GB"},
    )

    placed = await world.call("place_order", body, caller=SUPPORT)
    assert placed.status == 201
    await world.drain()
    await world.dispatched(placed.body["orderId"])

    [placing] = [each for each in entries(world) if each["operation"] == "place_order"]
    assert {f"shippingAddress.{name}" for name in address} < set(placing["personal"])
    assert "canary" not in json.dumps([world.documents(context, "audit") for context in CONTEXTS])


STAFF_WRITES = {
    "import_products",
    "put_stock",
    "place_order",
    "cancel_order",
    "dispatch_shipment",
    "correct_shipment",
    "forget_customer",
    "rebuild_sums",
    "let_disagreement_be",
    *(f"{context}_{done}" for context in CONTEXTS for done in ("replay", "discard")),
}
"""Each has its test above, or in test_forgetting.py, test_replaying.py, test_flow.py and test_reconciling.py: a new one
needs its own."""
WRITES_NOTHING = {"announce_order"}
"""It sends what stands already: see test_waits.py."""


def test_every_function_by_which_staff_may_write_is_tested_here() -> None:
    declared = [each.operation for each in World().functions.values() if hasattr(each, "operation")]
    assert {each.id for each in declared if each.method != "GET"} == STAFF_WRITES | WRITES_NOTHING


async def trail(world: World, context: str, **query: str) -> list[list[Document]]:
    """The entries as an admin reads them, by pages."""
    pages: list[list[Document]] = []
    while True:
        answer = await world.call(f"{context}_audit", query=query, caller=ADMIN)
        assert answer.status == 200, answer.body
        pages.append(answer.body["value"])
        if "nextLink" not in answer.body:
            return pages
        query = dict(parse_qsl(urlsplit(answer.body["nextLink"]).query))


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_admins_read_each_entry_once_oldest_first(limit: int) -> None:
    world = World()
    for number in range(5):
        await counts(world, number)
        await world.system.sleep(1)

    pages = await trail(world, "inventory", limit=str(limit))

    assert [each["after"]["onHand"] for each in chain(*pages)] == list(range(5))
    assert {len(page) for page in pages[:-1]} <= {limit}


async def test_entries_of_one_import_have_an_id_each_so_that_no_page_loses_one() -> None:
    world = World()
    products = [PRODUCT | {"sku": f"MUG {number}"} for number in range(5)]
    await world.call("import_products", {"products": products}, caller=ADMIN)

    pages = await trail(world, "catalog", limit="2")

    assert sorted(each["target"]["id"] for each in chain(*pages)) == [f"MUG {number}" for number in range(5)]
    assert len({each["requestId"] for each in chain(*pages)}) == 1


@pytest.mark.parametrize(
    "since", ["2026-11-24T07:00:02+01:00", "2026-11-24t06:00:02z", "2026-11-24T06:00:02.00000000z"]
)
async def test_admins_begin_where_they_like(since: str) -> None:
    world = World()
    for number in range(4):
        await counts(world, number)
        await world.system.sleep(1)

    pages = await trail(world, "inventory", since=since, limit="1")

    assert [each["after"]["onHand"] for each in chain(*pages)] == [2, 3]


@pytest.mark.parametrize(
    "since",
    [
        "yesterday",
        "2026-11-24",
        "2026-11-24T06:00:00",
        "2026-11-24T06:00:00 01:00",
        "2026-13-24T06:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1764000000",
        "2026-W48-2T06:00:00Z",
        "",
    ],
)
async def test_a_time_that_is_none_is_refused(since: str) -> None:
    answer = await World().call("inventory_audit", query={"since": since}, caller=ADMIN)

    assert (answer.status, answer.body["title"]) == (400, "The query parameter since is not valid.")
    assert answer.body["detail"] == "It should be a time such as 2026-11-24T06:00:00Z, a + in it sent as %2B."


async def test_an_entry_is_read_as_it_was_written() -> None:
    world = World()
    await counts(world, 5)

    [[read]] = await trail(world, "inventory")

    [stored] = world.documents("inventory", "audit")
    assert read == {name: value for name, value in stored.items() if name not in ("pk", "kind", "ttl", "_etag", "_ts")}


async def test_an_entry_that_cannot_be_read_is_left_out_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    for number in range(3):
        await counts(world, number)
        await world.system.sleep(1)
    [_, second, _] = sorted(world.documents("inventory", "audit"), key=lambda each: str(each["createdAt"]))
    etag = second["_etag"]
    await world.containers["inventory"].write(second["pk"], [Replace(second | {"role": "canary"}, etag)])

    pages = await trail(world, "inventory", limit="1")

    assert [len(page) for page in pages] == [1, 1, 0]
    assert f"audit {second['id']} is left out: /role should be" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("caller", [customer("C1"), WAREHOUSE, SUPPORT], ids=lambda each: each.subject)
@pytest.mark.parametrize("context", CONTEXTS)
async def test_nobody_but_admins_reads_the_audit(context: str, caller: Caller) -> None:
    assert (await World().call(f"{context}_audit", caller=caller)).status == 403


def test_every_context_tells_its_audit_since_admins_see_to_what_is_parked_there() -> None:
    declared = [each.operation for each in World().functions.values() if hasattr(each, "operation")]
    assert {each.route for each in declared if each.route.startswith("audit/")} == {
        f"audit/{name}" for name in CONTEXTS
    }
