"""The stored intent alone is ever confirmed, not blindly, and a payment is over when its intent is."""

from services.payments.domain import IntentStatus
from shared.ports import Document
from simulation.witness.notes import DELIVERY, Notes
from simulation.witness.orders import Orders

_INTENT_IS = {
    "declined": IntentStatus.CANCELLED,
    "voided": IntentStatus.CANCELLED,
    "not_captured": IntentStatus.CANCELLED,
    "captured": IntentStatus.CAPTURED,
}
_LETTING_GO = {"declining", "voiding", "declined", "voided"}


class Money:
    """The payments, and what the provider is asked."""

    def __init__(self, notes: Notes, orders: Orders) -> None:
        self._notes = notes
        self._orders = orders

    def changed(self, payment: Document) -> None:
        """A payment was made, or changed."""
        wanted = _INTENT_IS.get(payment["state"])
        if wanted and payment["intentId"]:
            found = self._notes.world.provider.intents[payment["intentId"]]["status"]
            if found is not wanted:
                self._notes.wrong.append(f"{payment['orderId']}: its payment is {payment['state']}, its intent {found}")

    def to_create(self, order_id: str) -> None:
        """The provider is about to create an intent."""
        self._orders.act_for(order_id, "authorising_payment", "an intent was created")

    def told_of(self, intent_id: str) -> None:
        """The provider said what an intent is."""
        if delivery := DELIVERY.get():
            delivery.knows.add(intent_id)

    def to_change(self, how: str, intent_id: str) -> None:
        """The provider is about to confirm, capture or cancel an intent."""
        order_id = self._notes.world.provider.intents[intent_id]["order"]
        payment = self._notes.partition("payments", order_id).get("payment") or {"state": None, "intentId": None}
        delivery, is_dispatched = DELIVERY.get(), self._notes.is_dispatched(order_id)
        if payment["intentId"] != intent_id:
            self._notes.wrong.append(f"{order_id}: to {how} an intent that is not the stored one")
        if how == "confirm" and delivery and intent_id not in delivery.knows:
            self._notes.wrong.append(f"{order_id}: its intent was confirmed without a look at it")
        if how == "capture" and not is_dispatched:
            self._notes.wrong.append(f"{order_id}: captured before it was dispatched")
        if how == "cancel" and payment["state"] not in _LETTING_GO and not is_dispatched:
            self._notes.wrong.append(
                f"{order_id}: its intent was cancelled before that was decided, {payment['state']}"
            )
