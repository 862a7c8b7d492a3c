"""What payments' handlers need of the outside: the provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.payments.domain import Intent, Listed


class Provider(Protocol):
    """The payment provider. Every call may raise Unavailable or Throttled: it may have taken effect all the same.

    Refused for good, a change answers with `refusal`; refused for now, with the intent as it is."""

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        """A new intent, not confirmed: it holds no money. Raises RefusedByProvider."""
        ...

    async def look(self, intent_id: str) -> Intent:
        """The intent as it is now."""
        ...

    async def created(self, since: datetime, until: datetime, after: str | None, most: int) -> Sequence[Listed]:
        """So many of those created in this time, to the second, newest first, behind the intent of that id."""
        ...

    async def confirm(self, intent_id: str) -> Intent:
        """Have the money held; the intent as it is after that, whoever confirmed it. Refused for good: declined."""
        ...

    async def capture(self, intent_id: str, amount: int) -> Intent:
        """Take what is held; the intent as it is after that, whoever captured it."""
        ...

    async def cancel(self, intent_id: str) -> Intent:
        """Let go of what is held; the intent as it is after that, captured if that was first."""
        ...
