"""SKUs as shops write them: one form for each, wherever one comes in."""

import pytest

from simulation.world import Answer, order_body
from tests.unit.world import World

FORMS = (
    {
        "mug-1": "MUG-1",
        " MUG  1 ": "MUG 1",
        "a/b+c": "A/B+C",
        "ÄPFEL": None,
        "tab\there": None,
        "\tMUG": None,
        "line\nend": None,
        "MUG\n": None,
        "no\u00a0break": None,
        "del\x7f": None,
        "": None,
        "   ": None,
        ".": None,
        "..": None,
        " . ": None,
        "...": "...",
        ".x": ".X",
        "x" * 40: "X" * 40,
        "x" * 41: None,
        " " * 30 + "x" * 20 + " " * 30 + "y" * 19 + " " * 30: "X" * 20 + " " + "Y" * 19,
        "ſ": None,
        "ß": None,
    }
    | {f"A{sign}B": f"A{sign}B" for sign in "!$&'()*+,-./:;<=>@[]^_`{|}~"}
    | {f"A{sign}B": None for sign in '"\\#?%'}
)


def product(sku: str) -> dict[str, object]:
    """A product of an import."""
    return {"sku": sku, "name": "Thing", "price": {"amount": 250, "currency": "GBP"}}


def in_route(sku: str) -> dict[str, str]:
    """The route as the host hands it over: decoded, but for a slash."""
    return {"sku": sku.replace("/", "%2F")}


@pytest.mark.parametrize("written", [written for written, form in FORMS.items() if form])
async def test_a_sku_is_the_same_in_a_body_and_in_a_path_however_it_is_written(written: str) -> None:
    world, form = World(), FORMS[written]
    imported = await world.call("import_products", {"products": [product(written)]})
    assert imported.body["results"] == [{"sku": form, "status": "created"}]
    assert (await world.call("put_stock", {"onHand": 5}, route=in_route(written))).body["sku"] == form
    await world.drain()
    for operation in ("get_product", "get_price", "get_stock"):
        for route in (in_route(written), in_route(str(form)), {"sku": str(form).replace("/", "%2f")}):
            answer = await world.call(operation, route=route)
            assert (answer.status, answer.body["sku"]) == (200, form)

    placed = await world.call("place_order", order_body((written, 1)))
    assert placed.body["lines"][0]["sku"] == form
    await world.drain()
    assert (await world.order(placed.body["orderId"]))["status"] == "confirmed"


@pytest.mark.parametrize("written", [written for written, form in FORMS.items() if not form])
async def test_what_can_be_no_sku_is_refused_wherever_it_comes_in(written: str) -> None:
    world = World()

    def is_refused(answer: Answer) -> bool:
        return (answer.status, answer.body["type"]) == (422, "urn:orderflow:problem:invalid-sku")

    imported = await world.call("import_products", {"products": [product(written)]})
    assert [each["status"] for each in imported.body["results"]] == ["refused"]
    for operation in ("get_product", "get_price", "get_stock", "put_stock"):
        assert is_refused(await world.call(operation, {"onHand": 5}, route={"sku": written}))
    ordered = await world.call("place_order", order_body((written, 1)))
    assert [error["pointer"] for error in ordered.body["errors"]] == ["/lines/0/sku"]


async def test_look_alikes_are_one_product() -> None:
    world = World()
    skus = ["MUG 1", " MUG 1", "MUG 1 ", "MUG  1", "mug 1"]
    results = (await world.call("import_products", {"products": [product(sku) for sku in skus]})).body["results"]
    assert [each["status"] for each in results] == ["created", *["refused"] * 4]
    ordered = await world.call("place_order", order_body(*((sku, 1) for sku in skus)))
    assert [error["pointer"] for error in ordered.body["errors"]] == [f"/lines/{n}/sku" for n in range(1, 5)]


async def test_a_path_is_decoded_once() -> None:
    world = World()
    answer = await world.call("get_product", route={"sku": "A%252FB"})
    assert answer.status == 422
