"""What is said was committed, once, and isn't forgotten before it was said; and every command is answered."""

from datetime import datetime, timedelta

from shared.ports import Document, WireMessage
from simulation.incarnation import INCARNATION
from simulation.witness.notes import DELIVERY, SWEEP_BEGAN, Delivery, Notes, data_of, name_of

_UNDONE_ANYWAY = {
    "StockReleased": ("inventory", "decision", "rejected"),
    "PaymentVoided": ("payments", "payment", "declined"),
}
"""Facts that were never committed where these are, for they go without saying."""
_ANSWERS = {
    "ReserveStock": {"StockReserved", "StockRejected"},
    "ReleaseStock": {"StockReleased"},
    "CommitStock": {"StockCommitted"},
    "AuthorisePayment": {"PaymentAuthorised", "PaymentDeclined"},
    "VoidPayment": {"PaymentVoided"},
    "CapturePayment": {"PaymentCaptured", "PaymentNotCaptured"},
    "CreateShipment": {"ShipmentCreated", "ShipmentDispatched"},
    "CancelShipment": {"ShipmentCancelled", "ShipmentDispatched"},
}
_DECIDES = {"inventory": "decision", "payments": "payment", "shipping": "shp_{}"}
_OVERTAKEN = {
    "ReserveStock": {"releasing", "released"},
    "AuthorisePayment": {"voiding", "voided"},
    "CreateShipment": {"cancelled"},
}
"""In these states of what decides, the command is answered no more."""

_ATTEMPT = "orderflow_attempt"


class Messages:
    """The outboxes, and what the broker takes."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._stored: dict[str, Document] = {}
        """Every outbox document that there ever was, by message id."""
        self._accepted: set[str] = set()
        self._said_last: dict[tuple[str, str], int] = {}
        self._cleared: dict[str, int] = {}
        self._successors: dict[str, str] = {}

    def stored(self, document: Document) -> None:
        """A message was put into an outbox."""
        id, pk, message = document["id"], document["pk"], document["message"]
        if id in self._stored:
            self._notes.wrong.append(f"{message['type']} is to be sent again under its old message id, {id}")
        if id != message["eventId"] and message["eventId"] in self._notes.partition("orders", pk):
            self._notes.wrong.append(f"{message['type']} for {pk} is sent again though it is still in the outbox")
        self._stored[id] = document

    def cleared(self, id: str) -> None:
        """It was taken out of it."""
        if id not in self._accepted:
            self._notes.wrong.append(f"{self._stored[id]['message']['type']} was cleared before it was sent, {id}")
        self._cleared[id] = self._notes.writes

    def sent(self, message: WireMessage, *, later: bool) -> None:
        """The broker takes a message."""
        properties = message.properties or {}
        said, delivery = f"{name_of(message)} for {message.correlation_id}", DELIVERY.get()
        committed = self._stored.get(message.id) or self._stored.get(str(properties["cloudEvents_id"]))
        if committed is None:
            if not self._goes_without_saying(message):
                self._notes.wrong.append(f"{said} was sent, and never committed")
        elif not later and _ATTEMPT not in properties and committed["message"]["data"] != data_of(message):
            self._notes.wrong.append(f"{said} says something else than what was committed")
        if delivery and self._cleared.get(message.id, self._notes.writes) < delivery.began:
            self._notes.wrong.append(f"{said} was sent again under its old message id")
        if delivery and later:
            delivery.is_postponed = True
            if self._successors.setdefault(delivery.message.id, message.id) != message.id:
                self._notes.wrong.append(f"{said} is to be tried again twice")
            if properties.get("orderflow_strikes") and message.correlation_id not in self._notes.excused:
                self._notes.wrong.append(f"{said} met a broken promise, or a fault of ours")
        self._accepted.add(message.id)
        self._said_last[message.correlation_id, name_of(message)] = self._notes.writes

    def went_later(self, message: WireMessage) -> None:
        """It is to be tried again, and not since it waits for units that other orders hold."""
        order_id, who = message.correlation_id, INCARNATION.get()
        waits = name_of(message) == "CustomerForgotten" or order_id in self._notes.excused
        if who and not who.was_struck and not waits:
            self._notes.wrong.append(f"{name_of(message)} for {order_id} went later, though every answer was clear")

    def completed(self, context: str, delivery: Delivery) -> None:
        """A message was handled without a failure; a command of orders' has an answer then, others need none."""
        name = name_of(delivery.message)
        order_id = delivery.message.correlation_id
        if name not in _ANSWERS or delivery.is_postponed or order_id in self._notes.excused:
            return
        if not self._is_answered(context, delivery):
            self._notes.wrong.append(f"{name} for {order_id} was completed without an answer")

    def sent_again(self, order_id: str) -> int:
        """How many commands of an order are on their way to the broker, or went there since this sweep began."""
        cleared = (self._stored[id] for id, write in self._cleared.items() if write > SWEEP_BEGAN.get())
        sent = [*self._notes.partition("orders", order_id).values(), *(e for e in cleared if e["pk"] == order_id)]
        return sum(each.get("destination") in _DECIDES for each in sent)

    def _goes_without_saying(self, message: WireMessage) -> bool:
        context, id, state = _UNDONE_ANYWAY.get(name_of(message), ("orders", "", ""))
        document = self._notes.partition(context, message.correlation_id).get(id)
        return document is not None and document["state"] == state

    def _is_answered(self, context: str, delivery: Delivery) -> bool:
        """Whether the command was, or need not be: its order has undone it, has given up, or sends it once more."""
        name, order_id = name_of(delivery.message), delivery.message.correlation_id
        if any(self._said_last.get((order_id, each), -1) >= delivery.began for each in _ANSWERS[name]):
            return True
        partition = self._notes.partition(context, order_id)
        outbox = (each["message"]["type"] for each in partition.values() if each["kind"] == "outbox")
        if any(type.split(".")[2] in _ANSWERS[name] for type in outbox):
            return True
        decides = partition.get(_DECIDES[context].format(order_id))
        # It may have given up while this copy was frozen.
        given_up = delivery.has_given_up(self._notes.now(context))
        if given_up or (decides and decides["state"] in _OVERTAKEN.get(name, ())):
            return True
        properties = delivery.message.properties or {}
        next_attempt = self._notes.now(context) + timedelta(seconds=2 * 2 ** int(str(properties.get(_ATTEMPT, 0))))
        # What a person replays is sent again by nobody else.
        resend = properties.get("orderflow_retryUntil")
        return resend is not None and next_attempt >= datetime.fromisoformat(str(resend))
