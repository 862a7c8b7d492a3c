"""Orders: none is lost, none waits for nothing."""

from collections.abc import Iterator

from local.verify.invariants.snapshot import (
    COMPENSATED,
    FINAL,
    REPLIES,
    SHIPPED,
    Document,
    Finding,
    Snapshot,
    finding,
    waits_for,
)


def orders(snapshot: Snapshot) -> Finding:
    """Every order that was answered for is there, and is final or waits for a named reply with a time to be chased."""
    stored = {order["id"]: order for order in snapshot.kind("order")}
    violations = [f"{order_id}: placed, but not there" for order_id in sorted(snapshot.placed - stored.keys())]
    violations += [f"{order_id}: {wrong}" for order_id, order in stored.items() for wrong in _wrong_with(order)]
    shipments = {shipment["orderId"]: shipment["state"] for shipment in snapshot.kind("shipment")}
    violations += [
        f"{order_id}: {order['step']}, but its shipment is {shipments.get(order_id)}"
        for order_id, order in stored.items()
        if not _shipment_fits(order["step"], shipments.get(order_id))
    ]
    violations += [
        f"{shipment['id']}: {shipment['state']}, but it says otherwise how and when it left"
        for shipment in snapshot.kind("shipment")
        if not _says_how_it_left(shipment)
    ]
    return finding("orders", len(stored.keys() | snapshot.placed), violations)


def _wrong_with(order: Document) -> Iterator[str]:
    step = order["step"]
    if step in FINAL:
        if order["settledAt"] is None:
            yield f"{step}, but not settled"
        if order["chaseAt"] is not None or order["giveUpAt"] is not None or order["waitingFor"]:
            yield f"{step}, but still waits"
    elif step in REPLIES:
        if order["chaseAt"] is None:
            yield f"{step}, but nothing chases {waits_for(order)}"
        if step in ("undoing", "settling") and not order["waitingFor"]:
            yield f"{step}, but waits for nothing"
        if order["settledAt"] is not None:
            yield f"{step}, but settled"
    else:
        yield f"at no step that exists: {step}"
    if step == "rejected" and order["reason"] is None:
        yield "rejected without a reason"


def _says_how_it_left(shipment: Document) -> bool:
    """What was dispatched has all of it, and alone can have been corrected; what wasn't has nothing."""
    said = [shipment[name] is not None for name in ("carrier", "trackingNumber", "dispatchedAt")]
    return all(said) if shipment["state"] == "dispatched" else not any(said) and not shipment.get("corrections")


def _shipment_fits(step: str, shipment: str | None) -> bool:
    """Goods leave for orders that were shipped, and for no other that is final."""
    if step in SHIPPED:
        return shipment == "dispatched"
    return step not in COMPENSATED or shipment in (None, "cancelled")
