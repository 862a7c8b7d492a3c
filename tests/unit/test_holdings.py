"""What inventory and payments hold for an order, as whoever operates it sees it."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.inventory import repositories
from services.payments import handlers
from shared.errors import Unavailable
from shared.ports import Document, Query
from simulation.callers import OPERATIONS
from simulation.world import Answer
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10, TRAY=10)
    return world


async def asked(world: World, operation: str, order_id: str) -> Any:
    """What is said of one order, None where nothing is."""
    answer = await world.call(operation, route={"orderIds": order_id}, caller=OPERATIONS)
    assert answer.status == 200
    return next(iter(answer.body["value"]), None)


async def test_inventory_tells_how_each_line_stands_and_how_much_that_is(world: World) -> None:
    order = await world.placed(("MUG", 2), ("TRAY", 3))
    before = await asked(world, "get_reservations", order)
    await world.drain()
    reserved = await asked(world, "get_reservations", order)
    await world.dispatched(order)
    await world.drain()
    committed = await asked(world, "get_reservations", order)

    assert before is None
    assert reserved == {
        "orderId": order,
        "decision": "reserved",
        "lines": [
            {"sku": "MUG", "quantity": 2, "state": "active"},
            {"sku": "TRAY", "quantity": 3, "state": "active"},
        ],
        "units": {"active": 5},
    }
    assert (committed["decision"], committed["units"]) == ("committed", {"committed": 5})


async def test_a_reservation_that_was_forgotten_by_the_store_has_no_state(world: World) -> None:
    order = await world.placed(("MUG", 2))
    await world.drain()
    await world.call("cancel_order", route={"orderId": order})
    await world.drain()
    released = await asked(world, "get_reservations", order)
    del world.containers["inventory"].partition("sku:MUG")[f"res:{order}"]
    later = await asked(world, "get_reservations", order)

    assert (released["decision"], released["units"]) == ("released", {"released": 2})
    assert (later["lines"], later["units"]) == ([{"sku": "MUG", "quantity": 2}], {})


async def test_payments_tells_both_sides_of_a_payment(world: World) -> None:
    order = await world.placed(("MUG", 2))
    before = await asked(world, "get_payments", order)
    await world.drain()
    held = await asked(world, "get_payments", order)
    await world.dispatched(order)
    await world.drain()
    captured = await asked(world, "get_payments", order)

    assert before is None
    assert held == {
        "orderId": order,
        "state": "authorised",
        "amount": {"amount": 500, "currency": "GBP"},
        "intentId": "pi_1",
        "provider": {"status": "held", "held": 500, "captured": 0},
        "providerAnswered": True,
    }
    assert captured["state"] == "captured"
    assert captured["provider"] == {"status": "captured", "held": 0, "captured": 500}


async def test_a_payment_that_was_undone_before_it_began_has_no_other_side(world: World) -> None:
    order = await world.placed(("MUG", 1))
    await world.deliver("inventory", world.broker.receive("inventory"))  # type: ignore[arg-type]
    await world.deliver("orders", world.broker.receive("orders"))  # type: ignore[arg-type]
    assert world.broker.receive("payments")
    await world.call("cancel_order", route={"orderId": order})
    await world.drain()

    answer = await asked(world, "get_payments", order)

    assert answer == {"orderId": order, "state": "voided", "provider": None, "providerAnswered": True}


async def is_away(_: str) -> Any:
    raise Unavailable("the payment provider gave no clear answer")


async def hangs(_: str) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("look", [is_away, hangs])
async def test_without_the_provider_payments_tells_its_own_side_in_time(
    world: World, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "INNER_TIMEOUT_SECONDS", 0.01)
    order = await world.placed(("MUG", 2))
    await world.drain()
    monkeypatch.setattr(world.provider, "look", look)

    answer = await asked(world, "get_payments", order)

    assert (answer["state"], answer["provider"]) == ("authorised", None)
    assert answer["providerAnswered"] is False


async def listed(world: World, **query: str) -> Answer:
    times = {"createdFrom": "2026-11-24T06:00:00Z", "createdUntil": "2026-11-25T06:00:00Z"}
    return await world.call("list_intents", query=times | query, caller=OPERATIONS)


async def test_payments_lists_what_the_provider_has_and_which_of_it_an_orders_payment_names(world: World) -> None:
    orders = await world.confirmed(3)
    await world.provider.confirm((await world.provider.create(orders[0], 250, "GBP", "pm_card_visa")).id)
    await world.provider.create("ord_of_nobody", 250, "GBP", "pm_card_visa")

    answer = await listed(world)

    known = [(each["intentId"], each.get("orderId"), each.get("paymentIntentId")) for each in answer.body["value"]]
    assert known == [
        ("pi_5", "ord_of_nobody", None),
        ("pi_4", orders[0], "pi_1"),
        *((f"pi_{number}", orders[number - 1], f"pi_{number}") for number in (3, 2, 1)),
    ]
    assert answer.body["value"][1] == {
        "status": "held",
        "held": 250,
        "captured": 0,
        "intentId": "pi_4",
        "currency": "GBP",
        "orderId": orders[0],
        "paymentIntentId": "pi_1",
        "createdAt": "2026-11-24T06:00:03.000000Z",
    }


async def test_the_list_is_of_a_time_and_goes_on_by_pages(world: World) -> None:
    await world.confirmed(5)
    pages, query = [], {"createdFrom": "2026-11-24T06:00:00.5Z", "createdUntil": "2026-11-24T06:00:03Z", "limit": "2"}
    while query:
        page = await listed(world, **query)
        pages.append([each["intentId"] for each in page.body["value"]])
        query = dict(parse_qsl(urlsplit(page.body.get("nextLink", "")).query))

    assert pages == [["pi_4", "pi_3"], ["pi_2"]]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"createdFrom": "yesterday"}, "createdFrom"),
        ({"createdUntil": ""}, "createdUntil"),
        ({"limit": "101"}, "limit"),
        ({"after": "pi_1"}, "after"),
    ],
)
async def test_a_list_that_cannot_be_is_refused_with_what_is_wrong(
    world: World, query: dict[str, str], name: str
) -> None:
    answer = await listed(world, **query)

    assert answer.status == 400
    assert name in str(answer.body)


async def test_without_the_provider_there_is_no_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def is_away(*_: Any) -> Any:
        raise Unavailable("the payment provider gave no clear answer")

    monkeypatch.setattr(world.provider, "created", is_away)

    assert (await listed(world)).status == 503


async def reserved(world: World, sku: str = "MUG") -> Any:
    """How many are set aside, by both."""
    answer = await world.call("get_reserved", route={"sku": sku}, caller=OPERATIONS)
    assert answer.status == 200
    return answer.body


async def test_inventory_adds_up_what_active_reservations_have_of_a_product(world: World) -> None:
    orders = [await world.placed(("MUG", 2)) for _ in range(3)]
    await world.drain()
    await world.dispatched(orders[0])
    await world.drain()

    assert await reserved(world) == {"sku": "MUG", "onHand": 8, "available": 4, "reserved": 4}
    assert await reserved(world, "TRAY") == {"sku": "TRAY", "onHand": 10, "available": 10, "reserved": 0}
    assert await reserved(world, "NOVEL") == {"sku": "NOVEL", "onHand": 0, "available": 0, "reserved": 0}


async def test_what_is_taken_while_it_is_added_up_is_no_difference(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, takes = world.containers["inventory"].find, iter("abcd")

    async def find_then_take(query: Query) -> list[Document]:
        found = await find(query)
        if order := next(takes, None):
            await world.inventory.stock.take("MUG", order, 1)
        return found

    monkeypatch.setattr(world.containers["inventory"], "find", find_then_take)

    assert [(await reserved(world))["reserved"] for _ in range(2)] == [None, 4]


async def test_too_many_reservations_are_not_added_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "_MOST_SUMMED", 2)
    sums = []
    for _ in range(3):
        await world.placed(("MUG", 1))
        await world.drain()
        sums.append((await reserved(world))["reserved"])

    assert sums == [1, 2, None]
