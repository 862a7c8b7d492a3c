"""What inventory and payments hold for an order, as whoever operates it sees it."""

import asyncio
from typing import Any

import pytest

from services.payments import handlers
from shared.errors import Unavailable
from tests.unit.world import OPERATIONS, Answer, World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10, TRAY=10)
    return world


async def asked(world: World, operation: str, order_id: str) -> Answer:
    return await world.call(operation, route={"orderId": order_id}, caller=OPERATIONS)


async def test_inventory_tells_how_each_line_stands_and_how_much_that_is(world: World) -> None:
    order = await world.placed(("MUG", 2), ("TRAY", 3))
    before = await asked(world, "get_reservations", order)
    await world.drain()
    reserved = await asked(world, "get_reservations", order)
    await world.dispatched(order)
    await world.drain()
    committed = await asked(world, "get_reservations", order)

    assert before.status == 404
    assert reserved.body == {
        "orderId": order,
        "decision": "reserved",
        "lines": [
            {"sku": "MUG", "quantity": 2, "state": "active"},
            {"sku": "TRAY", "quantity": 3, "state": "active"},
        ],
        "units": {"active": 5},
    }
    assert (committed.body["decision"], committed.body["units"]) == ("committed", {"committed": 5})


async def test_a_reservation_that_was_forgotten_by_the_store_has_no_state(world: World) -> None:
    order = await world.placed(("MUG", 2))
    await world.drain()
    await world.call("cancel_order", route={"orderId": order})
    await world.drain()
    released = await asked(world, "get_reservations", order)
    del world.containers["inventory"].partition("sku:MUG")[f"res:{order}"]
    later = await asked(world, "get_reservations", order)

    assert (released.body["decision"], released.body["units"]) == ("released", {"released": 2})
    assert (later.body["lines"], later.body["units"]) == ([{"sku": "MUG", "quantity": 2}], {})


async def test_payments_tells_both_sides_of_a_payment(world: World) -> None:
    order = await world.placed(("MUG", 2))
    before = await asked(world, "get_payment", order)
    await world.drain()
    held = await asked(world, "get_payment", order)
    await world.dispatched(order)
    await world.drain()
    captured = await asked(world, "get_payment", order)

    assert before.status == 404
    assert held.body == {
        "orderId": order,
        "state": "authorised",
        "amount": {"amount": 500, "currency": "GBP"},
        "intentId": "pi_1",
        "provider": {"status": "held", "held": 500, "captured": 0},
        "providerAnswered": True,
    }
    assert captured.body["state"] == "captured"
    assert captured.body["provider"] == {"status": "captured", "held": 0, "captured": 500}


async def test_a_payment_that_was_undone_before_it_began_has_no_other_side(world: World) -> None:
    order = await world.placed(("MUG", 1))
    await world.deliver("inventory", world.broker.receive("inventory"))  # type: ignore[arg-type]
    await world.deliver("orders", world.broker.receive("orders"))  # type: ignore[arg-type]
    assert world.broker.receive("payments")
    await world.call("cancel_order", route={"orderId": order})
    await world.drain()

    answer = await asked(world, "get_payment", order)

    assert answer.body == {"orderId": order, "state": "voided", "provider": None, "providerAnswered": True}


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

    answer = await asked(world, "get_payment", order)

    assert (answer.status, answer.body["state"], answer.body["provider"]) == (200, "authorised", None)
    assert answer.body["providerAnswered"] is False
