"""A small world in which every invariant holds: one order at each end and at each wait."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from local.verify.invariants import Snapshot

type Documents = list[dict[str, Any]]

_AT = "2026-11-24T06:00:00.000000Z"
_SKU = "85123A"
_TOTAL = 510


def _order(name: str, step: str, **changed: Any) -> dict[str, Any]:
    final = step in ("completed", "payment_due", "cancelled", "rejected")
    order = {
        "id": f"ord_{name}",
        "pk": f"ord_{name}",
        "kind": "order",
        "step": step,
        "waitingFor": [],
        "reason": None,
        "lines": [{"sku": _SKU, "quantity": 2, "unitPrice": 255}],
        "total": _TOTAL,
        "currency": "GBP",
        "placedAt": _AT,
        "settledAt": _AT if final else None,
        "chaseAt": None if final else _AT,
        "giveUpAt": None,
        "shipmentId": None,
        "history": [{"at": _AT, "step": step, "because": "it is so"}],
    }
    return order | changed


def _reservation(name: str, state: str) -> list[dict[str, Any]]:
    order_id = f"ord_{name}"
    about = {"orderId": order_id, "sku": _SKU, "quantity": 2, "state": state}
    decided = "reserved" if state == "active" else state
    return [
        {"id": f"res:{order_id}", "pk": f"sku:{_SKU}", "kind": "reservation", **about},
        {"id": "decision", "pk": order_id, "kind": "decision", "orderId": order_id, "state": decided, "lines": []},
    ]


def _payment(name: str, state: str) -> dict[str, Any]:
    about = {"orderId": f"ord_{name}", "state": state, "amount": _TOTAL, "currency": "GBP", "intentId": f"pi_{name}"}
    return {"id": "payment", "pk": f"ord_{name}", "kind": "payment", **about}


def _intent(name: str, status: str, *kinds: str) -> dict[str, Any]:
    captured = "capture" in kinds
    return {
        "id": f"pi_{name}",
        "status": status,
        "amount": _TOTAL,
        "amount_received": _TOTAL if captured else 0,
        "metadata": {"order_id": f"ord_{name}"},
        "movements": [{"seq": seq, "kind": kind, "amount": _TOTAL} for seq, kind in enumerate(kinds)],
    }


def _shipment(name: str, state: str) -> dict[str, Any]:
    about = {"orderId": f"ord_{name}", "state": state, "corrections": 0}
    left: dict[str, Any] = {"carrier": "Royal Mail", "trackingNumber": f"RM-{name}", "dispatchedAt": _AT}
    how = left if state == "dispatched" else dict.fromkeys(left)
    return {"id": f"shp_ord_{name}", "pk": f"ord_{name}", "kind": "shipment", **about, **how}


_AT_SECONDS = 1_795_500_030
_LIVE: dict[str, Any] = {
    "id": "head",
    "pk": "sums",
    "kind": "head",
    "keepDays": 90,
    "held": [],
    "live": {
        "id": "m1",
        "slot": "a",
        "since": "",
        "at": _AT_SECONDS,
        "eventId": "StockReserved",
        "open": {"2026-11-24": {"payment": 1}},
    },
    "_ts": _AT_SECONDS,
}


def _event(name: str, at: str, **told: Any) -> dict[str, Any]:
    about = {"eventId": name, "orderId": "ord_packed", "name": name, "at": at, "told": told, "_ts": _AT_SECONDS}
    return {"id": f"event:{name}", "pk": "ord_packed", "kind": "event", **about}


def _sum(id: str) -> dict[str, Any]:
    counts = {"event.OrderPlaced": 1, "event.StockReserved": 1, "took.stock.40": 1}
    return {"id": id, "pk": "sums", "kind": "sum", "model": "m1", "counts": counts}


class World:
    """Documents that a test may spoil before it looks at them together."""

    def __init__(self) -> None:
        price = {"sku": _SKU, "price": 255, "currency": "GBP", "listed": True, "version": 3}
        self.orders: Documents = [
            _order("done", "completed", shipmentId="shp_ord_done"),
            _order("due", "payment_due", shipmentId="shp_ord_due"),
            _order("off", "cancelled", reason="cancelled"),
            _order("short", "rejected", reason="out_of_stock"),
            _order("packed", "awaiting_dispatch", shipmentId="shp_ord_packed"),
            {"id": f"price:{_SKU}", "pk": f"price:{_SKU}", "kind": "price", **price},
        ]
        self.payments: Documents = [
            _payment("done", "captured"),
            _payment("due", "not_captured"),
            _payment("off", "voided"),
            _payment("packed", "authorised"),
        ]
        self.intents: Documents = [
            _intent("done", "succeeded", "hold", "capture"),
            _intent("due", "canceled", "hold", "release"),
            _intent("off", "canceled", "hold", "release"),
            _intent("packed", "requires_capture", "hold"),
        ]
        self.shipping: Documents = [
            _shipment("done", "dispatched"),
            _shipment("due", "dispatched"),
            _shipment("off", "cancelled"),
            _shipment("packed", "pending"),
        ]
        self.inventory: Documents = [
            {"id": "stock", "pk": f"sku:{_SKU}", "kind": "stock", "sku": _SKU, "onHand": 6, "available": 4},
            *_reservation("done", "committed"),
            *_reservation("due", "committed"),
            *_reservation("off", "released"),
            *_reservation("packed", "active"),
            {"id": "decision", "pk": "ord_short", "kind": "decision", "orderId": "ord_short", "state": "rejected"},
        ]
        self.catalog: Documents = [{"id": _SKU, "pk": _SKU, "kind": "product", "name": "HEART", **price}]
        self.operations: Documents = [
            _event("OrderPlaced", _AT, total=_TOTAL, currency="GBP"),
            _event("StockReserved", "2026-11-24T06:00:01.000000Z"),
            deepcopy(_LIVE),
            *(
                _sum(f"a:{period}")
                for period in ("5m:2026-11-24T06:00", "hour:2026-11-24T06:00", "day:2026-11-24T00:00")
            ),
        ]
        self.entities: Documents = [queue("orders"), queue("orders-dead")]
        self.placed = {"ord_done", "ord_off"}

    def get(self, documents: str, id: str, pk: str | None = None) -> dict[str, Any]:
        """One document, to be spoilt."""
        return next(each for each in getattr(self, documents) if each["id"] == id and pk in (None, each.get("pk")))

    def waits(self, step: str, **changed: Any) -> None:
        """One more order, at a step that isn't final."""
        self.orders.append(_order("more", step, **changed))

    def snapshot(self) -> Snapshot:
        """What a reader would see of it."""
        return Snapshot(
            frozenset(self.placed),
            self.orders,
            self.payments,
            self.intents,
            self.shipping,
            self.inventory,
            self.catalog,
            self.entities,
            self.operations,
        )


def queue(name: str, **counts: int) -> dict[str, Any]:
    """A queue as the broker tells of it."""
    return {"name": name, "active": 0, "locked": 0, "scheduled": 0, "deferred": 0, "deadLettered": 0} | counts


def spoilt(change: Callable[[World], object]) -> Snapshot:
    """The world after one change."""
    world = World()
    change(world)
    return world.snapshot()
