"""Every query of the application: which index serves it, and that what is finished doesn't make it dearer."""

import ast
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import topology
from local.cosmos.__main__ import provision
from local.cosmos.items import Items, Operation
from local.cosmos.query import Page, page
from local.cosmos.store import Store
from shared.adapters.cosmos import sql
from shared.adapters.memory import MemoryContainer
from shared.codec import rfc3339
from shared.ports import Document, Query
from simulation.topology import CONTEXTS, TOPOLOGY
from simulation.world import ENVIRONMENT
from tests.unit.world import World

ROOT = Path(__file__).parents[2]
ORDERS, SHIPPING, OPERATIONS = ("orders",), ("shipping",), ("operations",)
LISTED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("outbox", "createdAt", "id"): CONTEXTS,
    ("audit", "createdAt", "id"): CONTEXTS,
    ("order", "chaseAt", "id"): ORDERS,
    ("order", "placedAt", "id"): ORDERS,
    ("order", "customerId", "placedAt", "id"): ORDERS,
    ("order", "step", "placedAt", "id"): ORDERS,
    ("order", "step", "since", "id"): ORDERS,
    ("order", "customerId", "step", "placedAt", "id"): ORDERS,
    ("erasure", "createdAt", "id"): ORDERS,
    ("parked", "parkedAt", "pk"): CONTEXTS,
    ("parked", "subject", "parkedAt", "pk"): CONTEXTS,
    ("shipment", "state", "createdAt", "id"): SHIPPING,
    ("shipment", "carrier", "state", "createdAt", "id"): SHIPPING,
    ("event", "pk"): OPERATIONS,
    ("disagreement", "createdAt", "id"): OPERATIONS,
    ("reservation", "pk", "state"): ("inventory",),
    ("event", "_ts", "id"): OPERATIONS,
}
"""What kind is asked for by what, which a composite index on `kind` and these serves; and in which containers. What is
asked for by its partition comes in no order, and needs none."""
KINDS = ("product", "stock", "reservation", "decision", "order", "price", "payment", "shipment", "event")
WAITING = 3


class Recording(MemoryContainer):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: dict[tuple[str, ...], Query] = {}

    async def find(self, query: Query) -> list[Document]:
        self.queries[query.kind, *query.index[1:]] = query
        return await super().find(query)


@pytest.fixture
async def world() -> World:
    """One finished order, some that wait and some more by another carrier, and after them every query once."""
    world = World(container=Recording, environment=ENVIRONMENT | {"ORDERS_RETENTION_SECONDS": "1000000000"})
    await world.stocked(MUG=100)
    finished = await world.placed(("MUG", 1), customerId="ada")
    await world.drain()
    await world.dispatched(finished)
    await world.drain()
    assert (await world.order(finished))["status"] == "completed"
    for carrier in ("", "DHL"):
        ids = [await world.placed(("MUG", 1), customerId="ada") for _ in range(WAITING)]
        await world.drain()
        for id in ids if carrier else ():
            assert (await world.dispatched(id, carrier)).status == 200
        await world.drain()
    forgotten = await world.placed(("MUG", 1000), customerId="bob")
    await world.drain()
    assert (await world.order(forgotten))["status"] == "rejected"
    await world.call("forget_customer", route={"customerId": "bob"})
    await world.sweep()
    await world.drain()
    for query in ({"status": "pending"}, {"carrier": "DHL"}):
        assert (await world.call("list_shipments", query=query)).status == 200
    for status in ({}, {"status": "confirmed"}):
        for customer in ({}, {"customerId": "ada"}):
            assert (await world.call("list_orders", query=status | customer)).status == 200
    assert (await world.call("list_waits", query={"waiting": "dispatch"})).status == 200
    assert (await world.call("get_timeline", route={"orderId": finished})).status == 200
    for context in CONTEXTS:
        for listed in (f"{context}_audit", f"{context}_parked"):
            assert (await world.call(listed)).status == 200
        assert (await world.call(f"{context}_parked", query={"subject": forgotten})).status == 200
    assert (await world.call("list_disagreements")).status == 200
    assert (await world.call("get_reserved", route={"sku": "MUG"})).status == 200
    return world


def queries(world: World) -> dict[tuple[str, tuple[str, ...]], Query]:
    """What was asked for, by container and what serves it."""
    return {
        (context, served): query
        for context, container in world.containers.items()
        if isinstance(container, Recording)
        for served, query in container.queries.items()
    }


def test_every_query_in_the_code_is_listed_here() -> None:
    written = {
        ast.literal_eval(call.args[0])
        for folder in ("services", "shared")
        for file in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Query"
    }

    assert written == {kind for kind, *_ in LISTED}


