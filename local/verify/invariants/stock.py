"""Stock: what is on hand, what is reserved, and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from local.verify.invariants.snapshot import FINAL, SHIPPED, Document, Finding, Snapshot, finding


def stock(snapshot: Snapshot) -> Finding:
    """For every SKU: nothing below zero, and what is on hand but not available is what is reserved."""
    active: Counter[str] = Counter()
    for reservation in snapshot.kind("reservation"):
        active[reservation["sku"]] += reservation["quantity"] if reservation["state"] == "active" else 0
    items = {item["sku"]: item for item in snapshot.kind("stock")}
    violations = []
    for sku, item in items.items():
        on_hand, available = item["onHand"], item["available"]
        if on_hand < 0 or available < 0:
            violations.append(f"{sku}: {on_hand} on hand and {available} available")
        if on_hand - available != active[sku]:
            violations.append(
                f"{sku}: {on_hand} on hand less {available} available is not {active[sku]}, the active reservations"
            )
    violations += [f"{sku}: {active[sku]} reserved of a stock that is not there" for sku in +active if sku not in items]
    return finding("stock", len(items), violations)


def reservations(snapshot: Snapshot) -> Finding:
    """Everything reserved for a final order is released or used up, as its end says, and inventory decided alike."""
    ends = {order["id"]: order for order in snapshot.kind("order")}
    decisions = {decision["orderId"]: decision for decision in snapshot.kind("decision")}
    reserved: dict[str, list[Document]] = defaultdict(list)
    for reservation in snapshot.kind("reservation"):
        reserved[reservation["orderId"]].append(reservation)
    violations = [
        f"{order_id}: {reservation['quantity']} × {reservation['sku']} {reservation['state']} for no order"
        for order_id in reserved.keys() - ends.keys()
        for reservation in reserved[order_id]
    ]
    checked = len(violations)
    for order_id, order in ends.items():
        if order["step"] in FINAL:
            checked += len(reserved[order_id]) + 1
            wrong = _wrong_with_stock(order, reserved[order_id], decisions.get(order_id))
            violations += [f"{order_id}: {text}" for text in wrong]
    return finding("reservations", checked, violations)


def _wrong_with_stock(order: Document, reserved: list[Document], decision: Document | None) -> Iterator[str]:
    step = order["step"]
    end = "committed" if step in SHIPPED else "released"
    allowed = {"committed"} if step in SHIPPED else {"released", "rejected"}
    state = decision["state"] if decision else None
    if state not in allowed:
        yield f"{step}, but inventory's decision is {state}"
    for reservation in reserved:
        if reservation["state"] != end:
            yield f"{step}, but {reservation['quantity']} × {reservation['sku']} is {reservation['state']}"
    if step in SHIPPED:
        ordered = {line["sku"]: line["quantity"] for line in order["lines"]}
        used = {reservation["sku"]: reservation["quantity"] for reservation in reserved}
        for sku in sorted(sku for sku in ordered.keys() | used.keys() if ordered.get(sku) != used.get(sku)):
            yield f"{step}, but of {sku} it ordered {ordered.get(sku, 0)} and used up {used.get(sku, 0)}"
