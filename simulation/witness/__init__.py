"""What an onlooker sees of every write, message and movement of money, whatever the contexts believe.

The invariants of `local.verify` hold once all is over; those here hold at each moment. Each is a rule of the process
that the stored documents show by themselves, without the code that keeps it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.ports import Create, Delete, Document, Operation, Patch, Replace, WireMessage
from shared.texts import FORGOTTEN
from simulation.witness.messages import Messages
from simulation.witness.money import Money
from simulation.witness.notes import DELIVERY, SWEEP_BEGAN, Delivery, Notes
from simulation.witness.orders import Orders
from simulation.witness.stock import Stock

if TYPE_CHECKING:
    from simulation.world import World

__all__ = ["DELIVERY", "SWEEP_BEGAN", "Delivery", "Witness"]

_FINAL = {
    "order": {"completed", "payment_due", "cancelled", "rejected"},
    "payment": {"declined", "voided", "captured", "not_captured"},
    "shipment": {"dispatched", "cancelled"},
    "decision": {"rejected", "released", "committed"},
    "reservation": {"released", "committed"},
}

_UNDONE = {"payment": {"voided"}, "shipment": {"cancelled"}, "reservation": {"released"}}


class Witness:
    """Sees everything, and tells the parts that know what to make of it."""

    def __init__(self, world: "World") -> None:
        self._notes = Notes(world)
        self._messages = Messages(self._notes)
        self._orders = Orders(self._notes, self._messages)
        self.money = Money(self._notes, self._orders)
        self.stock = Stock(self._notes, self._orders)
        self.counts: Counter[int] = Counter()
        """How often each count of stock was applied."""
        self.typed: Counter[str] = Counter()
        """How often each tracking number was."""
        self.tombstones = 0
        """How often something was written so that what comes late finds it undone."""
        self.parked = 0
        """How often a message was parked."""

    @property
    def excused(self) -> set[str]:
        """Orders of which somebody broke a promise by hand: their messages may meet that, and be parked."""
        return self._notes.excused

    @property
    def wrong(self) -> list[str]:
        """What it saw that must never be."""
        return self._notes.wrong

    @property
    def writes(self) -> int:
        """How many there were."""
        return self._notes.writes

    def wrote(self, context: str, pk: str, operations: Sequence[Operation], before: Sequence[Document | None]) -> None:
        """A batch was written; `before` has what each of its documents was."""
        self._notes.writes += 1
        self._notes.note_act()
        written: list[tuple[Document | None, Document]] = []
        for operation, was in zip(operations, before, strict=True):
            match operation:
                case Delete(id) if was and was["kind"] == "outbox":
                    self._messages.cleared(id)
                case Delete():
                    pass
                case Patch(id, _, _):
                    written.append((was, self._notes.partition(context, pk)[id]))
                case Create(document) | Replace(document):
                    written.append((was, document))
                    if document["kind"] == "stock":
                        self.counts[document["onHand"]] += 1
        for was, now in written:
            self._changed(was, now)
        if pk.startswith("sku:"):
            self.stock.changed(pk.removeprefix("sku:"))

    def _changed(self, was: Document | None, now: Document) -> None:
        if was and _is_forgotten(was, now):
            return
        if was and _state(was) in _FINAL.get(was["kind"], ()) and not _is_corrected(was, now):
            self._notes.wrong.append(f"{now['id']} of {now['pk']} was {_state(was)}, its end, and written after it")
        if was and now.get("version", 2) < was.get("version", 1) + (now["kind"] != "price"):
            self._notes.wrong.append(f"{now['id']} of {now['pk']} was changed as of a version that is past")
        if now["kind"] == "shipment" and now["trackingNumber"]:
            self.typed[now["trackingNumber"]] += 1
        self.tombstones += was is None and _state(now) in _UNDONE.get(now["kind"], ())
        match now["kind"]:
            case "outbox":
                self._messages.stored(now)
            case "parked":
                self.parked += was is None
            case "order":
                self._orders.changed(was, now)
                if was is None:
                    self.stock.wanted(now)
            case "payment":
                self.money.changed(now)
            case "decision":
                self.stock.decided(now)
            case "reservation":
                self.stock.reserved(now)

    def sent(self, message: WireMessage, *, later: bool) -> None:
        """The broker takes a message, to be delivered later or at once."""
        self._notes.note_act()
        self._messages.sent(message, later=later)
        if later and (delivery := DELIVERY.get()) and not self.stock.waits_for_stock(delivery, message):
            self._messages.went_later(message)

    def completed(self, queue: str, delivery: Delivery) -> None:
        """A message was handled, or parked, without a failure."""
        if queue.endswith("-dead"):
            return
        if queue == "orders":
            self._orders.completed(delivery)
        elif not queue.startswith("orders"):
            self._messages.completed(queue, delivery)


def _is_corrected(was: Document, now: Document) -> bool:
    """Whether of a shipment only that has changed which may be put right."""
    right = {name: now.get(name) for name in ("carrier", "trackingNumber")}
    return now["kind"] == "shipment" and now == {
        **{name: value for name, value in was.items() if name not in ("_etag", "_ts")},
        **right,
        "corrections": was["corrections"] + 1,
    }


def _is_forgotten(was: Document, now: Document) -> bool:
    """Whether of an order or shipment only what told of its customer has changed, at its end."""
    personal = {"shippingAddress", "email", "requestHash", "forgottenAt", "version", "_etag", "_ts"}
    kept = [{name: value for name, value in each.items() if name not in personal} for each in (was, now)]
    is_marked = (now.get("shippingAddress") or {}).get("name") == FORGOTTEN
    return is_marked and was["shippingAddress"] != now["shippingAddress"] and kept[0] == kept[1]


def _state(document: Document) -> str | None:
    state: str | None = document["step"] if document["kind"] == "order" else document.get("state")
    return state
