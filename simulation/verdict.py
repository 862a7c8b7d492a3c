"""What a history comes to: every invariant of `local.verify`, and what only somebody who saw all of it can tell."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from local.verify.invariants import Snapshot, examine
from services.operations.reconciling import RUNS
from services.payments.adapters import STATUSES
from shared.ports import Document
from shared.texts import FORGOTTEN
from simulation.faults import CLEAR_ANSWERS, NOTHING_LOST
from simulation.history import History
from simulation.topology import CONTEXTS, TOPOLOGY
from simulation.witness.notes import data_of, name_of

UNHEARD = re.compile(r"disagreement: \S+: Nobody was heard to announce [^.]+\. \(")


def violations(history: History) -> Iterator[str]:
    """Everything in which the system has not kept its promises."""
    if history.world.witness.wrong:
        # What else is amiss in the end may follow from that, or nobody waited for it any more.
        yield from history.world.witness.wrong
        return
    yield from _seen(history)
    for finding in examine(snapshot(history)):
        yield from (f"{finding.name}: {each}" for each in finding.violations)
        if not finding.checked:
            yield f"{finding.name}: nothing was examined"
    if len(history.claims.placed) != history.people.orders:
        yield f"{len(history.claims.placed)} orders were placed, not {history.people.orders}"
    yield from history.world.host.wrong
    if not history.is_over:
        yield "something is still on its way"
    if history.scenario is NOTHING_LOST:
        yield from _sent_again_by_the_clock(history)
    if history.scenario is CLEAR_ANSWERS:
        yield from _took_too_long(history)


def _sent_again_by_the_clock(history: History) -> Iterator[str]:
    """Commands that were, though no message was lost."""
    # A command that failed four times waits beyond its next resend, and leaves the rest to that.
    sent = [message.properties or {} for _, message in history.world.broker.sent]
    failed_on_and_on = {wire["cloudEvents_id"] for wire in sent if int(wire.get("orderflow_attempt", 0)) >= 4}
    for message in history.resends:
        if (message.properties or {})["cloudEvents_id"] not in failed_on_and_on:
            yield f"{name_of(message)} for {message.correlation_id} was sent again, though no message was lost"


def _took_too_long(history: History) -> Iterator[str]:
    """What did, though every answer was clear."""
    witness = history.world.witness
    if witness.stock.longest_wait >= history.world.inventory.stock_timeout:
        yield f"an order waited {witness.stock.longest_wait} for stock"
    for order in history.orders:
        if order["reason"] not in (None, "cancelled", "out_of_stock", "payment_declined"):
            yield f"{order['id']} ended for {order['reason']}"


def snapshot(history: History) -> Snapshot:
    """Everything that the system holds, as `verify` reads it."""
    world = history.world
    status_of = {ours: theirs for theirs, ours in STATUSES.items()}
    kinds = ["order", "price", "payment", "shipment", "stock", "reservation", "decision", "product"]
    kinds += ["event", "head", "sum"]
    documents = {
        name: [d for kind in (*kinds, "outbox", "parked") for d in world.documents(name, kind)]
        for name in world.containers
    }
    intents = [
        {
            "id": id,
            "status": status_of[intent["status"]],
            "amount": intent["amount"],
            "amount_received": intent.get("captured", 0),
            "metadata": {"order_id": intent["order"]},
            "movements": intent["movements"],
        }
        for id, intent in world.provider.intents.items()
    ]
    states = ("active", "locked", "scheduled", "deferred", "deadLettered")
    entities = [{"name": queue["name"], **dict.fromkeys(states, 0)} for queue in TOPOLOGY["queues"]]
    return Snapshot.of(documents, placed=frozenset(history.claims.placed), intents=intents, entities=entities)


def _seen(history: History) -> Iterator[str]:
    """What only somebody who saw the whole history can tell."""
    known = [order for order in history.orders if not order["forgottenAt"]]
    for email, orders in Counter(order["email"] for order in known).items():
        if orders > 1:
            yield f"{orders} orders of one request, by {email}"
    for order in known:
        if order["customerId"] != (owner := history.claims.owners[order["email"]]):
            yield f"{order['id']} is {order['customerId']}'s, and was placed for {owner}"
    yield from (f"{order_id} was cancelled by a stranger" for order_id in history.claims.seen_by_strangers)
    yield from _not_forgotten(history)
    yield from _not_seen_to(history)
    yield from _said_to_differ(history)
    intents = history.world.provider.intents.values()
    lost = {each["order"] for each in intents if each["lapsed"] or "captureRefused" in each["method"]}
    for order in history.orders:
        if order["step"] == "payment_due" and order["id"] not in lost:
            yield f"{order['id']} has its payment due, though its authorisation stood and no capture was refused"
    for count, status in history.claims.counts.items():
        applied = history.world.witness.counts[count]
        if applied > 1 or (status == 200 and not applied) or (status in (409, 412, 422) and applied):
            yield f"the count of {count} was answered {status}, and applied {applied} times"
    for number, status in history.claims.corrections.items():
        applied = history.world.witness.typed[number]
        # One whose answer was lost is refused when it comes again over the next one's.
        if applied > 1 or (status == 200 and not applied) or (status in (404, 409) and applied):
            yield f"the correction to {number} was answered {status}, and applied {applied} times"
    yield from _announced_otherwise(history)


def _not_forgotten(history: History) -> Iterator[str]:
    """Where something stands of whom it was wished of, or nothing of whom it wasn't."""
    for order in history.orders:
        of = order["id"]
        shipments = (each for each in history.world.documents("shipping", "shipment") if each["orderId"] == of)
        told = [each["shippingAddress"] for each in (order, *shipments) if each["shippingAddress"]]
        marks = [each["name"] == FORGOTTEN for each in told] + [order["email"] == FORGOTTEN]
        if set(marks) != {order["customerId"] in history.claims.forgotten}:
            yield f"of {of} of {order['customerId']} stands {told}"


