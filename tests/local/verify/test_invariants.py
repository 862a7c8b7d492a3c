"""Each invariant holds in a good world, and names what is wrong in a bad one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from local.verify.invariants import Finding, Snapshot, examine
from local.verify.looking import BROKEN, HOLDS, NOT_DRAINED, confirmed, status_of
from tests.local.verify.world import World, queue, spoilt


def _broken(snapshot: Snapshot) -> dict[str, list[str]]:
    return {finding.name: finding.violations for finding in examine(snapshot) if not finding.holds}


def test_a_good_world_holds_and_every_invariant_has_examined_something() -> None:
    findings = examine(World().snapshot())

    assert [finding.name for finding in findings] == [
        "stock",
        "money",
        "orders",
        "reservations",
        "drained",
        "sweeps",
        "parked",
        "prices",
        "sums",
    ]
    assert all(finding.holds and finding.checked > 0 for finding in findings)
    assert status_of(findings) == HOLDS


def test_an_empty_store_holds() -> None:
    assert status_of(examine(Snapshot())) == HOLDS


def _set(documents: str, id: str, pk: str | None = None, **fields: Any) -> Callable[[World], None]:
    return lambda world: world.get(documents, id, pk).update(fields)


def _drop(documents: str, id: str, pk: str | None = None) -> Callable[[World], None]:
    return lambda world: getattr(world, documents).remove(world.get(documents, id, pk))


def _add(documents: str, like: str, **fields: object) -> Callable[[World], None]:
    return lambda world: getattr(world, documents).append(world.get(documents, like) | fields)


_SECOND_HOLD: dict[str, Any] = {"movements": [{"seq": 9, "kind": "hold", "amount": 510}]}
_TWICE: dict[str, Any] = {
    "movements": [{"seq": seq, "kind": kind} for seq, kind in enumerate(("hold", "capture", "capture"))]
}
_HELD: dict[str, Any] = {
    "place": {"id": "a:hour:2026-11-24T06:00", "model": "m1"},
    "counts": {"event.StockReserved": 1},
}
_PRODUCT = {"kind": "product", "sku": "X", "price": 1, "currency": "GBP", "listed": True, "version": 1}


def test_a_sum_is_what_is_stored_of_it_and_what_the_head_holds() -> None:
    world = World()
    stored = world.get("operations", "a:hour:2026-11-24T06:00")
    stored["counts"] = {name: number for name, number in stored["counts"].items() if name not in _HELD["counts"]}
    world.get("operations", "head")["held"] = [_HELD, _HELD | {"place": _HELD["place"] | {"model": "m0"}}]

    assert status_of(examine(world.snapshot())) == HOLDS


@pytest.mark.parametrize(
    ("change", "name", "violation"),
    [
        (_set("inventory", "stock", onHand=-1, available=-3), "stock", "85123A: -1 on hand and -3 available"),
        (_set("inventory", "stock", available=5), "stock", "85123A: 6 on hand less 5 available is not 2"),
        (_set("inventory", "res:ord_packed", quantity=3), "stock", "85123A: 6 on hand less 4 available is not 3"),
        (_drop("inventory", "stock"), "stock", "85123A: 2 reserved of a stock that is not there"),
        (_add("intents", "pi_done", id="pi_2", **_SECOND_HOLD), "money", "ord_done: more than one intent held money"),
        (_set("intents", "pi_done", **_TWICE), "money", "ord_done: captured 2 times: pi_done, pi_done"),
        (_set("intents", "pi_done", amount_received=500), "money", "ord_done: captured another amount than its total"),
        (_set("intents", "pi_done", status="requires_capture"), "money", "ord_done: completed, but captured 0 times"),
        (
            _set("payments", "payment", "ord_done", state="authorised"),
            "money",
            "ord_done: completed, but its payment is",
        ),
        (_set("payments", "payment", "ord_done", intentId="pi_x"), "money", "ord_done: completed, but its payment is"),
        (_drop("payments", "payment", "ord_done"), "money", "ord_done: completed, but its payment is None"),
        (_set("shipping", "shp_ord_done", state="pending"), "money", "ord_done: captured without a dispatch: pi_done"),
        (_set("intents", "pi_due", status="requires_capture"), "money", "ord_due: its payment is due, but"),
        (_set("payments", "payment", "ord_due", state="captured"), "money", "ord_due: its payment is due, but"),
        (
            _set("intents", "pi_off", status="requires_capture"),
            "money",
            "ord_off: cancelled, but its payment is voided",
        ),
        (_set("payments", "payment", "ord_off", state="authorised"), "money", "ord_off: cancelled, but its payment is"),
        (
            _set("intents", "pi_packed", status="canceled"),
            "money",
            "ord_packed: confirmed, but its total of 510 is not",
        ),
        (_set("intents", "pi_packed", amount=5), "money", "ord_packed: confirmed, but its total of 510 is not held"),
        (_set("intents", "pi_packed", metadata={}), "money", "no order (pi_packed): money for an order that is not"),
        (_drop("orders", "ord_done"), "orders", "ord_done: placed, but not there"),
        (_set("orders", "ord_done", settledAt=None), "orders", "ord_done: completed, but not settled"),
        (_set("orders", "ord_done", chaseAt="2026"), "orders", "ord_done: completed, but still waits"),
        (_set("orders", "ord_off", waitingFor=["stock"]), "orders", "ord_off: cancelled, but still waits"),
        (_set("orders", "ord_short", reason=None), "orders", "ord_short: rejected without a reason"),
        (_set("orders", "ord_packed", chaseAt=None), "orders", "ord_packed: awaiting_dispatch, but nothing chases"),
        (_set("orders", "ord_packed", settledAt="2026"), "orders", "ord_packed: awaiting_dispatch, but settled"),
        (_set("orders", "ord_packed", step="dreaming"), "orders", "ord_packed: at no step that exists: dreaming"),
        (lambda world: world.waits("undoing"), "orders", "ord_more: undoing, but waits for nothing"),
        (_set("shipping", "shp_ord_done", carrier=None), "orders", "shp_ord_done: dispatched, but it says otherwise"),
        (_set("shipping", "shp_ord_packed", corrections=1), "orders", "shp_ord_packed: pending, but it says otherwise"),
        (_set("shipping", "shp_ord_packed", carrier="DHL"), "orders", "shp_ord_packed: pending, but it says otherwise"),
        (_set("inventory", "res:ord_done", state="active"), "reservations", "ord_done: completed, but 2 × 85123A is"),
        (
            _set("inventory", "res:ord_done", quantity=1),
            "reservations",
            "ord_done: completed, but of 85123A it ordered 2",
        ),
        (
            _drop("inventory", "res:ord_done"),
            "reservations",
            "ord_done: completed, but of 85123A it ordered 2 and used",
        ),
        (_set("inventory", "res:ord_off", state="committed"), "reservations", "ord_off: cancelled, but 2 × 85123A is"),
        (
            _set("inventory", "decision", "ord_off", state="reserved"),
            "reservations",
            "ord_off: cancelled, but inventory",
        ),
        (
            _drop("inventory", "decision", "ord_short"),
            "reservations",
            "ord_short: rejected, but inventory's decision is",
        ),
        (_add("inventory", "res:ord_off", orderId="ord_x"), "reservations", "ord_x: 2 × 85123A released for no order"),
        (
            _set("orders", "price:85123A", price=1),
            "prices",
            "85123A: orders has 1 GBP, listed, version 3, the catalogue",
        ),
        (_set("orders", "price:85123A", version=4), "prices", "85123A: orders has 255 GBP, listed, version 4"),
        (_set("catalog", "85123A", version=4, price=9), "prices", "85123A: orders has 255 GBP, listed, version 3"),
        (lambda world: world.catalog.append(_PRODUCT), "prices", "X: orders does not know it"),
        (_drop("operations", "event:StockReserved"), "sums", "5m from 2026-11-24T06:00: event.StockReserved, took"),
        (_drop("operations", "a:day:2026-11-24T00:00"), "sums", "day from 2026-11-24T00:00: event.OrderPlaced, event"),
        (_set("operations", "a:hour:2026-11-24T06:00", counts={}), "sums", "hour from 2026-11-24T06:00: event.OrderPl"),
        (
            _set("operations", "a:hour:2026-11-24T06:00", model="m0"),
            "sums",
            "hour from 2026-11-24T06:00: event.OrderPl",
        ),
        (
            _add("operations", "a:day:2026-11-24T00:00", id="a:day:2026-11-23T00:00"),
            "sums",
            "day from 2026-11-23T00:00",
        ),
        (_set("operations", "head", held=[_HELD]), "sums", "hour from 2026-11-24T06:00: event.StockReserved are not"),
        (_add("operations", "event:OrderPlaced", eventId="A", name="OrderCompleted"), "sums", "5m from 2026-11-24"),
        (_set("operations", "event:OrderPlaced", orderId="ord_x"), "sums", "under way: {'2026-11-24': {'payment': 1}}"),
        (
            _set("operations", "event:StockReserved", eventId="T"),
            "sums",
            "5m from 2026-11-24T06:00: event.StockReserved",
        ),
        (_drop("catalog", "85123A"), "prices", "85123A: orders knows a price that the catalogue never had"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[World], object], name: str, violation: str) -> None:
    snapshot = spoilt(change)

    assert any(said.startswith(violation) for said in _broken(snapshot)[name]), _broken(snapshot)
    assert status_of(examine(snapshot)) == BROKEN


_NOW = datetime(2026, 11, 24, 6, 10, tzinfo=UTC)
_LEFT = {"id": "e1", "kind": "outbox", "destination": "inventory-events"}


@pytest.mark.parametrize(
    ("change", "violations"),
    [
        (lambda world: world.inventory.append(_LEFT | {"createdAt": "2026-11-24T06:05:30.000000Z"}), []),
        (
            lambda world: world.inventory.append(_LEFT | {"createdAt": "2026-11-24T06:03:00.000000Z"}),
            ["inventory: no sweep has succeeded for 7 minutes: outbox since 2026-11-24T06:03:00.000000Z"],
        ),
        (_set("orders", "ord_packed", chaseAt="2026-11-24T06:08:00.000000Z"), []),
        (
            _set("orders", "ord_packed", chaseAt="2026-11-23T06:04:00.000000Z"),
            ["orders: no sweep has succeeded for 1446 minutes: order since 2026-11-23T06:04:00.000000Z"],
        ),
    ],
)
def test_what_a_sweep_has_not_done_for_five_minutes_is_named(
    change: Callable[[World], object], violations: list[str]
) -> None:
    world = World()
    world.get("orders", "ord_packed")["chaseAt"] = "2026-11-25T06:00:00.000000Z"
    change(world)

    found = {finding.name: finding.violations for finding in examine(world.snapshot(), _NOW)}

    assert found["sweeps"] == violations


_PARKED = {"id": "parked", "pk": "m1", "kind": "parked", "queue": "orders", "reason": "unknown type"}


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        (lambda world: world.payments.append(_PARKED), "m1: parked from orders: unknown type"),
        (lambda world: world.entities.append(queue("stock", deadLettered=2)), "stock: 2 messages dead-lettered"),
        (lambda world: world.entities.append(queue("stock-dead", active=1)), "stock-dead: 1 messages dead-lettered"),
    ],
)
def test_whatever_is_parked_or_dead_lettered_is_as_bad_as_broken(
    change: Callable[[World], object], violation: str
) -> None:
    snapshot = spoilt(change)

    assert _broken(snapshot)["parked"] == [violation]
    assert status_of(examine(snapshot)) == BROKEN


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        (
            lambda world: world.inventory.append({"id": "e1", "kind": "outbox", "destination": "inventory-events"}),
            "e1: not yet published to inventory-events",
        ),
        (lambda world: world.entities.append(queue("stock", locked=3)), "stock: 3 messages locked"),
        (lambda world: world.entities.append(queue("stock", scheduled=1)), "stock: 1 messages scheduled"),
        (lambda world: world.entities.append(queue("stock", deferred=1)), "stock: 1 messages deferred"),
        (
            lambda world: world.waits("reserving_stock"),
            "ord_more: reserving_stock, waits for StockReserved or StockRejected",
        ),
        (
            lambda world: world.waits("undoing", waitingFor=["payment"]),
            "ord_more: undoing, waits for StockReleased, PaymentVoided (due: payment)",
        ),
    ],
)
def test_what_is_under_way_has_not_drained_but_is_not_broken(change: Callable[[World], object], violation: str) -> None:
    snapshot = spoilt(change)

    assert _broken(snapshot) == {"drained": [violation]}
    assert status_of(examine(snapshot)) == NOT_DRAINED


def test_an_order_that_waits_for_its_dispatch_has_drained_once_its_shipment_can_be_seen() -> None:
    left = {"state": "dispatched", "carrier": "DHL", "trackingNumber": "D1", "dispatchedAt": "2026"}
    snapshot = spoilt(_set("shipping", "shp_ord_packed", **left))

    assert list(_broken(snapshot)) == ["drained"]


def test_prices_may_be_behind_until_everything_has_drained() -> None:
    def under_way(world: World) -> None:
        world.get("catalog", "85123A").update(version=4, price=9)
        world.entities.append(queue("orders-prices", active=1))

    assert list(_broken(spoilt(under_way))) == ["drained"]


def test_a_name_may_change_without_telling_orders() -> None:
    assert _broken(spoilt(_set("catalog", "85123A", version=4, name="BIG HEART"))) == {}


def test_money_that_was_let_go_first_may_be_held_anew() -> None:
    def again(world: World) -> None:
        first = world.get("intents", "pi_packed")
        world.intents.append(first | {"id": "pi_2", "movements": [{"seq": 5, "kind": "hold"}]})
        first["status"] = "canceled"
        first["movements"] = [{"seq": 0, "kind": "hold"}, {"seq": 1, "kind": "release"}]

    assert _broken(spoilt(again)) == {}


def test_while_the_system_goes_on_only_what_stays_wrong_is_wrong() -> None:
    before = Finding("stock", False, 9, ["A: 3 on hand and so on", "B: 1 on hand"])
    now = Finding("stock", False, 9, ["A: 2 on hand and so on", "C: 1 on hand"])

    assert confirmed(now, before) == Finding("stock", False, 9, ["A: 2 on hand and so on"])
    assert confirmed(Finding("stock", False, 9, ["C: 1"]), before) == Finding("stock", True, 9, [])
