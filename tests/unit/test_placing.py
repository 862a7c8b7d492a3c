"""A request to place an order is one request, however often the store, the SDK or the caller repeats it."""

from dataclasses import dataclass

import pytest

from services.orders.domain import Address
from services.orders.handlers import NewOrder, WantedLine, order_id
from shared.access import Role
from shared.errors import Contended
from shared.ports import Replace
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World, order_body


async def stocked() -> tuple[World, ForgetfulContainer]:
    """Five mugs, and the store of orders."""
    world = World(container=ForgetfulContainer)
    await world.stocked(MUG=5)
    orders = world.containers["orders"]
    assert isinstance(orders, ForgetfulContainer)
    return world, orders


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}], ids=["no key", "key"])
@pytest.mark.parametrize("old_reads", [0, 1])
@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_an_order_whose_answer_was_lost_is_one_order_and_goes_on_at_once(
    lost: Exception, old_reads: int, headers: dict[str, str]
) -> None:
    world, orders = await stocked()
    orders.forget(lost, old_reads)

    answer = await world.call("place_order", order_body(("MUG", 1)), headers=headers)
    await world.drain()

    assert answer.status == 201
    [order] = world.documents("orders", "order")
    assert order["id"] == answer.body["orderId"]
    assert order["step"] == "awaiting_dispatch", "its messages were published without a sweep"
    assert len(world.provider.intents) == 1


async def test_what_was_placed_stands_though_its_product_is_delisted_before_the_request_is_tried_again() -> None:
    world, orders = await stocked()

    async def delist() -> None:
        price = await orders.read("price:MUG", "price")
        assert price
        await orders.write("price:MUG", [Replace(price | {"listed": False}, price["_etag"])])

    orders.forget(Contended("449"), meanwhile=delist)

    assert (await world.call("place_order", order_body(("MUG", 1)))).status == 201
    assert len(world.documents("orders", "order")) == 1


def test_an_absent_field_of_a_line_takes_no_part_in_the_digest() -> None:
    @dataclass(frozen=True, slots=True)
    class LaterLine(WantedLine):
        gift_note: str | None = None

    address = Address("Ada", "12 St James Square", "London", "GB")
    now = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (WantedLine("MUG", 1),), "ada")
    later = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (LaterLine("MUG", 1),), "ada")
    assert later.digest == now.digest


def test_the_digest_of_a_request_is_what_it_has_always_been() -> None:
    """Fields that are added later are absent here, and change nothing: a retry across a deployment is the same."""
    address = Address("Ada", "12 St James Square", "London", "GB")
    new = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (WantedLine("MUG", 1),), "ada")
    assert new.digest == "e905669e1a40438a604730eb9c6539818a171cea32f3746f03bd83a3aded3fc3"


def test_the_order_id_of_a_customers_key_is_what_it_has_always_been() -> None:
    assert order_id(Role.CUSTOMER, "ada", "k-1", "unused") == "ord_930e4f4a5ad153d588109411b8ca2213"
