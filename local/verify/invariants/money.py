"""Money: what the provider holds and has captured."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from local.verify.invariants.snapshot import Document, Finding, Snapshot, finding


def money(snapshot: Snapshot) -> Finding:
    """What the provider holds and has captured is what each order's state says."""
    orders = {order["id"]: order for order in snapshot.kind("order")}
    payments = {payment["orderId"]: payment for payment in snapshot.kind("payment")}
    dispatched = {shipment["orderId"] for shipment in snapshot.kind("shipment") if shipment["state"] == "dispatched"}
    intents: dict[str, list[Document]] = defaultdict(list)
    for intent in snapshot.intents:
        intents[intent["metadata"].get("order_id", f"no order ({intent['id']})")].append(intent)
    violations = [
        f"{order_id}: {wrong}"
        for order_id in {**orders, **intents}
        for wrong in _wrong_with_money(
            orders.get(order_id), payments.get(order_id), intents[order_id], order_id in dispatched
        )
    ]
    return finding("money", len(orders) + len(snapshot.intents), violations)


def _wrong_with_money(
    order: Document | None, payment: Document | None, intents: list[Document], dispatched: bool
) -> Iterator[str]:
    held = [intent for intent in intents if intent["status"] == "requires_capture"]
    captured = [intent for intent in intents if intent["status"] == "succeeded"]
    named = ", ".join(intent["id"] for intent in (*held, *captured))
    yield from _wrong_with_movements(intents)
    if captured and not dispatched:
        yield f"captured without a dispatch: {named}"
    if order is None:
        if held or captured:
            yield f"money for an order that is not there: {named}"
        return
    if any(intent["amount_received"] != order["total"] for intent in captured):
        yield f"captured another amount than its total of {order['total']}: {named}"
    state = payment["state"] if payment else None
    match order["step"]:
        case "completed":
            if len(captured) != 1:
                yield f"completed, but captured {len(captured)} times"
            elif payment is None or state != "captured" or payment["intentId"] != captured[0]["id"]:
                yield f"completed, but its payment is {state} and not of {named}"
        case "payment_due":
            if held or captured or state != "not_captured":
                yield f"its payment is due, but is {state}, and held or captured are: {named or 'none'}"
        case "cancelled" | "rejected":
            if held or captured or state not in (None, "declined", "voided"):
                yield f"{order['step']}, but its payment is {state}, and held or captured are: {named or 'none'}"
        case "awaiting_dispatch":
            if not held + captured or any(intent["amount"] != order["total"] for intent in held):
                yield f"confirmed, but its total of {order['total']} is not held: {named or 'no intent'}"


def _wrong_with_movements(intents: Iterable[Document]) -> Iterator[str]:
    """What the provider's ledger of one order shows of any moment: one intent at most with money, one capture."""
    movements = [(movement, intent["id"]) for intent in intents for movement in intent["movements"]]
    with_money: set[str] = set()
    captures = []
    for movement, intent_id in sorted(movements, key=lambda pair: pair[0]["seq"]):
        match movement["kind"]:
            case "hold":
                with_money.add(intent_id)
                if len(with_money) > 1:
                    yield f"more than one intent held money: {', '.join(sorted(with_money))}"
            case "capture":
                captures.append(intent_id)
            case "release" if intent_id not in captures:
                with_money.discard(intent_id)
    if len(captures) > 1:
        yield f"captured {len(captures)} times: {', '.join(captures)}"
