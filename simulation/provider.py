"""The payment provider in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from services.payments.domain import DeclineCode, Intent, IntentStatus, Listed, Refusal, RefusedByProvider


class MemoryProvider:
    """services.payments.ports.Provider in memory, with a ledger of money's movements."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.now: Callable[[], datetime] = lambda: datetime(2026, 11, 24, 6, tzinfo=UTC)
        self.authorised_until: datetime | None = None
        """What every confirmation says."""
        self._movements = 0

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        if payment_method == "pm_unknown":
            raise RefusedByProvider(Refusal(DeclineCode.UNKNOWN_PAYMENT_METHOD, "resource_missing"))
        id = f"pi_{len(self.intents) + 1}"
        status = IntentStatus.UNCONFIRMED
        intent = {"order": order_id, "amount": amount, "currency": currency, "method": payment_method, "status": status}
        intent |= {"movements": [], "confirmations": 0, "lapsed": False, "created": self.now().replace(microsecond=0)}
        self.intents[id] = intent
        return Intent(id, status)

    async def look(self, intent_id: str) -> Intent:
        intent = self.intents[intent_id]
        held = intent["amount"] if intent["status"] is IntentStatus.HELD else 0
        return Intent(intent_id, intent["status"], held=held, captured=intent.get("captured", 0))

    async def created(self, since: datetime, until: datetime, after: str | None, most: int) -> list[Listed]:
        newest = [id for id in reversed(self.intents) if since <= self.intents[id]["created"] <= until]
        behind = newest[newest.index(after) + 1 :] if after else newest
        looks = [(await MemoryProvider.look(self, id), self.intents[id]) for id in behind[:most]]
        return [Listed(look, intent["currency"], intent["order"], intent["created"]) for look, intent in looks]

    async def confirm(self, intent_id: str) -> Intent:
        intent = self.intents[intent_id]
        if intent["status"] in (IntentStatus.UNCONFIRMED, IntentStatus.DECLINED):
            declined = "Declined" in intent["method"] or ("flaky" in intent["method"] and not intent["confirmations"])
            intent["confirmations"] += 1
            intent["status"] = IntentStatus.DECLINED if declined else IntentStatus.HELD
            if not declined:
                self._move(intent, "hold")
        if intent["status"] is IntentStatus.DECLINED:
            return Intent(intent_id, IntentStatus.DECLINED, refusal=Refusal(DeclineCode.CARD_DECLINED, "declined"))
        return Intent(intent_id, intent["status"], self.authorised_until)

    async def capture(self, intent_id: str, amount: int) -> Intent:
        intent = self.intents[intent_id]
        if intent["status"] is IntentStatus.HELD and "captureRefused" in intent["method"]:
            return Intent(intent_id, IntentStatus.HELD, refusal=Refusal(DeclineCode.CARD_DECLINED, "generic_decline"))
        if intent["status"] is IntentStatus.HELD:
            intent |= {"status": IntentStatus.CAPTURED, "captured": amount}
            self._move(intent, "capture")
        return Intent(intent_id, intent["status"])

    async def cancel(self, intent_id: str) -> Intent:
        intent = self.intents[intent_id]
        if intent["status"] is IntentStatus.HELD:
            self._move(intent, "release")
        if intent["status"] is not IntentStatus.CAPTURED:
            intent["status"] = IntentStatus.CANCELLED
        return Intent(intent_id, intent["status"])

    def held_for(self, order_id: str) -> str | None:
        """The intent that holds money for an order."""
        held = (id for id, each in self.intents.items() if each["order"] == order_id and each["status"] == "held")
        return next(held, None)

    def take_by_hand(self, intent_id: str) -> None:
        """Somebody captures it, on the provider's own page."""
        intent = self.intents[intent_id]
        intent |= {"status": IntentStatus.CAPTURED, "captured": intent["amount"]}

    def give_back(self, order_id: str) -> None:
        """What was taken so is as if it had not been."""
        for intent in self.intents.values():
            if intent["order"] == order_id and intent["status"] is IntentStatus.CAPTURED:
                intent |= {"status": IntentStatus.HELD, "captured": 0}

    def lapse(self) -> None:
        """Every authorisation lapses."""
        for intent in self.intents.values():
            if intent["status"] is IntentStatus.HELD:
                intent |= {"status": IntentStatus.CANCELLED, "lapsed": True}
                self._move(intent, "release")

    def _move(self, intent: dict[str, Any], kind: str) -> None:
        self._movements += 1
        intent["movements"].append({"seq": self._movements, "kind": kind, "amount": intent["amount"]})
