"""A shop's past is as if it had been: whatever the application reads of an order finds what belongs to it."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks import past
from local.cosmos.__main__ import provision
from local.cosmos.container import partition_key
from local.cosmos.items import Items, Operation
from local.cosmos.store import Store
from local.topology import load
from shared.codec import parse_rfc3339
from shared.ports import Create
from tests.unit.world import World

NUMBER = 30
KINDS = ("order", "decision", "reservation", "payment", "shipment", "event", "audit", "stock")


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """The file of a stand-in that has one order, which is completed, and another that isn't."""
    world = World()
    await world.stocked(MUG=10)
    order_id = await world.placed(("MUG", 2))
    await world.drain()
    await world.dispatched(order_id)
    await world.placed(("MUG", 1))
    await world.drain()
    with closing(Store(tmp_path / "cosmos.sqlite")) as store:
        provision(store, load().containers)
        for context in world.containers:
            container = store.container(f"dbs/orderflow/colls/{context}")
            for document in (each for kind in KINDS for each in world.documents(context, kind)):
                with store.transaction():
                    items = Items(container, partition_key(document, container.key_path), store.sequence)
                    items.apply(Operation("Create", body=document))
    return tmp_path / "cosmos.sqlite"


def stored(file: Path) -> dict[str, list[dict[str, Any]]]:
    """What the stand-in has, by container."""
    with closing(sqlite3.connect(file)) as db:
        tables = db.execute("SELECT path, number FROM resources WHERE path LIKE '%/colls/%'").fetchall()
        return {
            path.rpartition("/")[2]: [
                json.loads(body) for (body,) in db.execute(f"SELECT body FROM documents_{number} ORDER BY row")
            ]
            for path, number in tables
        }


async def in_memory(file: Path) -> World:
    """An application whose containers have what the stand-in has."""
    world = World()
    for context, documents in stored(file).items():
        for each in documents:
            await world.containers[context].write(each["pk"], [Create(each)])
    return world


def added(file: Path) -> list[str]:
    """The ids of the orders that were added, in the order of their time."""
    orders = [each for each in stored(file)["orders"] if each["kind"] == "order"]
    return [each["id"] for each in orders[2:]]


async def test_whatever_the_application_reads_of_an_order_is_its_own(file: Path) -> None:
    past.load(file, NUMBER)

    world, ids = await in_memory(file), added(file)
    for id in (ids[0], ids[-1]):
        assert (await world.order(id))["status"] == "completed"
        shipment = await world.call("get_shipment", route={"shipmentId": f"shp_{id}"})
        assert shipment.body["status"] == "dispatched"
        [payment], [decision] = await world.payments.payments.find([id]), await world.inventory.decisions.find([id])
        assert (payment.order_id, payment.state, decision.order_id) == (id, "captured", id)
        told = {event.name: event.event_id for event in await world.operations.events.of_order(id, 100)}
        known = await world.operations.events.facts([id], told)
        assert {event.name: event.event_id for event in known} == told, "found by what their ids derive from"
        assert {"OrderPlaced", "OrderCompleted"} <= told.keys()
    [first, last] = [await world.inventory.stock.reservations([(id, "MUG")]) for id in (ids[0], ids[-1])]
    assert first == {}, "it is gone a month after its end"
    assert last == {ids[-1]: {"MUG": "committed"}}


def test_what_must_be_one_order_s_alone_is_no_other_s(file: Path) -> None:
    past.load(file, NUMBER)

    found = stored(file)
    assert len({each["intentId"] for each in found["payments"]}) == NUMBER + 2
    events = [each["eventId"] for each in found["operations"] if each["kind"] == "event"]
    assert len({*events}) == len(events) > 10 * NUMBER
    assert len({each["id"] for each in found["shipping"] if each["kind"] == "audit"}) == NUMBER + 1


def test_orders_are_spread_over_the_past_and_keep_what_lay_between_their_steps(file: Path) -> None:
    [last, *_] = (each for each in stored(file)["orders"] if each["kind"] == "order")

    past.load(file, NUMBER)

    orders = [each for each in stored(file)["orders"] if each["kind"] == "order"]
    ages = [placed(last) - placed(each) for each in orders[2:]]
    assert ages == sorted(ages, reverse=True)
    assert (ages[0], ages[-1] >= past.NEWEST) == (past.OLDEST, True)
    assert {settled(each) - placed(each) for each in orders[2:]} == {settled(last) - placed(last)}
    assert all(each["history"][0]["at"] == each["placedAt"] for each in orders)


def placed(order: dict[str, Any]) -> datetime:
    """When it was."""
    return parse_rfc3339(order["placedAt"])


def settled(order: dict[str, Any]) -> datetime:
    """When it was."""
    return parse_rfc3339(order["settledAt"])
