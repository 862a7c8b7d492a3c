"""Texts, e-mail addresses and addresses of people all over the world."""

from typing import Any

import pytest

from simulation.callers import GUEST
from simulation.world import Answer, order_body
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10)
    return world


async def ship_to(world: World, **changes: Any) -> Answer:
    """Place an order that goes to this address."""
    body = order_body(("MUG", 1))
    body["shippingAddress"] |= changes
    return await world.call("place_order", body)


def details(answer: Answer) -> dict[str, str]:
    """What is wrong, by pointer."""
    return {error["pointer"]: error["detail"] for error in answer.body.get("errors", ())}


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),
        ("\u1100\u1161", "가"),
        ("متجر", "متجر"),
        ("שלום\u200f", "שלום\u200f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("☎\ufe0f 👩\u200d🚀", "☎\ufe0f 👩\u200d🚀"),
        (" Ada ", " Ada "),
        ("é" * 200, "é" * 200),
        ("e\u0301" * 200, "é" * 200),
    ],
)
async def test_a_text_is_in_normal_form_c_and_otherwise_as_it_was_sent(world: World, written: str, stored: str) -> None:
    answer = await ship_to(world, name=written)
    assert (answer.status, answer.body["shippingAddress"]["name"]) == (201, stored)


LINE = "should be one line, without control characters and what overrides the direction of writing"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        *((f"a{bad}b", LINE) for bad in "\0\t\n\r\x1b\x7f\x80\x85\x9f"),
        *((f"a{bad}b", LINE) for bad in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
        *((f"a{bad}b", LINE) for bad in "\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"),
        *(
            (empty, "should not be empty")
            for empty in ("", "  ", "\u200b", "\u00ad\ufeff", "\u2800", "\u3164", "\u3000\u034f")
        ),
        ("x" * 201, "should have 200 characters at most"),
    ],
)
async def test_what_is_no_text_is_refused(world: World, text: str, detail: str) -> None:
    answer = await ship_to(world, city=text)
    assert (answer.status, details(answer)) == (422, {"/shippingAddress/city": detail})
    product = {"sku": "A", "name": text, "price": {"amount": 100, "currency": "GBP"}}
    [imported] = (await world.call("import_products", {"products": [product]})).body["results"]
    assert imported["errors"] == [{"pointer": "/name", "detail": detail}]
    note = {"carrier": "Royal Mail", "trackingNumber": text}
    dispatched = await world.call("dispatch_shipment", note, route={"shipmentId": "shp_1"})
    assert details(dispatched) == {"/trackingNumber": detail}


OPTIONAL = {
    "company": "Analytical Engines",
    "line2": "2nd floor",
    "state": "Kent",
    "postalCode": "N1",
    "phone": "+44 1",
}


async def test_company_state_and_phone_go_all_the_way_to_the_warehouse(world: World) -> None:
    placed = await ship_to(world, **OPTIONAL)
    await world.drain()
    order_id = placed.body["orderId"]
    shipment = (await world.call("get_shipment", route={"shipmentId": f"shp_{order_id}"})).body
    for view in (placed.body, await world.order(order_id), shipment):
        assert view["shippingAddress"].items() >= OPTIONAL.items()


@pytest.mark.parametrize("nothing", ["", "   ", "\u200b", None])
async def test_an_optional_field_that_is_empty_is_absent(world: World, nothing: str | None) -> None:
    body = order_body(("MUG", 1))
    del body["shippingAddress"]["postalCode"]
    without = await world.call("place_order", body, headers={"idempotency-key": "k"})
    body["shippingAddress"] |= dict.fromkeys(OPTIONAL, nothing)
    body |= {"customerId": nothing}
    again = await world.call("place_order", body, headers={"idempotency-key": "k"}, caller=GUEST)
    assert (again.status, again.body) == (201, without.body)
    assert not OPTIONAL.keys() & again.body["shippingAddress"].keys()


@pytest.mark.parametrize("field", OPTIONAL)
async def test_an_optional_field_that_is_there_is_checked(world: World, field: str) -> None:
    assert list(details(await ship_to(world, **{field: "a\u202eb"}))) == [f"/shippingAddress/{field}"]
    assert list(details(await ship_to(world, **{field: 7}))) == [f"/shippingAddress/{field}"]


@pytest.mark.parametrize("country", ["GB", "XK", "AX", "SS"])
async def test_countries_in_use_are_taken(world: World, country: str) -> None:
    assert (await ship_to(world, country=country)).status == 201


@pytest.mark.parametrize(
    ("country", "detail"),
    [
        *(
            (unknown, "is a country code that ISO 3166-1 does not know: GB, for instance, it knows")
            for unknown in ("UK", "ZZ", "XX", "EL", "SU")
        ),
        *(
            (badly, "should be a country code of two capital letters (ISO 3166-1), such as GB")
            for badly in ("gb", "GBR", "", "G1", "ÄÖ", "GB ")
        ),
    ],
)
async def test_a_wrong_country_is_told_what_is_wrong_with_it(world: World, country: str, detail: str) -> None:
    assert details(await ship_to(world, country=country)) == {"/shippingAddress/country": detail}


@pytest.mark.parametrize(
    ("email", "stored"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.L+shop@Example.COM", "Ada.L+shop@Example.COM"),
        ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@MU\u0308NCHEN.example", "ada@xn--mnchen-3ya.example"),
        ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        ("zoe\u0308@example.com", "zoë@example.com"),
    ],
)
async def test_an_e_mail_domain_in_unicode_is_stored_as_idna(world: World, email: str, stored: str) -> None:
    await world.placed(("MUG", 1), email=email)
    assert [order["email"] for order in world.documents("orders", "order")] == [stored]


@pytest.mark.parametrize(
    "email",
    [
        *(
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "a@b@example.com",
            "ada@-a.com",
            "ada@a-.com",
            "ada@a..com",
        ),
        *("ada@a_b.com", "ada@☃.net", "ada@ab--ü.de", f"ada@{'x' * 64}.com", f"{'x' * 65}@example.com"),
        *(
            f"a{unseen}da@example.com"
            for unseen in " \t\n\x85\u00a0\u00ad\u034f\u115f\u200b\u200e\u202e\u2060\u2800\ufe0f\ufeff"
        ),
        *(f"ada@exam{unseen}ple.com" for unseen in " \u00ad\u200b\u2060\ufe0f"),
        "ada@example.com\n",
        "\u200bada@example.com",
        "ada\uffff@example.com",
    ],
)
async def test_what_is_no_e_mail_address_is_refused(world: World, email: str) -> None:
    answer = await world.call("place_order", order_body(("MUG", 1), email=email))
    assert (answer.status, list(details(answer))) == (422, ["/email"])
