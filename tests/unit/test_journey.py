"""An order's journey through all contexts, in memory: the ways on which it can end."""

from datetime import timedelta

import pytest

from shared.contracts.payments import PaymentDeclined
from shared.messaging import fact, to_wire
from shared.ports import Create
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10, TRAY=5)
    return world


async def test_an_order_is_reserved_paid_shipped_and_completed(world: World) -> None:
    order_id = await world.placed(("MUG", 4), ("TRAY", 5))
    await world.drain()
    assert (await world.order(order_id))["status"] == "confirmed"

    assert (await world.dispatched(order_id)).status == 200
    await world.drain()

    order = await world.order(order_id)
    assert order["status"] == "completed"
    assert order["total"] == {"amount": 2250, "currency": "GBP"}
    assert order["settledAt"] is not None
    stock = (await world.call("get_stock", route={"sku": "MUG"})).body
    assert stock == {"sku": "MUG", "onHand": 6, "available": 6}
    assert [intent["captured"] for intent in world.provider.intents.values()] == [2250]


async def test_an_order_for_more_than_there_is_is_rejected_and_takes_nothing(world: World) -> None:
    order_id = await world.placed(("MUG", 4), ("TRAY", 6))
    await world.drain()

    order = await world.order(order_id)
    assert (order["status"], order["reason"]) == ("rejected", "out_of_stock")
    assert (await world.call("get_stock", route={"sku": "MUG"})).body["available"] == 10
    assert world.provider.intents == {}


@pytest.mark.parametrize(
    ("method", "code"),
    [("pm_card_visa_chargeDeclined", "card_declined"), ("pm_unknown", "unknown_payment_method")],
)
async def test_a_payment_that_is_declined_gives_the_stock_back_and_says_why(
    world: World, method: str, code: str
) -> None:
    order_id = await world.placed(("MUG", 4), paymentMethod=method)
    await world.drain()

    order = await world.order(order_id)
    assert (order["status"], order["reason"], order["declineCode"]) == ("rejected", "payment_declined", code)
    assert (await world.call("get_stock", route={"sku": "MUG"})).body["available"] == 10


async def test_a_declined_order_says_why_once_it_is_rejected(world: World) -> None:
    order_id = await world.placed(("MUG", 4))
    for queue in ("inventory", "orders"):
        message = world.broker.receive(queue)
        assert message
        await world.deliver(queue, message)
    declined = PaymentDeclined(order_id, "insufficient_funds")
    await world.deliver("orders", to_wire(fact(declined, order_id, world.system)))
    assert "declineCode" not in await world.order(order_id)
    await world.drain()

    order = await world.order(order_id)
    assert (order["status"], order["declineCode"]) == ("rejected", "insufficient_funds")


async def test_a_cancellation_before_anything_happened_undoes_the_reservation(world: World) -> None:
    order_id = await world.placed(("MUG", 4))
    assert (await world.call("cancel_order", route={"orderId": order_id})).status == 202
    await world.drain(timedelta(minutes=1))

    assert (await world.order(order_id))["status"] == "cancelled"
    assert (await world.call("get_stock", route={"sku": "MUG"})).body["available"] == 10


async def test_a_cancellation_of_a_confirmed_order_recalls_the_shipment_and_lets_the_money_go(world: World) -> None:
    order_id = await world.placed(("MUG", 4))
    await world.drain()
    assert (await world.call("cancel_order", route={"orderId": order_id})).body["status"] == "cancelling"
    await world.drain()

    assert (await world.order(order_id))["status"] == "cancelled"
    assert (await world.dispatched(order_id)).status == 409
    assert [str(intent["status"]) for intent in world.provider.intents.values()] == ["cancelled"]


async def test_a_dispatch_wins_over_a_later_cancellation(world: World) -> None:
    order_id = await world.placed(("MUG", 4))
    await world.drain()
    assert (await world.dispatched(order_id)).status == 200
    cancelled = await world.call("cancel_order", route={"orderId": order_id})
    await world.drain()

    assert cancelled.status == 202
    assert (await world.order(order_id))["status"] == "completed"
    assert (await world.call("cancel_order", route={"orderId": order_id})).status == 409


async def test_nothing_is_left_in_any_outbox_and_nothing_is_parked(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    await world.drain()
    await world.dispatched(order_id)
    await world.drain()

    assert [d for context in world.containers for d in world.documents(context, "outbox")] == []
    assert [d for context in world.containers for d in world.documents(context, "parked")] == []


async def test_a_lost_reply_is_repaired_by_the_resend(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    assert (lost := world.broker.receive("inventory"))
    assert lost.correlation_id == order_id

    await world.system.sleep(59)
    await world.sweep()
    await world.drain()
    assert (await world.order(order_id))["status"] == "pending"

    await world.system.sleep(2)
    await world.sweep()
    await world.drain()
    assert (await world.order(order_id))["status"] == "confirmed"


async def test_what_stays_without_a_reply_is_given_up_after_an_hour(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    for _ in range(70):
        await world.system.sleep(60)
        await world.sweep()
        while (await world.order(order_id))["status"] == "pending" and world.broker.receive("inventory"):
            pass
    await world.drain(timedelta(hours=2))
    await world.sweep()
    await world.drain()

    order = await world.order(order_id)
    assert (order["status"], order["reason"]) == ("rejected", "timeout")


async def test_an_order_that_can_not_be_read_holds_up_no_other(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    assert world.broker.receive("inventory")
    broken = {"id": "ord_0", "pk": "ord_0", "kind": "order", "chaseAt": "2026-11-24T06:00:00.000000Z"}
    await world.containers["orders"].write("ord_0", [Create(broken)])

    await world.system.sleep(61)
    await world.sweep()
    await world.drain()

    assert (await world.order(order_id))["status"] == "confirmed"
