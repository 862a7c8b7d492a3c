"""What orders wait for: whoever is called at night finds them, the longest waiting first."""

from datetime import timedelta
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.ports import WireMessage
from simulation.callers import OPERATIONS
from simulation.witness.notes import name_of
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=100, GONE=0)
    return world


async def wait(world: World, order_id: str) -> dict[str, Any]:
    """What is said of the order's wait."""
    answer = await world.call("get_waits", route={"orderIds": order_id}, caller=OPERATIONS)
    assert answer.status == 200, answer.body
    [said] = answer.body["value"]
    return dict(said)


async def listed(world: World, **query: str) -> list[str]:
    """The orders that are listed, from link to link."""
    pages = []
    while True:
        page = await world.call("list_waits", query=query, caller=OPERATIONS)
        assert page.status == 200, page.body
        pages.append([each["orderId"] for each in page.body["value"]])
        if "nextLink" not in page.body:
            return [*chain(*pages)]
        query = dict(parse_qsl(urlsplit(page.body["nextLink"]).query))


async def test_an_order_tells_what_it_waits_for_and_when_it_is_chased_and_given_up(world: World) -> None:
    order = await world.placed(("MUG", 1))
    placed_at = world.system.now()

    for_stock = await wait(world, order)
    await world.system.sleep(60)
    await world.sweep()
    chased = await wait(world, order)
    await world.drain()
    for_dispatch = await wait(world, order)
    await world.dispatched(order)
    await world.drain()
    completed = await wait(world, order)

    assert for_stock == {
        "orderId": order,
        "waiting": "stock",
        "since": "2026-11-24T06:00:00.000000Z",
        "awaiting": ["orderflow.inventory.ReserveStock.v1"],
        "chases": 0,
        "chaseAt": "2026-11-24T06:01:00.000000Z",
        "giveUpAt": "2026-11-24T07:00:00.000000Z",
        "status": "pending",
        "total": {"amount": 250, "currency": "GBP"},
        "units": 1,
    }
    assert placed_at == world.system.now() - timedelta(minutes=1)
    assert (chased["chases"], chased["since"], chased["chaseAt"]) == (
        1,
        for_stock["since"],
        "2026-11-24T06:03:00.000000Z",
    )
    assert (for_dispatch["waiting"], for_dispatch["shipmentId"]) == ("dispatch", f"shp_{order}")
    assert (completed["awaiting"], completed["status"]) == ([], "completed")
    assert completed.keys() & {"waiting", "chaseAt", "giveUpAt"} == set()


async def test_an_order_that_is_undone_waits_for_each_reply_that_is_due(world: World) -> None:
    order = await world.placed(("MUG", 1))
    await world.deliver("inventory", world.broker.receive("inventory"))  # type: ignore[arg-type]
    await world.deliver("orders", world.broker.receive("orders"))  # type: ignore[arg-type]
    await world.call("cancel_order", route={"orderId": order})

    undoing = await wait(world, order)

    assert undoing["waiting"] == "undo"
    assert undoing["awaiting"] == ["orderflow.inventory.ReleaseStock.v1", "orderflow.payments.VoidPayment.v1"]
    assert "giveUpAt" not in undoing


@pytest.mark.parametrize("limit", ["1", "2", "100"])
async def test_what_waits_longest_comes_first_whatever_it_waits_for(world: World, limit: str) -> None:
    dispatch = await world.confirmed(3)
    stock = []
    for _ in range(3):
        stock.append(await world.placed(("MUG", 1)))
        await world.system.sleep(1)

    assert await listed(world, limit=limit) == dispatch + stock
    assert await listed(world, limit=limit, waiting="stock") == stock
    assert await listed(world, limit=limit, waiting="dispatch,settle") == dispatch
    assert await listed(world, limit=limit, waiting="payment") == []
    assert await listed(world, limit=limit, over="PT2S") == [*dispatch, *stock[:2]]
    assert await listed(world, limit=limit, over="PT2S", waiting="stock") == stock[:2]


async def test_what_counts_is_since_when_it_waits_for_this_and_not_when_it_was_placed(world: World) -> None:
    first = await world.placed(("MUG", 1))
    await world.system.sleep(1)
    second = await world.placed(("MUG", 1))
    for _ in range(2):
        message = world.broker.receive("inventory")
        assert message
        if message.correlation_id == second:
            await world.deliver("inventory", message)
            await world.drain()
            await world.system.sleep(1)
    await world.system.sleep(60)
    await world.sweep()
    await world.drain()

    assert await listed(world, waiting="dispatch") == [second, first]