def _said_to_differ(history: History) -> Iterator[str]:
    """Where operations told of what was not so, or not any more: all agree, but what was lost on its way to
    operations, and what the provider let go while the warehouse was waited for."""
    lapsed = {each["order"] for each in history.world.provider.intents.values() if each["lapsed"]}
    for line in history.told.lines:
        if not UNHEARD.match(line) and line.split(":")[1].strip() not in lapsed | history.claims.taken_by_hand:
            yield line
    yield from (str(each) for each in history.world.documents("operations", "disagreement"))
    events = defaultdict[str, list[Document]](list)
    for each in history.world.documents("operations", "event"):
        events[each["orderId"]].append(each)
    for order in history.orders:
        end = {"Order" + order["step"].title().replace("_", ""), "OrderPlaced"}
        heard = events[order["id"]]
        missing = end - {each["name"] for each in heard}
        if missing and not _cannot_know(history, order, heard):
            yield f"of {order['id']} operations never heard {missing}"


def _cannot_know(history: History, order: Document, heard: list[Document]) -> bool:
    """Whether all that operations hasn't heard of an order got lost on its way there, and when the order ended it was
    looked at no more."""
    lost = {event for queue, event in history.world.host.lost if queue == "operations"}
    unheard = _announced(history, order["id"]) - {each["eventId"] for each in heard}
    return unheard <= lost and order["settledAt"] is not None and _after_all_looks(history, order, heard)


def _after_all_looks(history: History, order: Document, heard: list[Document]) -> bool:
    """Whether it ended when operations didn't look at it any more, as it does before the last that it has heard leaves
    the window."""
    last = max((each["_ts"] for each in heard), default=0)
    window = history.world.operations.window.total_seconds()
    looked_from = last + window * (1 - 1 / RUNS) - history.scenario.apart
    return datetime.fromisoformat(order["settledAt"]).timestamp() >= looked_from


def _announced(history: History, order_id: str) -> set[str]:
    """The ids of the events that told of an order."""
    sent = (wire for to, wire in history.world.broker.sent if to.endswith("-events"))
    return {str((wire.properties or {})["cloudEvents_id"]) for wire in sent if wire.correlation_id == order_id}


def _not_seen_to(history: History) -> Iterator[str]:
    """Where what was parked wasn't seen to once, or its replay wasn't sent."""
    entries = [each for context in CONTEXTS for each in history.world.documents(context, "audit")]
    ends = [each["after"] for each in entries if each["target"]["kind"] == "parked"]
    if len(ends) != history.world.witness.parked:
        yield f"{history.world.witness.parked} messages were parked, and {len(ends)} of them seen to"
    sent = {wire.id for _, wire in history.world.broker.sent}
    yield from (f"{each} was never sent" for each in ends if each.get("messageId", "") not in sent | {""})


def _announced_otherwise(history: History) -> Iterator[str]:
    """Shipments of which what was announced of dispatch and corrections, in the order of their numbers, doesn't end
    at what is stored."""
    announced: dict[str, dict[int, Document]] = defaultdict(dict)
    for _, wire in history.world.broker.sent:
        if name_of(wire) in ("ShipmentDispatched", "ShipmentCorrected"):
            announced[wire.correlation_id][data_of(wire).get("number", 0)] = data_of(wire)
    for shipment in history.world.documents("shipping", "shipment"):
        told, is_dispatched = announced[shipment["orderId"]], shipment["state"] == "dispatched"
        if sorted(told) != [*range(shipment["corrections"] + 1 if is_dispatched else 0)]:
            yield f"{shipment['id']} was corrected {shipment['corrections']} times, and announced as {sorted(told)}"
        elif told and any(told[max(told)][name] != shipment[name] for name in ("carrier", "trackingNumber")):
            yield f"{shipment['id']} is not what was announced of it last"
