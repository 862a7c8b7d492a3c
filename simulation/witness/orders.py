"""What an order waits for isn't passed over, its first reason stands, and what is sent again is all that is due."""

from datetime import datetime

from shared.ports import Document
from simulation.witness.messages import Messages
from simulation.witness.notes import DELIVERY, Delivery, Notes, name_of

_AWAITED = {
    "reserving_stock": {"StockReserved", "StockRejected"},
    "authorising_payment": {"PaymentAuthorised", "PaymentDeclined"},
    "awaiting_dispatch": {"ShipmentDispatched"},
    "recalling": {"ShipmentCancelled", "ShipmentDispatched"},
}
_REPLIES = {
    "undoing": {"stock": {"StockReleased"}, "payment": {"PaymentVoided"}},
    "settling": {"stock": {"StockCommitted"}, "payment": {"PaymentCaptured", "PaymentNotCaptured"}},
}
"""The facts that move an order on at each step; where it waits for several replies, for each."""


class Orders:
    """The orders, and what is done for them."""

    def __init__(self, notes: Notes, messages: Messages) -> None:
        self._notes = notes
        self._messages = messages
        self._gives_up: dict[tuple[str, str], datetime] = {}

    def changed(self, was: Document | None, now: Document) -> None:
        """An order was placed, or changed."""
        order_id = now["id"]
        if now["giveUpAt"]:
            self._gives_up[order_id, now["step"]] = datetime.fromisoformat(now["giveUpAt"])
        if was is None:
            return
        if was["reason"] not in (None, now["reason"]) and now["step"] != "settling":
            self._notes.wrong.append(f"{order_id} changed its reason, {was['reason']}, to {now['reason']}")
        if now["chases"] > was["chases"] and self._messages.sent_again(order_id) < max(1, len(now["waitingFor"])):
            self._notes.wrong.append(f"{order_id} was sent again, but not all that is due while {now['step']}")

    def completed(self, delivery: Delivery) -> None:
        """A fact was handled without a failure."""
        order_id, fact = delivery.message.correlation_id, name_of(delivery.message)
        order = self._notes.partition("orders", order_id).get(order_id)
        if order is None or delivery.has_acted:
            return
        replies = _REPLIES.get(order["step"], {})
        if fact in _AWAITED.get(order["step"], set()).union(*(replies[reply] for reply in order["waitingFor"])):
            self._notes.wrong.append(f"{order_id} waits for {fact}, which was passed over while {order['step']}")

    def act_for(self, order_id: str, step: str, act: str) -> None:
        """Something is done for an order at that step: a command that began after it had given up does nothing."""
        delivery, gives_up_at = DELIVERY.get(), self._gives_up.get((order_id, step))
        if delivery and gives_up_at and gives_up_at <= delivery.at:
            self._notes.wrong.append(f"{order_id}: {act} for it after it had given up")
