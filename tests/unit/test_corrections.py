"""What the warehouse typed at a dispatch is put right, over what its caller has seen, and once."""

from typing import Any

import pytest

from shared.adapters.memory import MemoryContainer
from shared.contracts.shipping import CancelShipment
from shared.errors import Contended
from shared.messaging import first, from_wire, to_wire
from simulation.world import Answer
from tests.unit.world import World

TYPED = {"carrier": "Royal Mail", "trackingNumber": "RM1"}


class Lossy(MemoryContainer):
    """Loses answers: as often as it is told, it says 449 of a batch that it has written."""

    losses = 0

    async def write(self, pk: str, operations: Any) -> list[str]:
        etags = await super().write(pk, operations)
        if self.losses:
            self.losses -= 1
            raise Contended("449, though it was written")
        return etags


@pytest.fixture
async def world() -> World:
    world = World(container=Lossy)
    await world.stocked(MUG=9)
    return world


@pytest.fixture
async def order(world: World) -> str:
    """One that has been dispatched, with what `TYPED` says."""
    [order] = await world.confirmed(1)
    await world.dispatched(order)
    await world.drain()
    return order


async def read(world: World, order: str) -> Answer:
    return await world.call("get_shipment", route={"shipmentId": f"shp_{order}"})


async def corrected(world: World, order: str, right: Any, etag: str | None = "*", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()} | ({"if-match": etag} if etag else {})
    return await world.call("correct_shipment", right, route={"shipmentId": f"shp_{order}"}, headers=named)


def told(world: World, of: str = "ShipmentCorrected.v1") -> list[dict[str, Any]]:
    """What was announced of corrections, or of what else shipping says."""
    sent = [from_wire(wire, destination) for destination, wire in world.broker.sent if destination == "shipping-events"]
    return [message.data for message in sent if message.type == f"orderflow.shipping.{of}"]


def note(answer: Answer) -> dict[str, Any]:
    return {name: answer.body[name] for name in TYPED}


async def test_what_is_named_is_put_right_and_all_else_stays(world: World, order: str) -> None:
    before = await read(world, order)
    answer = await corrected(world, order, {"trackingNumber": "RM2"}, before.headers["ETag"])
    after = await read(world, order)

    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, after.body, after.headers["ETag"])
    assert after.body == before.body | {"trackingNumber": "RM2"}
    assert after.headers["ETag"] != before.headers["ETag"]
    right = {"orderId": order, "shipmentId": f"shp_{order}", "carrier": "Royal Mail", "trackingNumber": "RM2"}
    assert told(world) == [right | {"number": 1}]


async def test_several_corrections_are_told_apart_and_numbered(world: World, order: str) -> None:
    for right in ({"carrier": "DHL"}, {"trackingNumber": "D1"}, {"carrier": "Royal Mail", "trackingNumber": "RM1"}):
        assert (await corrected(world, order, right)).status == 200

    assert note(await read(world, order)) == TYPED
    assert [(each["number"], each["carrier"], each["trackingNumber"]) for each in told(world)] == [
        (1, "DHL", "RM1"),
        (2, "DHL", "D1"),
        (3, "Royal Mail", "RM1"),
    ]
    announced = [wire for _, wire in world.broker.sent if "ShipmentCorrected" in str(wire.properties)]
    assert len({wire.id for wire in announced}) == 3


async def test_a_dispatch_that_is_told_again_tells_what_was_typed_whatever_was_put_right_since(
    world: World, order: str
) -> None:
    await corrected(world, order, {"trackingNumber": "RM2"})
    await world.deliver("shipping", to_wire(first(CancelShipment(order), order, world.system.now())))

    typed = {"orderId": order, "shipmentId": f"shp_{order}"} | TYPED
    assert told(world, "ShipmentDispatched.v2") == [typed, typed]


async def test_without_if_match_nothing_is_corrected_not_even_what_is_so_already(world: World, order: str) -> None:
    for right in ({"carrier": "DHL"}, TYPED, {}):
        answer = await corrected(world, order, right, etag=None)
        assert (answer.status, answer.body["type"]) == (428, "urn:orderflow:problem:precondition-required")
    assert note(await read(world, order)) == TYPED


async def test_over_what_another_changed_meanwhile_nothing_is_corrected(world: World, order: str) -> None:
    seen = (await read(world, order)).headers["ETag"]
    await corrected(world, order, {"carrier": "DHL"}, seen)
    answer = await corrected(world, order, {"carrier": "UPS"}, seen)

    assert (answer.status, answer.body["type"]) == (412, "urn:orderflow:problem:precondition-failed")
    assert (await read(world, order)).body["carrier"] == "DHL"
    assert len(told(world)) == 1


@pytest.mark.parametrize("right", [{"carrier": "DHL"}, {"carrier": "DHL", "trackingNumber": "D1"}])
async def test_a_repeat_whose_first_answer_was_lost_is_answered_though_its_etag_is_past(
    world: World, order: str, right: dict[str, str]
) -> None:
    seen = (await read(world, order)).headers["ETag"]
    first, again = [await corrected(world, order, right, seen) for _ in range(2)]

    assert (first.status, again.status) == (200, 200)
    assert (again.body, again.headers["ETag"]) == (first.body, first.headers["ETag"])
    assert len(told(world)) == 1


