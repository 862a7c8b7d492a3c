"""What an onlooker sees of every write, message and movement of money, whatever the contexts believe.

The invariants of `local.verify` hold once all is over; those here hold at each moment. Each is a rule of the process
that the stored documents show by themselves, without the code that keeps it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from services.payments.domain import IntentStatus
from shared.ports import Create, Delete, Document, Operation, Patch, Replace, WireMessage

if TYPE_CHECKING:
    from tests.unit.world import World

_FINAL = {
    "order": {"completed", "payment_due", "cancelled", "rejected"},
    "payment": {"declined", "voided", "captured", "not_captured"},
    "shipment": {"dispatched", "cancelled"},
    "decision": {"rejected", "released", "committed"},
    "reservation": {"released", "committed"},
}
_LINES_ARE = {"reserved": "active", "rejected": "released", "released": "released", "committed": "committed"}
"""What every line's reservation is when a decision comes to one of these states."""
_INTENT_IS = dict.fromkeys(("declined", "voided", "not_captured"), IntentStatus.CANCELLED) | {
    "captured": IntentStatus.CAPTURED
}
_UNDONE_ANYWAY = {
    "StockReleased": ("inventory", "decision", "rejected"),
    "PaymentVoided": ("payments", "payment", "declined"),
}
_LETTING_GO = {"declining", "voiding", "declined", "voided"}
_COMMANDS = {"inventory", "payments", "shipping"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """The handling of one message. `began`: after so many writes; `at`: by the clock of the context that handles it."""

    message: WireMessage
    began: int
    at: datetime

    @property
    def short_since(self) -> datetime | None:
        """When this command to reserve first found a line short."""
        return self._moment("shortSince")

    @property
    def is_past_its_time(self) -> bool:
        """Whether its order had given up before."""
        gives_up_at = self._moment("giveUpAt")
        return gives_up_at is not None and gives_up_at <= self.at

    def _moment(self, name: str) -> datetime | None:
        moment = json.loads(self.message.body).get(name)
        return datetime.fromisoformat(moment) if moment else None


DELIVERY: ContextVar[Delivery | None] = ContextVar("delivery", default=None)
"""What the code that runs is handling; None in a request, a sweep or a test."""


class Spans:
    """Since when something is so of some orders, and until when it was; in numbers of writes."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], int] = {}
        self._until: dict[str, int] = {}

    def note(self, order_id: str, sku: str, write: int, *, is_so: bool) -> None:
        """So it is by now of this line."""
        if is_so:
            self._since.setdefault((order_id, sku), write)
        elif self._since.pop((order_id, sku), None) is not None:
            self._until[order_id] = write

    def ever(self, order_id: str, since: int = 0) -> bool:
        """Whether it was so of any line at any time since."""
        return self._until.get(order_id, -1) >= since or any(order == order_id for order, _ in self._since)

    def throughout(self, order_id: str, since: int) -> bool:
        """Whether it has been so of one line all the time since."""
        return any(order == order_id and began < since for (order, _), began in self._since.items())

    def now(self) -> Iterator[tuple[str, str]]:
        """The orders and SKUs of which it is so."""
        return iter(self._since)


class Witness:
    """Sees everything; `wrong` is what it saw that must never be."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.wrong: list[str] = []
        self.counts: Counter[int] = Counter()
        """How often each count of stock was applied."""
        self.later: list[WireMessage] = []
        """What was to be tried again, but for commands that waited for units which other orders held."""
        self.waited: set[str] = set()
        """The orders of those commands."""
        self.longest_wait = timedelta(0)
        """How long one had waited when it was to wait once more."""
        self.writes = 0
        self._stored: dict[str, Document] = {}
        """Every outbox document that there ever was, by message id."""
        self._accepted: set[str] = set()
        self._cleared: dict[str, int] = {}
        self._successors: dict[str, str] = {}
        self._gives_up: dict[tuple[str, str], datetime] = {}
        self._wanted: dict[str, dict[str, int]] = defaultdict(dict)
        """Every order's quantity, by SKU."""
        self._short, self._hopeless = Spans(), Spans()

    def wrote(self, context: str, pk: str, operations: Sequence[Operation], before: Sequence[Document | None]) -> None:
        """A batch was written; `before` has what each of its documents was."""
        self.writes += 1
        partition = self._world.containers[context].partition(pk)
        for operation, was in zip(operations, before, strict=True):
            match operation:
                case Delete(id):
                    self._cleared_from_outbox(id)
                    continue
                case Patch(id, _, _):
                    now = partition[id]
                case Create(document) | Replace(document):
                    now = document
                    if document["kind"] == "stock":
                        self.counts[document["onHand"]] += 1
            if was and _state(was) in _FINAL.get(was["kind"], ()):
                self.wrong.append(f"{pk} was written after its end: {now['id']} was {_state(was)}")
            match now["kind"]:
                case "outbox":
                    self._put_into_outbox(now, partition)
                case "order":
                    self._changed_order(was, now, partition)
                case "payment":
                    self._changed_payment(now)
                case "decision":
                    self._changed_decision(was, now)
                case "reservation":
                    self._changed_reservation(was, now)
        if pk.startswith("sku:"):
            self._changed_stock(pk.removeprefix("sku:"), partition)

    # Outbox and broker: what is said was committed, once, and isn't forgotten before it was said.

    def _put_into_outbox(self, document: Document, partition: Mapping[str, Document]) -> None:
        id, message = document["id"], document["message"]
        if id in self._stored:
            self.wrong.append(f"{message['type']} is to be sent again under its old message id, {id}")
        if id != message["eventId"] and message["eventId"] in partition:
            self.wrong.append(f"{message['type']} for {document['pk']} is sent again though it is still in the outbox")
        self._stored[id] = document

    def _cleared_from_outbox(self, id: str) -> None:
        if id not in self._accepted:
            self.wrong.append(f"{self._stored[id]['message']['type']} was cleared before it was sent, {id}")
        self._cleared[id] = self.writes

    def sent(self, message: WireMessage, *, later: bool) -> None:
        """The broker takes a message."""
        properties = message.properties or {}
        said = f"{properties['cloudEvents_type']} for {message.correlation_id}"
        committed = self._stored.get(message.id) or self._stored.get(str(properties["cloudEvents_id"]))
        delivery = DELIVERY.get()
        if committed is None:
            if not self._goes_without_saying(message):
                self.wrong.append(f"{said} was sent, and never committed")
        elif not later and "orderflow_attempt" not in properties and committed["message"]["data"] != _data(message):
            self.wrong.append(f"{said} says something else than what was committed")
        if delivery and self._cleared.get(message.id, self.writes) < delivery.began:
            self.wrong.append(f"{said} was sent again under its old message id")
        if delivery and later:
            if self._successors.setdefault(delivery.message.id, message.id) != message.id:
                self.wrong.append(f"{said} is to be tried again twice")
            if not self._waits_for_stock(delivery, message):
                self.later.append(message)
        self._accepted.add(message.id)

    def _goes_without_saying(self, message: WireMessage) -> bool:
        """What was rejected or declined answers, when it is to be undone, that it is."""
        fact = str((message.properties or {})["cloudEvents_type"]).split(".")[2]
        context, id, state = _UNDONE_ANYWAY.get(fact, ("orders", "", ""))
        document = self._world.containers[context].partition(message.correlation_id).get(id)
        return document is not None and document["state"] == state

    # Orders: the first reason stands, and what is sent again is all that is due.

    def _changed_order(self, was: Document | None, now: Document, partition: Mapping[str, Document]) -> None:
        order_id = now["id"]
        if now["giveUpAt"]:
            self._gives_up[order_id, now["step"]] = datetime.fromisoformat(now["giveUpAt"])
        if was is None:
            for line in now["lines"]:
                self._wanted[line["sku"]][order_id] = line["quantity"]
                self._changed_stock(line["sku"], self._world.containers["inventory"].partition(f"sku:{line['sku']}"))
            return
        if was["reason"] not in (None, now["reason"]) and now["step"] != "settling":
            self.wrong.append(f"{order_id} changed its reason, {was['reason']}, to {now['reason']}")
        if now["chases"] > was["chases"]:
            due = sum(1 for each in partition.values() if each.get("destination") in _COMMANDS)
            if due < max(1, len(now["waitingFor"])):
                self.wrong.append(f"{order_id} was sent again, but not all that is due while {now['step']}")

    # Payments: the stored intent alone is ever confirmed, and a payment is over when its intent is.

    def _changed_payment(self, payment: Document) -> None:
        wanted = _INTENT_IS.get(payment["state"])
        if wanted and payment["intentId"]:
            found = self._world.provider.intents[payment["intentId"]]["status"]
            if found is not wanted:
                self.wrong.append(f"{payment['orderId']}: its payment is {payment['state']}, its intent {found}")

    def asked_provider(self, to: str, order_id: str, intent_id: str | None = None) -> None:
        """The provider is about to do something about an order's intent."""
        payment = self._world.containers["payments"].partition(order_id).get("payment")
        state = payment["state"] if payment else None
        if to != "create" and (payment is None or payment["intentId"] != intent_id):
            self.wrong.append(f"{order_id}: to {to} an intent that is not the stored one")
        match to:
            case "create":
                self._acts_for_living_order(order_id, "authorising_payment", "an intent was created")
            case "capture" if not self._is_dispatched(order_id):
                self.wrong.append(f"{order_id}: captured before it was dispatched")
            case "cancel" if state not in _LETTING_GO and not self._is_dispatched(order_id):
                self.wrong.append(f"{order_id}: its intent was cancelled before that was decided: {state}")

    def _is_dispatched(self, order_id: str) -> bool:
        shipment = self._world.containers["shipping"].partition(order_id).get(f"shp_{order_id}")
        return bool(shipment and shipment["state"] == "dispatched")

    def _acts_for_living_order(self, order_id: str, step: str, what: str) -> None:
        """A command that began after its order had given up does nothing."""
        delivery, gives_up_at = DELIVERY.get(), self._gives_up.get((order_id, step))
        if delivery and gives_up_at and gives_up_at <= delivery.at:
            self.wrong.append(f"{order_id}: {what} for it after it had given up")

    # Stock: what is decided is so, none is rejected for what was there, and none waits for one that waits for it.

    def _changed_decision(self, was: Document | None, now: Document) -> None:
        order_id = now["orderId"]
        if state := _LINES_ARE.get(now["state"]):
            for line in now["lines"]:
                reservation = self._reservation(order_id, line["sku"]) or {"state": "not there", "quantity": 0}
                if (reservation["state"], reservation["quantity"]) != (state, line["quantity"]):
                    found = f"{reservation['quantity']} × {line['sku']} {reservation['state']}"
                    self.wrong.append(f"{order_id}: decided {now['state']}, with {found}")
        if now["state"] == "rejecting" and (delivery := DELIVERY.get()):
            if not self._short.ever(order_id, delivery.began):
                self.wrong.append(f"{order_id} was rejected for stock that was there")
            elif not self._hopeless.ever(order_id, delivery.began) and not self._has_waited(delivery):
                self.wrong.append(f"{order_id} was rejected without waiting for what others had set aside")

    def _changed_reservation(self, was: Document | None, now: Document) -> None:
        order_id, delivery = now["orderId"], DELIVERY.get()
        if now["state"] == "committed" and not self._is_dispatched(order_id):
            self.wrong.append(f"{order_id}: {now['sku']} was used up before it was dispatched")
        if now["state"] == "active" and delivery:
            self._acts_for_living_order(order_id, "reserving_stock", f"{now['sku']} was taken")
            if self._is_undecided(order_id) and self._hopeless.throughout(order_id, delivery.began):
                self.wrong.append(f"{order_id} took {now['sku']} though another of its lines can't be had")

    def _changed_stock(self, sku: str, partition: Mapping[str, Document]) -> None:
        item = partition.get("stock", {"onHand": 0, "available": 0})
        held = sum(each["quantity"] for each in partition.values() if each.get("state") == "active")
        if item["available"] < 0 or item["onHand"] - item["available"] != held:
            self.wrong.append(f"{sku}: {item['onHand']} on hand, {item['available']} available, and {held} set aside")
        for order_id, quantity in self._wanted[sku].items():
            holds = _holds(partition, order_id)
            self._short.note(order_id, sku, self.writes, is_so=not holds and item["available"] < quantity)
            self._hopeless.note(order_id, sku, self.writes, is_so=not holds and item["onHand"] < quantity)
        self._look_for_circles()

    def _look_for_circles(self) -> None:
        waits_for: dict[str, set[str]] = defaultdict(set)
        stock = self._world.containers["inventory"]
        undecided = {order for order, _ in self._short.now() if self._is_undecided(order)}
        for order_id, sku in self._short.now():
            if order_id in undecided:
                partition = stock.partition(f"sku:{sku}")
                waits_for[order_id] |= {other for other in undecided if _holds(partition, other)}
        try:
            TopologicalSorter(waits_for).prepare()
        except CycleError as circle:
            self.wrong.append(f"orders wait for one another: {circle.args[1]}")

    def _is_undecided(self, order_id: str) -> bool:
        return "decision" not in self._world.containers["inventory"].partition(order_id)

    def _reservation(self, order_id: str, sku: str) -> Document | None:
        return self._world.containers["inventory"].partition(f"sku:{sku}").get(f"res:{order_id}")

    def _has_waited(self, delivery: Delivery) -> bool:
        now = self._world.contexts["inventory"].system.now()
        since = delivery.short_since
        return since is not None and now - since >= self._world.inventory.stock_timeout

    def _waits_for_stock(self, delivery: Delivery, message: WireMessage) -> bool:
        """Whether the handler postponed its command for units of a short line that other orders hold."""
        since, order_id = _data(message).get("shortSince"), message.correlation_id
        if since is None or not self._short.ever(order_id, delivery.began):
            return False
        self.waited.add(order_id)
        self.longest_wait = max(self.longest_wait, delivery.at - (delivery.short_since or delivery.at))
        return True


def _state(document: Document) -> str | None:
    state: str | None = document["step"] if document["kind"] == "order" else document.get("state")
    return state


def _data(message: WireMessage) -> Document:
    data: Document = json.loads(message.body)
    return data


def _holds(partition: Mapping[str, Document], order_id: str) -> bool:
    reservation = partition.get(f"res:{order_id}")
    return reservation is not None and reservation["state"] == "active"
