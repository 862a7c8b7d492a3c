"""The invariants of the whole system, over stored documents as plain dicts.

A snapshot is no moment: its parts are read one after the other, in the order that its fields have here, while the
system may go on. What is read later is therefore newer, and each invariant only concludes what that allows: an order
that was final stays so, and money that was captured had a dispatch before it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

type Document = Mapping[str, Any]

COMPENSATED = {"cancelled", "rejected"}
SHIPPED = {"completed", "payment_due"}
FINAL = COMPENSATED | SHIPPED

REPLIES = {
    "reserving_stock": "StockReserved or StockRejected",
    "authorising_payment": "PaymentAuthorised or PaymentDeclined",
    "awaiting_dispatch": "ShipmentCreated, then ShipmentDispatched",
    "recalling": "ShipmentCancelled or ShipmentDispatched",
    "undoing": "StockReleased, PaymentVoided",
    "settling": "StockCommitted, PaymentCaptured or PaymentNotCaptured",
}
"""What an order at each step that isn't final waits for."""


_STATES = ("active", "locked", "scheduled", "deferred")


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one invariant holds, over how many things, and what breaks it: "id: what is wrong with it"."""

    name: str
    holds: bool
    checked: int
    violations: list[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the system holds. `placed` are the ids of orders that a client was told to have placed; `entities` the
    broker's queues with the number of messages in each state; `others` what contexts hold that have no field here."""

    placed: frozenset[str] = frozenset()
    orders: Sequence[Document] = ()
    payments: Sequence[Document] = ()
    intents: Sequence[Document] = ()
    shipping: Sequence[Document] = ()
    inventory: Sequence[Document] = ()
    catalog: Sequence[Document] = ()
    entities: Sequence[Document] = ()
    others: Sequence[Document] = ()
    by_kind: dict[str, list[Document]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for document in self.documents():
            self.by_kind.setdefault(document["kind"], []).append(document)

    def documents(self) -> Iterator[Document]:
        """Those of every container."""
        for container in (self.orders, self.payments, self.shipping, self.inventory, self.catalog, self.others):
            yield from container

    def kind(self, kind: str) -> list[Document]:
        """All documents of one kind."""
        return self.by_kind.get(kind, [])


def examine(snapshot: Snapshot) -> list[Finding]:
    """Every invariant, in the order of the design."""
    at_rest = drained(snapshot)
    return [
        stock(snapshot),
        money(snapshot),
        orders(snapshot),
        reservations(snapshot),
        at_rest,
        parked(snapshot),
        prices(snapshot, at_rest=at_rest.holds),
    ]


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
    return _finding("stock", len(items), violations)


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
    return _finding("money", len(orders) + len(snapshot.intents), violations)


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
    return _finding("orders", len(stored.keys() | snapshot.placed), violations)


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


def _shipment_fits(step: str, shipment: str | None) -> bool:
    """Goods leave for orders that were shipped, and for no other that is final."""
    if step in SHIPPED:
        return shipment == "dispatched"
    return step not in COMPENSATED or shipment in (None, "cancelled")


def waits_for(order: Document) -> str:
    """The replies that an order waits for, in words."""
    replies = REPLIES.get(order["step"], "nothing")
    return f"{replies} (due: {', '.join(order['waitingFor'])})" if order["waitingFor"] else replies


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
    return _finding("reservations", checked, violations)


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


def drained(snapshot: Snapshot) -> Finding:
    """Nothing is on its way: no outbox document, no message, no order that waits for anything but its dispatch."""
    pending = {shipment["id"] for shipment in snapshot.kind("shipment") if shipment["state"] == "pending"}
    outbox, stored = snapshot.kind("outbox"), snapshot.kind("order")
    violations = [f"{document['id']}: not yet published to {document['destination']}" for document in outbox]
    violations += [
        f"{entity['name']}: {count} messages {state}"
        for entity in snapshot.entities
        for state in _STATES
        if (count := entity[state])
    ]
    violations += [
        f"{order['id']}: {order['step']}, waits for {waits_for(order)}"
        for order in stored
        if order["step"] not in FINAL and not (order["step"] == "awaiting_dispatch" and order["shipmentId"] in pending)
    ]
    return _finding("drained", len(outbox) + len(snapshot.entities) + len(stored), violations)


def parked(snapshot: Snapshot) -> Finding:
    """Nothing is parked, nothing dead-lettered."""
    violations = [
        f"{document['pk']}: parked from {document['queue']}: {document['reason']}"
        for document in snapshot.kind("parked")
    ]
    violations += [
        f"{entity['name']}: {count} messages dead-lettered" for entity in snapshot.entities if (count := _dead(entity))
    ]
    return _finding("parked", sum(1 for _ in snapshot.documents()) + len(snapshot.entities), violations)


def _dead(entity: Document) -> int:
    """Messages that were given up: those beside the queue, and all of a queue that takes the dead ones of others."""
    here = sum(entity[state] for state in _STATES) if entity["name"].endswith("-dead") else 0
    return here + int(entity["deadLettered"])


def prices(snapshot: Snapshot, *, at_rest: bool) -> Finding:
    """The prices that orders knows are the catalogue's; until the system is at rest, they may be older ones.

    A replica's version may stay behind for good: a change of a name alone is announced to nobody."""
    products = {product["sku"]: product for product in snapshot.kind("product")}
    replicas = {price["sku"]: price for price in snapshot.kind("price")}
    violations = [f"{sku}: orders knows a price that the catalogue never had" for sku in replicas.keys() - products]
    for sku, product in products.items():
        replica = replicas.get(sku)
        lead = replica["version"] - product["version"] if replica else -1
        if lead < 0 and not at_rest:
            continue
        if replica is None:
            violations.append(f"{sku}: orders does not know it")
        elif lead > 0 or any(replica[name] != product[name] for name in ("price", "currency", "listed")):
            violations.append(f"{sku}: orders has {_price(replica)}, the catalogue {_price(product)}")
    return _finding("prices", len(products.keys() | replicas), violations)


def _price(product: Document) -> str:
    listed = "listed" if product["listed"] else "delisted"
    return f"{product['price']} {product['currency']}, {listed}, version {product['version']}"


def _finding(name: str, checked: int, violations: list[str]) -> Finding:
    return Finding(name, not violations, checked, violations)
