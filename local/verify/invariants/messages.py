"""What is on its way: messages, what sweeps do, prices; and what has come to a halt."""

from datetime import datetime, timedelta

from local.verify.invariants.snapshot import FINAL, Document, Finding, Snapshot, finding, waits_for

_LATE = timedelta(minutes=5)
_SWEPT = {"outbox": "createdAt", "order": "chaseAt"}
"""The kinds of documents that a sweep takes up, and since when each is due."""

_STATES = ("active", "locked", "scheduled", "deferred")


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
    return finding("drained", len(outbox) + len(snapshot.entities) + len(stored), violations)


def sweeps(snapshot: Snapshot, at: datetime | None) -> Finding:
    """Nothing that a context's sweep does is five minutes overdue: an outbox document to be published, an order to be
    chased. Where nothing is due, a sweep that fails shows in the application's log alone."""
    violations = []
    for name, documents in snapshot.containers().items():
        for kind, since in _SWEPT.items():
            due = [str(document[since]) for document in documents if document["kind"] == kind and document.get(since)]
            late = at - datetime.fromisoformat(min(due)) if at and due else timedelta()
            if late > _LATE:
                minutes = late // timedelta(minutes=1)
                violations.append(f"{name}: no sweep has succeeded for {minutes} minutes: {kind} since {min(due)}")
    return finding("sweeps", sum(map(len, snapshot.containers().values())), violations)


def parked(snapshot: Snapshot) -> Finding:
    """Nothing is parked, nothing dead-lettered."""
    violations = [
        f"{document['pk']}: parked from {document['queue']}: {document['reason']}"
        for document in snapshot.kind("parked")
    ]
    violations += [
        f"{entity['name']}: {count} messages dead-lettered" for entity in snapshot.entities if (count := _dead(entity))
    ]
    return finding("parked", sum(1 for _ in snapshot.documents()) + len(snapshot.entities), violations)


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
    return finding("prices", len(products.keys() | replicas), violations)


def _price(product: Document) -> str:
    listed = "listed" if product["listed"] else "delisted"
    return f"{product['price']} {product['currency']}, {listed}, version {product['version']}"