async def test_what_is_final_is_not_among_what_waits(world: World) -> None:
    [completed, cancelled] = await world.confirmed(2)
    await world.dispatched(completed)
    await world.call("cancel_order", route={"orderId": cancelled})
    await world.placed(("MUG", 999))
    await world.drain()

    assert await listed(world) == []
    assert ["since" in each for each in world.documents("orders", "order")] == [False] * 3


DURATIONS = {
    "PT0S": 0,
    "PT90S": 90,
    "PT10M": 600,
    "PT1H30M": 5400,
    "P1D": 86_400,
    "P1DT1S": 86_401,
    "P9999DT99999H9999999M999999999S": 9999 * 86_400 + 99_999 * 3600 + 9_999_999 * 60 + 999_999_999,
}


@pytest.mark.parametrize(("duration", "seconds"), DURATIONS.items())
async def test_a_duration_is_one_of_iso_8601_in_days_or_less(world: World, duration: str, seconds: int) -> None:
    order = await world.placed(("MUG", 1))
    await world.system.sleep(600)

    assert await listed(world, over=duration, limit="1") == ([order] if seconds <= 600 else [])


@pytest.mark.parametrize(
    "duration", ["10", "PT", "P", "P1", "T10M", "PT10", "P1M", "P1Y", "P1W", "-PT1M", "PT1.5S", "pt10m", "PT١M", "P1DT"]
)
async def test_what_is_no_duration_is_refused_with_what_one_is(world: World, duration: str) -> None:
    answer = await world.call("list_waits", query={"over": duration})

    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert answer.body["title"] == "The query parameter over is not valid."
    assert answer.body["detail"] == "It should be a duration in days or less (ISO 8601), such as PT10M or P1DT12H."


@pytest.mark.parametrize("query", [{"waiting": "godot"}, {"after": "made-up"}, {"waiting": "stock,,"}], ids=str)
async def test_what_is_no_question_is_refused(world: World, query: dict[str, str]) -> None:
    answer = await world.call("list_waits", query=query)

    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")


async def test_of_several_orders_those_that_are_there_tell(world: World) -> None:
    orders = [await world.placed(("MUG", 1)) for _ in range(3)]

    answer = await world.call("get_waits", route={"orderIds": ",".join([*orders, orders[0], "ord_none", "o" * 101])})

    assert sorted(each["orderId"] for each in answer.body["value"]) == sorted(orders)


@pytest.mark.parametrize("operation", ["get_waits", "get_reservations", "get_payments"])
async def test_more_orders_than_are_asked_about_at_a_time_are_refused(world: World, operation: str) -> None:
    answer = await world.call(operation, route={"orderIds": ",".join(f"ord_{number}" for number in range(26))})

    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert answer.body["detail"] == "Name 25 of them at most."
    some = await world.call(operation, route={"orderIds": ",".join(f"ord_{number}" for number in range(25))})
    assert (some.status, some.body) == (200, {"value": []})


async def announced(world: World, order_id: str) -> list[WireMessage]:
    """What is sent when the order is announced again."""
    before = len(world.broker.sent)
    answer = await world.call("announce_order", route={"orderId": order_id}, caller=OPERATIONS)
    sent = [message for _, message in world.broker.sent[before:]]
    assert (answer.status, answer.body) == (202, {"orderId": order_id, "events": [name_of(each) for each in sent]})
    return sent


ENDS = {"OrderCompleted": "MUG", "OrderRejected": "GONE", "OrderCancelled": "MUG"}


@pytest.mark.parametrize("end", ENDS)
async def test_an_order_is_announced_again_as_the_facts_that_it_announced_under_fresh_message_ids(
    world: World, end: str
) -> None:
    order = await world.placed((ENDS[end], 1 if end != "OrderRejected" else 1000))
    under_way = [name_of(each) for each in await announced(world, order)]
    await world.drain()
    if end == "OrderCompleted":
        await world.dispatched(order)
    elif end == "OrderCancelled":
        await world.call("cancel_order", route={"orderId": order})
    await world.drain()
    first = {name_of(each): each for _, each in world.broker.sent if name_of(each) in ("OrderPlaced", end)}
    stored = world.documents("orders", "order"), world.documents("orders", "outbox")

    again = [*await announced(world, order), *await announced(world, order)]

    assert under_way == ["OrderPlaced"]
    assert [name_of(each) for each in again] == ["OrderPlaced", end] * 2
    assert len({each.id for each in again} | {each.id for each in first.values()}) == 6
    for each in again:
        same = first[name_of(each)]
        assert (each.body, each.properties) == (same.body, same.properties)
    assert (world.documents("orders", "order"), world.documents("orders", "outbox")) == stored


async def test_an_order_that_is_not_there_is_not_announced(world: World) -> None:
    answer = await world.call("announce_order", route={"orderId": "ord_none"}, caller=OPERATIONS)

    assert answer.status == 404
