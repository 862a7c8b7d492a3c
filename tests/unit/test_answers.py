"""Every command is answered with the outcome that stands, also where something else was under way, or it comes late."""

from datetime import timedelta

import pytest

from services.inventory.domain import Decision, ReservedLine
from services.inventory.domain import State as Decided
from services.inventory.handlers import handle as handle_stock
from services.payments.domain import DeclineCode, Payment
from services.payments.domain import State as Paid
from services.payments.handlers import handle as handle_payment
from shared.contracts import Line
from shared.contracts.inventory import ReleaseStock, ReserveStock
from shared.contracts.payments import AuthorisePayment, VoidPayment
from shared.errors import BrokenPromise, Contended
from simulation.witness.notes import name_of
from tests.unit.world import World

LINES = (Line("MUG", 1),)


def answers(world: World) -> list[str]:
    return [name_of(message) for destination, message in world.broker.sent if destination.endswith("-events")]


async def test_a_release_that_finds_a_rejection_under_way_ends_it_and_is_answered() -> None:
    world = World()
    await world.call("put_stock", {"onHand": 1}, route={"sku": "MUG"})
    await world.inventory.decisions.save(Decision("ord_1", Decided.REJECTING, (ReservedLine("MUG", 1),)))

    await handle_stock(ReleaseStock("ord_1", LINES), world.inventory)

    assert answers(world) == ["StockRejected", "StockReleased"]


async def test_a_void_that_finds_a_decline_under_way_ends_it_and_is_answered() -> None:
    world = World()
    intent = await world.provider.create("ord_1", 500, "GBP", "pm_card_visa_chargeDeclined")
    declining = Payment("ord_1", Paid.DECLINING, 500, "GBP", intent.id, decline_code=DeclineCode.CARD_DECLINED)
    await world.payments.payments.save(declining)

    await handle_payment(VoidPayment("ord_1"), world.payments)

    assert answers(world) == ["PaymentDeclined", "PaymentVoided"]


async def test_a_command_that_comes_after_its_order_gave_up_is_answered_where_that_was_decided_before() -> None:
    world = World()
    await world.call("put_stock", {"onHand": 1}, route={"sku": "MUG"})
    gives_up_at = world.system.now() + timedelta(hours=1)
    reserve = ReserveStock("ord_1", LINES, give_up_at=gives_up_at)
    authorise = AuthorisePayment("ord_1", 500, "GBP", "pm_card_visa", gives_up_at)
    for _ in range(2):
        await handle_stock(reserve, world.inventory)
        await handle_payment(authorise, world.payments)
        await world.system.sleep(2 * 3600)

    assert answers(world) == ["StockReserved", "PaymentAuthorised"] * 2


async def test_an_intent_that_was_captured_by_hand_is_not_declined() -> None:
    """The stored payment, which says nothing of that, may be an old read: looked at again, and then later."""
    world = World()
    intent = await world.provider.create("ord_1", 500, "GBP", "pm_card_visa")
    await world.payments.payments.save(Payment("ord_1", Paid.CREATED, 500, "GBP", intent.id))
    await world.provider.confirm(intent.id)
    await world.provider.capture(intent.id, 500)

    with pytest.raises(Contended):
        await handle_payment(AuthorisePayment("ord_1", 500, "GBP", "pm_card_visa"), world.payments)

    assert [payment["state"] for payment in world.documents("payments", "payment")] == ["created"]


async def test_what_was_used_up_is_not_given_back_nor_what_was_given_back_used_up() -> None:
    world = World()
    await world.call("put_stock", {"onHand": 5}, route={"sku": "MUG"})
    stock = world.inventory.stock
    for order_id, end, other_end in (
        ("ord_1", stock.use_up, stock.give_back),
        ("ord_2", stock.give_back, stock.use_up),
    ):
        await stock.take("MUG", order_id, 1)
        await end("MUG", order_id, 1)
        with pytest.raises(BrokenPromise):
            await other_end("MUG", order_id, 1)

    assert [(item["onHand"], item["available"]) for item in world.documents("inventory", "stock")] == [(4, 4)]
