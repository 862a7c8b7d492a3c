"""Shops that sell in other currencies than pounds."""

from dataclasses import replace
from typing import Any

import pytest

from services.catalog.bootstrap import CatalogSettings
from shared.currencies import in_words
from shared.errors import SettingsError
from simulation.world import ENVIRONMENT, order_body
from tests.unit.world import World


async def shop(currency: str, price: int = 1000) -> World:
    """A shop that sells mugs at this price."""
    world = World(environment=ENVIRONMENT | {"SHOP_CURRENCY": currency})
    product = {"sku": "MUG", "name": "Mug", "price": {"amount": price, "currency": currency}}
    [result] = (await world.call("import_products", {"products": [product]})).body["results"]
    assert result["status"] == "created", result
    await world.call("put_stock", {"onHand": 100_000}, route={"sku": "MUG"})
    await world.drain()
    return world


async def placed(world: World, currency: str, quantity: int) -> tuple[int, Any]:
    """Status and body of an order of so many mugs."""
    answer = await world.call("place_order", order_body(("MUG", quantity), currency=currency))
    return answer.status, answer.body


@pytest.mark.parametrize("currency", ["GBP", "EUR", "JPY", "KRW", "KWD", "TND", "HUF", "XCG", "SLE"])
async def test_an_order_is_priced_and_captured_in_the_minor_units_of_its_currency(currency: str) -> None:
    world = await shop(currency, 20_010)
    status, order = await placed(world, currency, 3)
    assert (status, order["total"]) == (201, {"amount": 60_030, "currency": currency})
    await world.drain()
    await world.dispatched(order["orderId"])
    await world.drain()
    assert (await world.order(order["orderId"]))["status"] == "completed"
    assert [intent["captured"] for intent in world.provider.intents.values()] == [60_030]


@pytest.mark.parametrize(
    "currency",
    ["pounds", "gbp", "GB", "ABC", "XAU", "XXX", "XTS", "XDR", "HRK", "ISK", "UGX", "MGA"],
)
async def test_what_is_no_currency_to_sell_in_stops_the_start(currency: str) -> None:
    with pytest.raises(SettingsError) as error:
        CatalogSettings.read(ENVIRONMENT | {"SHOP_CURRENCY": currency})
    [fault] = error.value.faults
    if currency in ("ISK", "UGX", "MGA"):
        assert fault == "SHOP_CURRENCY: the payment provider counts it otherwise than ISO 4217 does: not supported"
    else:
        assert fault == "SHOP_CURRENCY: should be a currency of ISO 4217 that has minor units, such as GBP"


@pytest.mark.parametrize(
    ("currency", "least"),
    [("GBP", 30), ("EUR", 50), ("JPY", 50), ("CZK", 1500), ("HUF", 17_500), ("KRW", 1), ("KWD", 10), ("ZAR", 1)],
)
async def test_the_least_total_is_the_currencys(currency: str, least: int) -> None:
    step = 10 if currency == "KWD" else 1
    world = await shop(currency, step)
    if least > step:
        status, problem = await placed(world, currency, least // step - 1)
        assert (status, [error["pointer"] for error in problem["errors"]]) == (422, ["/lines"])
    assert (await placed(world, currency, least // step))[0] == 201


@pytest.mark.parametrize("amount", [1, 1001, 1234])
async def test_of_thousandths_the_last_digit_is_none(amount: int) -> None:
    world = await shop("KWD")
    product = {"sku": "A", "name": "A", "price": {"amount": amount, "currency": "KWD"}}
    [result] = (await world.call("import_products", {"products": [product]})).body["results"]
    detail = "should be a multiple of 10: payments take no thousandths"
    assert result["errors"] == [{"pointer": "/price/amount", "detail": detail}]


async def test_a_total_of_thousandths_from_prices_of_before_is_refused() -> None:
    world = await shop("KWD")
    price = await world.orders.prices.get("MUG")
    assert price
    await world.orders.prices.save(replace(price, price=1001))
    status, problem = await placed(world, "KWD", 1)
    assert status == 422
    assert problem["errors"][0]["detail"] == (
        "the order's total should be from 10 to 99999999 minor units, in steps of 10; it is 1001"
    )


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (250, "GBP", "2.50 GBP"),
        (5, "GBP", "0.05 GBP"),
        (0, "EUR", "0.00 EUR"),
        (250, "JPY", "250 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (10**15 + 1, "GBP", "10000000000000.01 GBP"),
        (250, "XXX", "250 XXX"),
    ],
)
def test_an_amount_is_told_as_people_write_it(amount: int, currency: str, words: str) -> None:
    assert in_words(amount, currency) == words
