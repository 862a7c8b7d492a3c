"""Bodies as callers write them, and as what is between drops or changes them."""

import json
from typing import Any

import pytest

from simulation.world import Answer, order_body
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10)
    return world


async def place(world: World, raw: bytes, **headers: str) -> Answer:
    """Place an order with this body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call("place_order", raw=raw, headers=named)


def said(answer: Answer) -> tuple[int, str]:
    """The status, and the problem's type."""
    return answer.status, answer.body["type"].removeprefix("urn:orderflow:problem:")


GOOD = json.dumps(order_body(("MUG", 1))).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        'application/json;charset="UTF-8"',
        " application/json ; charset = utf8 ",
        'application/json; profile="a,b"',
    ],
)
async def test_json_in_utf_8_is_taken_however_it_is_declared(world: World, content_type: str) -> None:
    assert (await place(world, GOOD, content_type=content_type)).status == 201


async def test_a_byte_order_mark_and_an_encoding_that_is_none_are_taken(world: World) -> None:
    assert (await place(world, b"\xef\xbb\xbf" + GOOD, content_encoding="Identity")).status == 201


@pytest.mark.parametrize(
    ("headers", "status", "type"),
    [
        ({"content_type": ""}, 415, "unsupported-media-type"),
        ({"content_type": "text/plain"}, 415, "unsupported-media-type"),
        ({"content_type": "application/json; charset=iso-8859-1"}, 415, "unsupported-media-type"),
        ({"content_type": 'application/json; charset="UTF-16"'}, 415, "unsupported-media-type"),
        ({"content_type": "application/json,application/json"}, 400, "invalid-header"),
        ({"content_type": "application/json, text/plain"}, 400, "invalid-header"),
        ({"content_type": 'application/json; profile="a'}, 400, "invalid-header"),
        ({"content_encoding": "gzip"}, 415, "unsupported-media-type"),
        ({"content_encoding": "identity, br"}, 415, "unsupported-media-type"),
        ({"transfer_encoding": "chunked"}, 411, "length-required"),
    ],
)
async def test_a_body_that_is_declared_as_anything_else_is_refused(
    world: World, headers: dict[str, str], status: int, type: str
) -> None:
    assert said(await place(world, GOOD, **headers)) == (status, type)


@pytest.mark.parametrize(
    ("raw", "place_of_fault"),
    [
        (b"", "Line 1, column 1: "),
        (b"{", "Line 1, column 1: "),
        (b'{"a": NaN}', "Line 1, column 7: "),
        (b"{'a': 1}", "Line 1, column 2: "),
        (b'{"a": 1,}', "Line 1, column 9: "),
        (b'{"a": 1}\n\n  {', "Line 3, column 3: "),
        ('{"ä€": x}'.encode(), "Line 1, column 8: "),
        ('\ufeff{"a": x}'.encode(), "Line 1, column 7: "),
        (b'"\xff"', "Line 1, column "),
        (b'{"email": "\\ud800"}', "Line 1, column "),
        (b"[" * 100_000, "Line 1, column "),
        (b"9" * 4301, "Line 1, column "),
        ("{}".encode("utf-16"), "Line 1, column 1: "),
    ],
)
async def test_what_is_not_json_is_told_where_it_stops_being_json(
    world: World, raw: bytes, place_of_fault: str
) -> None:
    answer = await place(world, raw)
    assert said(answer) == (400, "not-json")
    assert answer.body["detail"].startswith(place_of_fault)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ('{"email": "a@example.com", "email": "b@example.com"}', ["/email"]),
        ('{"lines": [{"sku": "A"}, {"sku": "MUG", "quantity": 1, "quantity": 1}]}', ["/lines/1/quantity"]),
        ('{"a/b": {"c~d": 1, "c~d": 2}}', ["/a~1b/c~0d"]),
        ('{"a": {"x": 1, "x": 2}, "a": 3}', ["/a", "/a/x"]),
        (r'{"a": 1, "\u0061": 1}', ["/a"]),
    ],
)
async def test_a_name_twice_in_an_object_is_refused_with_its_pointer(
    world: World, body: str, pointers: list[str]
) -> None:
    answer = await place(world, body.encode())
    assert said(answer) == (422, "invalid-body")
    assert [error["pointer"] for error in answer.body["errors"]] == pointers


@pytest.mark.parametrize(
    ("member", "most"), [('"%d": 0', 1), ('"%d": 0, "%d": 0', 100)], ids=["unknown names", "names twice"]
)
async def test_an_answer_is_never_many_times_as_large_as_what_it_refuses(world: World, member: str, most: int) -> None:
    body = "{" + ",".join(member.replace("%d", str(number)) for number in range(40_000)) + "}"
    answer = await place(world, body.encode())
    assert said(answer) == (422, "invalid-body")
    assert len(answer.body["errors"]) == most


async def test_every_wrong_field_of_the_largest_order_is_named(world: World) -> None:
    body = order_body(("MUG", 1)) | {"lines": [{"sku": "?", "quantity": 0}] * 1000}
    answer = await place(world, json.dumps(body).encode())
    assert len(answer.body["errors"]) == 2000


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 4300, "-" + "9" * 4300, "1E400"])
async def test_a_number_beyond_all_bounds_is_a_wrong_field(world: World, number: str) -> None:
    body: dict[str, Any] = order_body(("MUG", 1))
    raw = json.dumps(body | {"lines": [{"sku": "MUG", "quantity": "#"}]}).replace('"#"', number).encode()
    answer = await place(world, raw)
    assert (*said(answer), answer.body["errors"][0]["pointer"]) == (422, "invalid-body", "/lines/0/quantity")
