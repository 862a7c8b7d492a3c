"""How many orders one caller may place in a minute."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from services.orders.repositories import OrderCounts
from shared.errors import Refused, Transient
from shared.ports import System
from shared.telemetry import log

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many orders of one caller in each minute of the clock, over all instances; 0 is without a limit."""

    counts: OrderCounts
    system: System
    orders_per_minute: int

    async def admit(self, subject: str) -> None:
        """Count an order that is about to be placed. Refused with 429 where there were enough in this minute.

        A store that is away or busy stops nobody: an order is worth more than the limit.
        """
        if not self.orders_per_minute:
            return
        now = self.system.now()
        minute = now.replace(second=0, microsecond=0)
        try:
            within = await self.counts.count(subject, minute, self.orders_per_minute)
        except Transient as failure:
            log.warning("an order is placed uncounted: %s", failure)
            return
        if not within:
            raise Refused(
                429,
                "too-many-orders",
                "You place orders too fast.",
                f"One caller may place {self.orders_per_minute} in a minute: try again when the next begins.",
                headers={"Retry-After": str(ceil((minute + _MINUTE - now).total_seconds()))},
            )