async def test_a_write_whose_answer_the_store_lost_is_made_once(world: World, order: str) -> None:
    shipping = world.containers["shipping"]
    assert isinstance(shipping, Lossy)
    seen = (await read(world, order)).headers["ETag"]
    shipping.losses = 1
    answer = await corrected(world, order, {"carrier": "DHL"}, seen)
    await world.system.sleep(60)
    await world.sweep()

    assert (answer.status, answer.body["carrier"]) == (200, "DHL")
    assert [each["number"] for each in told(world)] == [1]


@pytest.mark.parametrize("right", [{}, TYPED])
async def test_what_is_so_already_changes_nothing(world: World, order: str, right: dict[str, str]) -> None:
    before = await read(world, order)
    answer = await corrected(world, order, right, '"past"')
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, before.body, before.headers["ETag"])
    assert told(world) == []


@pytest.mark.parametrize("end", ["pending", "cancelled"])
async def test_only_what_was_dispatched_is_corrected(world: World, end: str) -> None:
    [order] = await world.confirmed(1)
    if end == "cancelled":
        await world.call("cancel_order", route={"orderId": order})
        await world.drain()
    shipment = await read(world, order)
    assert shipment.body["status"] == end

    for etag in (shipment.headers["ETag"], '"past"', "*"):
        for right in ({"carrier": "DHL"}, {}):
            answer = await corrected(world, order, right, etag)
            assert (answer.status, answer.body["type"]) == (409, "urn:orderflow:problem:cannot-correct")
    assert (await read(world, order)).body == shipment.body


async def test_there_is_nothing_to_correct_where_there_is_no_shipment(world: World) -> None:
    assert (await corrected(world, "ord_1", {"carrier": "DHL"})).status == 404


@pytest.mark.parametrize(
    ("right", "pointer", "detail"),
    [
        ({"carrier": None}, "/carrier", "can't be removed"),
        ({"carrier": "DHL", "trackingNumber": None}, "/trackingNumber", "can't be removed"),
        ({"carrier": " "}, "/carrier", "should not be empty"),
        ({"carrier": 7}, "/carrier", "should be a valid string"),
        ({"trackingNumber": "x" * 201}, "/trackingNumber", "should have 200 characters at most"),
        ({"status": "pending"}, "/status", "is not a known field"),
        ({"acceptPaymentRisk": True}, "/acceptPaymentRisk", "is not a known field"),
        (["carrier"], "", "should be an object"),
    ],
)
async def test_what_is_no_correction_is_refused_by_field(
    world: World, order: str, right: Any, pointer: str, detail: str
) -> None:
    answer = await corrected(world, order, right)
    assert (answer.status, [each["pointer"] for each in answer.body["errors"]]) == (422, [pointer])
    assert answer.body["errors"][0]["detail"].startswith(detail)
    assert note(await read(world, order)) == TYPED


@pytest.mark.parametrize(
    "declared", ["application/json", "application/json-patch+json", "", "application/merge-patch+json; charset=utf-16"]
)
async def test_it_takes_a_merge_patch_and_says_so_of_anything_else(world: World, order: str, declared: str) -> None:
    answer = await corrected(world, order, {"carrier": "DHL"}, content_type=declared)
    assert (answer.status, answer.body["type"]) == (415, "urn:orderflow:problem:unsupported-media-type")
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json"
    assert note(await read(world, order)) == TYPED


@pytest.mark.parametrize("declared", ["application/merge-patch+json; charset=UTF-8", "Application/Merge-Patch+JSON"])
async def test_the_name_of_a_merge_patch_is_read_as_any_media_type(world: World, order: str, declared: str) -> None:
    assert (await corrected(world, order, {"carrier": "DHL"}, content_type=declared)).status == 200


async def test_a_precondition_that_is_none_of_a_change_is_refused(world: World, order: str) -> None:
    for etag in ("*", None):
        answer = await corrected(world, order, {"carrier": "DHL"}, etag, if_none_match="*")
        assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-header")


async def test_a_dispatch_with_what_is_right_by_now_is_the_same_again_and_with_what_was_wrong_is_not(
    world: World, order: str
) -> None:
    await corrected(world, order, {"trackingNumber": "RM2"})
    dispatch = [
        await world.call("dispatch_shipment", TYPED | {"trackingNumber": number}, route={"shipmentId": f"shp_{order}"})
        for number in ("RM2", "RM1")
    ]
    assert [answer.status for answer in dispatch] == [200, 409]


async def test_a_correction_changes_nothing_of_the_order(world: World, order: str) -> None:
    before = await world.order(order)
    assert before["status"] == "completed"
    await corrected(world, order, {"carrier": "DHL"})
    await world.drain()
    assert await world.order(order) == before


async def test_a_shipment_that_was_dispatched_before_corrections_were_counted_is_corrected(
    world: World, order: str
) -> None:
    del world.containers["shipping"].partition(order)[f"shp_{order}"]["corrections"]
    assert (await corrected(world, order, {"carrier": "DHL"})).status == 200
    assert [each["number"] for each in told(world)] == [1]
