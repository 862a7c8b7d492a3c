"""What is planned from the rows that can be sold."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.identity.issuer import Caller, Role
from local.replay.countries import code_of
from local.replay.plan import MAX_LINES, MAX_QUANTITY, Plan, plan
from local.replay.sales import Sale, Sales, read

EXAMPLE = Path(__file__).parents[3] / "examples/online_retail.csv"


def _sale(invoice: str = "1", sku: str = "A", quantity: int = 1, **changed: Any) -> Sale:
    fields: dict[str, Any] = {
        "name": "HEART",
        "price": 100,
        "customer": "17850.0",
        "country": "United Kingdom",
    } | changed
    return Sale(invoice, sku, quantity=quantity, **fields)


def _plan(*accepted: Sale, factor: str = "1.0", decline_every: int | None = None, cancel: int | None = None) -> Plan:
    invoices = dict.fromkeys(sale.invoice for sale in accepted)
    return plan(Sales(len(accepted), invoices, accepted=list(accepted)), Decimal(factor), decline_every, cancel)


def test_the_example_is_planned_as_it_always_was() -> None:
    result = plan(read(EXAMPLE), Decimal("0.8"), 25, 40)

    told = result.input
    assert (told.rows, told.invoices, told.returns_skipped, told.empty_invoices) == (10_000, 512, 43, 45)
    assert told.rejected_rows == {"quantity": 30, "description": 13, "price": 3}
    assert (told.merged_rows, told.folded_skus, told.oversized_invoices, told.unknown_countries) == (346, 30, 0, 0)
    lines: list[int] = [len(order.body["lines"]) for order in result.orders]
    assert (len(result.orders), sum(lines), max(lines)) == (424, 9_508, 590)
    assert [order.cancel for order in result.orders if order.cancel] == ["at once", "later"] * 5
    assert sum(order.body["paymentMethod"] == "pm_card_visa_chargeDeclined" for order in result.orders) == 16


def test_rows_of_one_sku_become_one_line() -> None:
    result = _plan(_sale(quantity=2), _sale(sku="B"), _sale(quantity=3))

    [order] = result.orders
    assert order.body["lines"] == [{"sku": "A", "quantity": 5}, {"sku": "B", "quantity": 1}]
    assert result.input.merged_rows == 1


def test_a_price_is_that_of_the_last_sale() -> None:
    result = _plan(_sale("1", price=100, name="OLD"), _sale("2", price=120, quantity=2, name="NEW"))

    assert (result.products["A"].price, result.products["A"].name) == (120, "NEW")


@pytest.mark.parametrize(("factor", "stock"), [("1.0", 100), ("0.29", 29), ("0.575", 57), ("0", 0), ("1.5", 150)])
def test_stock_is_a_share_of_the_demand_rounded_down_in_decimals(factor: str, stock: int) -> None:
    assert _plan(_sale("1", quantity=60), _sale("2", quantity=40), factor=factor).stock == {"A": stock}


def test_an_oversized_invoice_is_set_aside_whole() -> None:
    long = [_sale("1", sku=f"S{number}") for number in range(MAX_LINES + 1)]
    heavy = [_sale("2", quantity=MAX_QUANTITY), _sale("2", quantity=1)]
    just = [_sale("3", quantity=MAX_QUANTITY)]

    result = _plan(*long, *heavy, *just)

    assert [order.invoice for order in result.orders] == ["3"]
    assert result.input.oversized_invoices == 2
    assert result.stock == {"A": MAX_QUANTITY}


def test_a_customer_is_known_by_number_and_a_guest_by_the_invoice() -> None:
    result = _plan(_sale("1", customer=""), _sale("1", customer="17850.0"), _sale("A2", customer=""))

    callers = [order.caller for order in result.orders]
    assert callers == [Caller(Role.CUSTOMER, "17850"), Caller(Role.CUSTOMER, "guest-A2")]
    customer, guest = (order.body for order in result.orders)
    assert (customer["customerId"], customer["email"]) == ("17850", "17850@example.com")
    assert "customerId" not in guest
    assert guest["email"] == "guest-a2@example.com"


def test_a_country_that_nobody_knows_is_taken_for_great_britain_and_counted() -> None:
    result = _plan(_sale("1", country="EIRE"), _sale("2", country="Unspecified"), _sale("2", sku="B", country="?"))

    codes = [order.body["shippingAddress"]["country"] for order in result.orders]
    assert codes == ["IE", "GB"]
    assert result.input.unknown_countries == 1


def test_every_country_of_the_example_is_known() -> None:
    assert all(code_of(sale.country) for sale in read(EXAMPLE).accepted)


def test_an_invoice_without_a_sale_places_no_order() -> None:
    result = plan(Sales(2, {"1": None, "2": None, "C3": None}, {"C3": None}, [_sale("1")]), Decimal(1), None, None)

    assert (result.input.invoices, result.input.empty_invoices, result.input.returns_skipped) == (3, 1, 1)
    assert len(result.orders) == 1


def test_every_nth_order_is_declined_or_cancelled_in_turn_at_once_and_later() -> None:
    result = _plan(*(_sale(str(number)) for number in range(1, 13)), decline_every=4, cancel=3)

    declined = [order.invoice for order in result.orders if order.body["paymentMethod"] != "pm_card_visa"]
    assert declined == ["4", "8", "12"]
    cancelled = {order.invoice: order.cancel for order in result.orders if order.cancel}
    assert cancelled == {"3": "at once", "6": "later", "9": "at once", "12": "later"}


def test_texts_are_cut_to_what_the_api_takes() -> None:
    result = _plan(_sale(name="TWO\nLINES\x85\u202e " + "x" * 300, country="y" * 300))

    assert result.products["A"].name == ("TWO LINES " + "x" * 300)[:200]
    assert len(result.orders[0].body["shippingAddress"]["city"]) == 200
