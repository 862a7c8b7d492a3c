"""A request to place an order is one request, however often the store, the SDK or the caller repeats it."""

from dataclasses import dataclass

import pytest

from services.orders.domain import Address
from services.orders.placing import NewOrder, WantedLine, order_id
from shared.access import Role
from shared.errors import Contended
from shared.ports import Replace
from simulation.world import ENVIRONMENT, order_body
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World

KEY = {"idempotency-key": "k"}


async def stocked(most_a_minute: int = 0) -> tuple[World, ForgetfulContainer]:
    """Five mugs, and the store of orders."""
    environment = ENVIRONMENT | {"ORDERS_PER_CUSTOMER_PER_MINUTE": str(most_a_minute)}
    world = World(container=ForgetfulContainer, environment=environment)
    await world.stocked(MUG=5)
    orders = world.containers["orders"]
    assert isinstance(orders, ForgetfulContainer)
    return world, orders


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}], ids=["no key", "key"])
@pytest.mark.parametrize("old_reads", [0, 1])
@pytest.mark.parametrize("most_a_minute", [0, 60], ids=["the order's", "the count's"])
@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
async def test_an_order_whose_answer_was_lost_is_one_order_and_goes_on_at_once(
    lost: Exception, most_a_minute: int, old_reads: int, headers: dict[str, str]
) -> None:
    world, orders = await stocked(most_a_minute)
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


def pounds(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "GBP"}


async def repriced(world: World, amount: int) -> None:
    product = {"sku": "MUG", "name": "Product MUG", "price": pounds(amount)}
    assert (await world.call("import_products", {"products": [product]})).status == 200
    await world.drain()


async def test_an_order_that_costs_something_else_than_the_buyer_saw_is_not_placed_and_says_what_it_costs() -> None:
    world, _ = await stocked()
    await repriced(world, 300)
    body = order_body(("MUG", 2), expectedTotal=pounds(500))
    answer = await world.call("place_order", body, headers=KEY)

    assert (answer.status, answer.body["type"]) == (409, "urn:orderflow:problem:total-changed")
    assert answer.body["total"] == pounds(600)
    assert answer.body["lines"] == [{"sku": "MUG", "unitPrice": pounds(300), "lineTotal": pounds(600)}]
    assert world.documents("orders", "order") == []
    agreed = await world.call("place_order", body | {"expectedTotal": pounds(600)}, headers=KEY)
    assert (agreed.status, agreed.body["total"]) == (201, pounds(600)), "the key was still unused"


async def test_a_placed_order_stands_under_its_key_whatever_the_prices_are_now() -> None:
    world, _ = await stocked()
    body = order_body(("MUG", 2), expectedTotal=pounds(500))
    first = await world.call("place_order", body, headers=KEY)
    await repriced(world, 300)
    again = await world.call("place_order", body, headers=KEY)

    assert (first.status, again.status, again.body["orderId"]) == (201, 201, first.body["orderId"])
    for other in (pounds(600), None):
        reused = await world.call("place_order", body | {"expectedTotal": other}, headers=KEY)
        assert (reused.status, reused.body["type"]) == (422, "urn:orderflow:problem:idempotency-key-reused")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"amount": 500, "currency": "EUR"}, "/expectedTotal/currency"),
        ({"amount": "500", "currency": "GBP"}, "/expectedTotal/amount"),
        ({"amount": 5.5, "currency": "GBP"}, "/expectedTotal/amount"),
        ({"amount": -1, "currency": "GBP"}, "/expectedTotal/amount"),
        ({"amount": 500}, "/expectedTotal/currency"),
        (500, "/expectedTotal"),
    ],
)
async def test_an_expected_total_that_is_no_money_of_the_shop_is_a_wrong_field(wrong: object, pointer: str) -> None:
    world, _ = await stocked()
    answer = await world.call("place_order", order_body(("MUG", 2), expectedTotal=wrong))
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, [pointer])


async def test_a_total_outside_the_limits_is_a_wrong_field_whatever_the_buyer_saw() -> None:
    world, _ = await stocked()
    await repriced(world, 1)
    answer = await world.call("place_order", order_body(("MUG", 2), expectedTotal=pounds(500)))
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, ["/lines"])


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
