"""Query parameters, and links from page to page."""

import json
from itertools import chain
from pathlib import Path

import pytest

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
    assert other.body["detail"] == "It goes with another status: take both from one nextLink."


async def test_without_a_limit_a_page_has_a_hundred(world: World) -> None:
    await world.call("put_stock", {"onHand": 200}, route={"sku": "MUG"})
    await world.confirmed(101)
    assert [len(page) for page in await world.shipments()] == [100, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "1001", "-1", "1.0", "ten", "٣", "1,2", " 5")),
        *(("status", value) for value in ("lost", "Pending", "pending,pending")),
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
