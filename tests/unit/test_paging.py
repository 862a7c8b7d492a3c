"""Query parameters, and links from page to page."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.access import Caller
from simulation.callers import SUPPORT, WAREHOUSE
from tests.unit.world import World, orders_of

NEEDS: dict[str, dict[str, str]] = {
    "get_product": {"sku": "MUG"},
    "get_price": {"sku": "MUG"},
    "get_stock": {"sku": "MUG"},
    "put_stock": {"sku": "MUG"},
    "get_order": {"orderId": "ord_1"},
    "cancel_order": {"orderId": "ord_1"},
    "get_shipment": {"shipmentId": "shp_1"},
    "dispatch_shipment": {"shipmentId": "shp_1"},
    "correct_shipment": {"shipmentId": "shp_1"},
}


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10)
    return world


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_links_lead_past_every_shipment_once_in_pages_of_the_size_that_was_asked_for(
    world: World, limit: int
) -> None:
    expected = await world.confirmed(5)
    pages = await world.shipments(limit=str(limit))
    assert list(chain(*pages)) == expected
    assert {len(page) for page in pages[:-1]} <= {limit}


async def test_the_limit_may_change_from_page_to_page_and_the_filter_may_not(world: World) -> None:
    expected = await world.confirmed(5)
    link = (await world.call("list_shipments", query={"limit": "1"})).body["nextLink"]

    assert orders_of(await world.follow(link, limit="1000")) == expected[1:]
    other = await world.follow(link, status="dispatched")
    assert (other.status, other.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert other.body["detail"].startswith("Take it from a nextLink as it is")


@pytest.mark.parametrize("caller", [SUPPORT, replace(WAREHOUSE, subject="another")], ids=["role", "subject"])
async def test_a_link_is_its_callers_alone(world: World, caller: Caller) -> None:
    await world.confirmed(2)
    link = (await world.call("list_shipments", query={"limit": "1"}, caller=WAREHOUSE)).body["nextLink"]
    query = dict(parse_qsl(urlsplit(link).query))

    assert (await world.call("list_shipments", query=query, caller=WAREHOUSE)).status == 200
    other = await world.call("list_shipments", query=query, caller=caller)
    assert (other.status, other.body["type"]) == (400, "urn:orderflow:problem:invalid-query")


def rewritten(change: Callable[[str], str]) -> Callable[[str], str]:
    """A token whose text is another."""

    def rewrite(token: str) -> str:
        text = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        return urlsafe_b64encode(change(text).encode("utf-8", "surrogatepass")).decode().rstrip("=")

    return rewrite


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=" * (-len(token) % 4),
        lambda token: token + "!",
        lambda token: token + "\n",
        lambda token: token[:20],
        lambda token: "é" + token,
        lambda token: "A" * 100_000,
        rewritten(lambda text: f"2{text[1:]}"),
        rewritten(lambda text: f" {text}"),
        rewritten(lambda text: re.sub("[0-9a-f]{32}", "0" * 32, text)),
        rewritten(lambda text: text.replace("Z ", "+00:00 ")),
        rewritten(lambda text: re.sub(" 20[^ ]*", " 0001-01-01T00:00:00+14:00", text)),
        rewritten(lambda text: re.sub(" 20[^ ]*", " yesterday", text)),
        rewritten(lambda text: f"{text}\ud800"),
    ],
)
async def test_a_token_that_no_link_had_is_refused(world: World, change: Callable[[str], str]) -> None:
    await world.confirmed(2)
    query = dict(parse_qsl(urlsplit((await world.call("list_shipments", query={"limit": "1"})).body["nextLink"]).query))
    assert (await world.call("list_shipments", query=query)).status == 200

    answer = await world.call("list_shipments", query=query | {"after": change(query["after"])})

    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert answer.body["title"] == "The query parameter after is not valid."


async def test_without_a_limit_a_page_has_a_hundred(world: World) -> None:
    await world.call("put_stock", {"onHand": 200}, route={"sku": "MUG"})
    await world.confirmed(101)
    assert [len(page) for page in await world.shipments()] == [100, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "1001", "-1", "1.0", "ten", "٣", "1,2", " 5")),
        *(
            ("status", value)
            for value in ("lost", "Pending", "pending,", "pending, dispatched", "pending" + ",pending" * 10)
        ),
        *(("carrier", value) for value in ("", "DHL,", "a\nb", "x" * 201)),
        *(("after", value) for value in ("!", "YWJj", "cGVuZGluZyAyMDI2IDEgMg", "é")),
        ("top", "10"),
        ("Limit", "10"),
    ],
)
async def test_a_parameter_that_is_unknown_or_not_valid_is_refused_by_name(world: World, name: str, value: str) -> None:
    answer = await world.call("list_shipments", query={name: value})
    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert answer.body["title"] == f"The query parameter {name} is not valid."
    assert answer.body["detail"]


@pytest.mark.parametrize("operation", [*NEEDS, "place_order", "import_products"])
async def test_no_operation_passes_an_unknown_parameter_over(world: World, operation: str) -> None:
    answer = await world.call(operation, {}, route=NEEDS.get(operation), query={"dryRun": "true"})
    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert answer.body["detail"] == "It is not a known one: remove it. This operation takes none."


def test_links_begin_as_the_host_serves_them() -> None:
    host = json.loads((Path(__file__).parents[2] / "host.json").read_text())
    assert host["extensions"]["http"]["routePrefix"] == "api"