def test_each_is_asked_for_and_its_index_stands_in_the_topology(world: World) -> None:
    assert queries(world).keys() == {(context, served) for served, contexts in LISTED.items() for context in contexts}


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_index_of_a_container_has_what_its_queries_need_and_no_more(context: str) -> None:
    [policy] = [one["indexingPolicy"] for one in TOPOLOGY["containers"] if one["name"] == context]
    served = [by for (_, *by), contexts in LISTED.items() if context in contexts]
    wanted = {("kind", *by) for by in served if by[0] != "pk"}

    composite = {tuple(part["path"].strip("/") for part in index) for index in policy["compositeIndexes"]}
    assert composite == wanted
    assert {part["order"] for index in policy["compositeIndexes"] for part in index} == {"ascending"}
    assert {one["path"] for one in policy["includedPaths"]} == {
        f"/{n}/?" for n in ["pk", "kind", *(n for by in served for n in by)]
    }
    assert policy["excludedPaths"] == [{"path": "/*"}]


def local_cosmos(folder: Path) -> Store:
    """A local Cosmos DB with what the topology names."""
    store = Store(folder / "cosmos.sqlite")
    provision(store, topology.load().containers)
    return store


def fill(store: Store, world: World, finished: int) -> None:
    """Store what the world's containers hold, messages left behind, and in each so many more documents of orders that
    are finished."""
    [forgotten] = [each["pk"] for each in world.documents("orders", "order") if each["forgottenAt"]]
    [pattern] = [each["pk"] for each in world.documents("shipping", "shipment") if each.get("carrier") == "Royal Mail"]
    for context, container in world.containers.items():
        documents = [document for kind in KINDS for document in container.documents(kind)]
        of_pattern = [json.dumps(document) for document in documents if pattern in json.dumps(document)]
        for number in range(finished // (len(of_pattern) or 1)):
            copies = (document.replace(pattern, f"{pattern}-{number}") for document in of_pattern)
            documents += map(json.loads, copies)
        documents += [
            one for kind in ("outbox", "audit", "erasure", "disagreement") for one in left_behind(kind, WAITING)
        ]
        documents += [
            parked | {"pk": f"{parked['id']}-{order}", "subject": f"{order}", "parkedAt": parked["createdAt"]}
            for order in (forgotten, *range(finished // WAITING))
            for parked in left_behind("parked", WAITING)
        ]
        put(store, context, documents)


def left_behind(kind: str, number: int) -> list[Document]:
    """So many documents, a second apart."""
    start = datetime(2026, 11, 24, 6, tzinfo=UTC)
    return [
        {"id": f"{kind}-{each}", "pk": "left", "kind": kind, "createdAt": rfc3339(start + timedelta(seconds=each))}
        for each in range(number)
    ]


def put(store: Store, context: str, documents: list[Document]) -> None:
    """Store the documents as they are."""
    stored = store.container(f"dbs/orderflow/colls/{context}")
    with store.transaction():
        for document in documents:
            Items(stored, json.dumps(document["pk"]), store.sequence).apply(Operation("Create", body=document))


def ask(store: Store, context: str, query: Query) -> Page:
    """A query's page as the adapter sends for it."""
    text, parameters = sql(query)
    values = {parameter["name"][1:]: parameter["value"] for parameter in parameters}
    return page(store.container(f"dbs/orderflow/colls/{context}"), text, values, None, WAITING, None)


@pytest.mark.parametrize("finished", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_query_gets_dearer_by_what_is_finished(world: World, tmp_path: Path, finished: int) -> None:
    charges: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for number in (0, finished):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        with closing(local_cosmos(folder)) as store:
            fill(store, world, number)
            for (context, kind), asked in queries(world).items():
                # Everything that waits is due.
                where = tuple(
                    replace(each, value=2**40 if each.name == "_ts" else "9999") if each.op == "<=" else each
                    for each in asked.where
                )
                query = replace(asked, where=where, limit=WAITING)
                found = ask(store, context, query)
                assert len(found.results) == WAITING, (context, kind)
                last = json.loads(found.results[-1])
                following = ask(store, context, replace(query, after=tuple(last[name] for name in query.order_by)))
                charges.setdefault((context, kind), []).append(found.charge + following.charge)

    assert {each: many / none for each, (none, many) in charges.items() if many > 1.2 * none} == {}


@pytest.mark.parametrize("entries", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_page_of_the_audit_costs_the_same_wherever_it_is(world: World, tmp_path: Path, entries: int) -> None:
    first = replace(queries(world)["inventory", ("audit", "createdAt", "id")], limit=WAITING)
    documents = left_behind("audit", entries)
    few, middle, end = (documents[each] for each in (0, entries // 2, -WAITING - 1))
    with closing(local_cosmos(tmp_path)) as store:
        put(store, "inventory", documents[:WAITING])
        alone = ask(store, "inventory", first)
        put(store, "inventory", documents[WAITING:])
        pages = [ask(store, "inventory", first)] + [
            ask(store, "inventory", replace(first, after=(each["createdAt"], each["id"])))
            for each in (few, middle, end)
        ]

    assert [len(found.results) for found in pages] == [WAITING] * 4
    assert [found.charge for found in pages if found.charge > 1.2 * alone.charge] == []
