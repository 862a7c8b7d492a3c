"""An order's timeline: every event once, whatever comes twice, late, or out of order, for as long as it is of use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.cost_inputs import counts
from services.operations.domain import Recorded, standing
from services.operations.domain import told as told_of
from services.operations.queries import MOST_EVENTS, estimated_request_units
from shared.codec import parse_rfc3339
from shared.contracts import Event
from shared.contracts.inventory import StockReserved
from shared.contracts.orders import OrderCompleted, OrderPlaced, PricedLine
from shared.contracts.shipping import ShipmentCorrected
from shared.messaging import catalogue, first, to_wire
from shared.ports import WireMessage
from simulation.world import NEWCOMERS, Answer
from tests.unit.world import World

KEPT = timedelta(days=90)
EPOCH = datetime(2026, 11, 24, 8, tzinfo=UTC)
WAY = [
    "OrderPlaced",
    "StockReserved",
    "PaymentAuthorised",
    "OrderConfirmed",
    "ShipmentCreated",
    "ShipmentDispatched",
    "OrderShipped",
    "StockCommitted",
    "PaymentCaptured",
    "OrderCompleted",
]


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=5)
    return world


async def timeline(world: World, order_id: str) -> Answer:
    return await world.call("get_timeline", route={"orderId": order_id})


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [event["name"] for event in answer.body["events"]]


def wire(event: Event, order_id: str, at: datetime, number: int = 0, **properties: str) -> WireMessage:
    message = to_wire(first(event, order_id, at, number))
    return replace(message, properties={**(message.properties or {}), **properties})


async def told(world: World, *events: Event, at: datetime | None = None) -> None:
    """Operations hears of these events of order ord_1."""
    for event in events:
        await world.deliver("operations", wire(event, "ord_1", at or world.system.now()))


async def test_a_completed_order_has_the_ten_events_of_its_way_and_says_what_it_cost(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    await world.drain()
    await world.system.sleep(3600)
    await world.dispatched(order_id)
    await world.drain()

    answer = await timeline(world, order_id)

    # A context that is new may announce more of it.
    assert sorted(name for name in names(answer) if name in WAY) == sorted(WAY)
    assert (answer.body["state"], answer.body["total"]["amount"], answer.body["lineCount"]) == ("completed", 250, 1)
    assert answer.body["messages"] == 15 + len(names(answer)) - len(WAY)
    assert max(event["secondsSincePrevious"] for event in answer.body["events"]) == 3600
    assert len({event["traceId"] for event in answer.body["events"] if event["happenedAt"] < answer.body["since"]}) == 1
    assert answer.body["isWhole"]


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_the_estimate_is_what_was_counted(lines: int) -> None:
    counted = sum(counts(lines).request_units.values())

    assert estimated_request_units(lines) == pytest.approx(counted, rel=0.01)


async def test_an_order_that_waits_says_for_what_and_since_when(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    await world.drain()
    confirmed = next(e for e in (await timeline(world, order_id)).body["events"] if e["name"] == "OrderConfirmed")
    await world.system.sleep(600)

    body = (await timeline(world, order_id)).body

    assert (body["state"], body["since"]) == ("dispatch", confirmed["happenedAt"])
    assert "the warehouse has not sent the parcel" in body["why"]


async def test_of_an_order_that_is_undone_before_anybody_answered_it_is_said_that_it_may_be(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    await world.call("cancel_order", route={"orderId": order_id})
    for queue in ("operations", "operations"):
        if message := world.broker.receive(queue):
            await world.deliver(queue, message)

    body = (await timeline(world, order_id)).body

    assert (body["state"], body["others"]["wait"]["waiting"]) == ("stock", "undo")
    assert body["why"].endswith("or the order is being undone.")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lines": [{"sku": "MUG", "quantity": 9}]}, "Short of stock: MUG (9 wanted, 5 there)."),
        ({"paymentMethod": "pm_card_visa_chargeDeclined"}, "The payment was declined: card_declined."),
    ],
)
async def test_an_order_that_was_rejected_says_why(world: World, changes: dict[str, Any], why: str) -> None:
    order_id = await world.placed(("MUG", 1), **changes)
    await world.drain()

    body = (await timeline(world, order_id)).body

    assert body["state"] == "rejected"
    assert why in body["why"]


async def test_what_comes_again_is_known_and_the_first_one_stands(world: World) -> None:
    at = world.system.now()
    await told(world, OrderPlaced("ord_1", (), 250, "GBP"))
    await told(world, OrderPlaced("ord_1", (), 250, "GBP"), at=at + timedelta(minutes=5))

    [event] = (await timeline(world, "ord_1")).body["events"]

    assert parse_rfc3339(event["happenedAt"]) == at
    assert world.broker.next_due() is None, "what comes again is done with, and tried no more"


async def test_the_last_event_may_come_first_and_the_clocks_be_apart(world: World) -> None:
    now = world.system.now()
    await told(world, OrderCompleted("ord_1"), at=now - timedelta(minutes=4))
    assert (await timeline(world, "ord_1")).body["state"] == "completed"
    await told(world, StockReserved("ord_1"), at=now + timedelta(minutes=4))
    await told(world, OrderPlaced("ord_1", (PricedLine("MUG", 1, 250),), 250, "GBP"), at=now)

    answer = await timeline(world, "ord_1")

    assert names(answer) == ["OrderCompleted", "OrderPlaced", "StockReserved"]
    assert (answer.body["state"], answer.body["lineCount"]) == ("completed", 1)


@pytest.mark.parametrize("id", ["ord_unheard_of", "MUG", "catalog:MUG", "x" * 101, "../x"])
async def test_what_no_event_was_heard_of_has_none(world: World, id: str) -> None:
    assert (await timeline(world, id)).status == 404


async def test_an_event_that_says_nothing_of_where_the_order_is_is_shown_all_the_same(world: World) -> None:
    await told(world, ShipmentCorrected("ord_1", "shp_ord_1", "DHL", "42", 1))

    answer = await timeline(world, "ord_1")

    assert names(answer) == ["ShipmentCorrected"]
    assert (answer.body["events"][0]["number"], answer.body["messages"]) == (1, 1)
    assert "state" not in answer.body
    assert "42" not in str(answer.body)


STATES = {
    "OrderPlaced": "stock",
    "StockReserved": "payment",
    "PaymentAuthorised": "dispatch",
    "OrderConfirmed": "dispatch",
    "ShipmentCreated": "dispatch",
    "StockRejected": "undo",
    "StockReleased": "undo",
    "PaymentDeclined": "undo",
    "PaymentVoided": "undo",
    "ShipmentCancelled": "undo",
    "ShipmentDispatched": "settle",
    "OrderShipped": "settle",
    "OrderRejected": "rejected",
    "OrderCancelled": "cancelled",
    "OrderPaymentDue": "payment_due",
    "OrderCompleted": "completed",
}
SILENT = {"StockCommitted", "PaymentCaptured", "PaymentNotCaptured", "ShipmentCorrected", "CustomerForgotten"}
"""The events that tell nothing of where an order is."""


def recorded(name: str, at: datetime = EPOCH, **told: Any) -> Recorded:
    return Recorded(name, "ord_1", "ord_1", "orders", name, at, None, told)


@pytest.mark.parametrize("name", [*STATES])
def test_each_event_shows_where_the_order_is_whatever_else_came_or_did_not(name: str) -> None:
    assert standing([recorded(name)]) == (STATES[name], EPOCH)
    assert standing([recorded(each) for each in ("OrderPlaced", *SILENT, name)]) == (STATES[name], EPOCH)


def test_every_event_of_an_order_shows_a_state_or_is_known_to_show_none() -> None:
    # What the catalogue announces is of no order, and a new context's events say nothing of where one is.
    of_none = {"catalog", *NEWCOMERS}
    events = {type for type, each in catalogue().items() if issubclass(each, Event)}
    of_orders = {name for _, context, name, _ in (type.split(".") for type in events) if context not in of_none}
    assert STATES.keys() | SILENT == of_orders


def test_an_order_is_where_it_is_since_the_first_event_that_shows_it() -> None:
    later = EPOCH + timedelta(seconds=1)
    events = [recorded("ShipmentDispatched", later), recorded("OrderShipped"), recorded("OrderPlaced")]
    assert standing(events) == standing(events[::-1]) == ("settle", EPOCH)


def test_of_long_texts_and_lists_so_much_is_kept_as_makes_no_document_grow() -> None:
    kept = told_of({"reason": "x" * 201, "code": "y" * 200, "shortages": [{"sku": "MUG"}] * 21, "lines": [1, 2]})
    assert kept == {"reason": "x" * 200, "code": "y" * 200, "shortages": [{"sku": "MUG"}] * 20, "lines": 2}


async def test_a_version_that_nobody_knows_yet_goes_later_and_then_is_parked(world: World) -> None:
    newer = wire(OrderCompleted("ord_1"), "ord_1", world.system.now(), cloudEvents_type="orderflow.orders.OrderX.v2")
    await world.deliver("operations", newer)
    await world.drain(timedelta(hours=1))

    assert (await timeline(world, "ord_1")).status == 404
    [parked] = world.documents("operations", "parked")
    assert "unknown type 'orderflow.orders.OrderX.v2'" in parked["reason"]


@pytest.mark.parametrize("time", ["yesterday", "2026-11-24T06:00:00", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_is_none_is_parked_at_once(world: World, time: str) -> None:
    await world.deliver("operations", wire(OrderCompleted("ord_1"), "ord_1", world.system.now(), cloudEvents_time=time))

    [parked] = world.documents("operations", "parked")
    assert parked["reason"] == "the property cloudEvents_time should be a time (RFC 3339)"


async def test_a_timeline_goes_with_all_its_events_ninety_days_after_the_last_one(world: World) -> None:
    began = world.system.now()
    await told(world, OrderPlaced("ord_1", (), 250, "GBP"))
    world.system.advance_to(began + timedelta(days=60))
    await told(world, OrderCompleted("ord_1"))
    lives = {event["ttl"] for event in world.documents("operations", "event") if event["pk"] == "ord_1"}
    assert lives == {(2 * KEPT + timedelta(days=2)).total_seconds()}

    world.system.advance_to(began + timedelta(days=60) + KEPT)
    assert names(await timeline(world, "ord_1")) == ["OrderPlaced", "OrderCompleted"]
    world.system.advance_to(began + timedelta(days=60, seconds=1) + KEPT)
    assert (await timeline(world, "ord_1")).status == 404


async def test_one_that_is_heard_of_after_its_time_begins_anew(world: World) -> None:
    began = world.system.now()
    await told(world, OrderPlaced("ord_1", (), 250, "GBP"))
    world.system.advance_to(began + timedelta(days=91))
    await told(world, OrderCompleted("ord_1"))

    assert names(await timeline(world, "ord_1")) == ["OrderCompleted"]


async def test_of_an_order_with_no_end_of_events_some_are_shown_and_no_document_grows(world: World) -> None:
    for number in range(1, MOST_EVENTS + 2):
        corrected = ShipmentCorrected("ord_1", "shp_ord_1", "DHL", "42", number)
        await world.deliver("operations", wire(corrected, "ord_1", world.system.now(), number))

    answer = await timeline(world, "ord_1")

    assert (len(names(answer)), answer.body["isWhole"]) == (MOST_EVENTS, False)
    assert max(len(str(event)) for event in world.documents("operations", "event")) < 1024
