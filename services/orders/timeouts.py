"""How long an order waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.orders.process import Step


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an order waits. `first_resend` doubles up to `longest_resend`; a created shipment is asked for again
    every `dispatch_resend`. `reply` is how long stock and payment may take, `dispatch` how long the warehouse may: less
    than the life of an authorisation. `resend_run` is the time that one run of sending again may take: less than the
    minute between two runs, since the sweep of the outbox shares their timer. `retention` is how long after its placing
    an order that is final tells of its customer; zero is for ever."""

    first_resend: timedelta = timedelta(minutes=1)
    longest_resend: timedelta = timedelta(minutes=60)
    dispatch_resend: timedelta = timedelta(days=1)
    reply: timedelta = timedelta(hours=1)
    dispatch: timedelta = timedelta(days=6)
    resend_run: timedelta = timedelta(seconds=40)
    retention: timedelta = timedelta(0)

    def give_up_at(self, step: Step, now: datetime) -> datetime | None:
        """When a step that begins now is given up; None where it never is."""
        match step:
            case Step.RESERVING_STOCK | Step.AUTHORISING_PAYMENT:
                return now + self.reply
            case Step.AWAITING_DISPATCH:
                return now + self.dispatch
            case _:
                return None

    def resend_at(self, resends: int, now: datetime) -> datetime:
        """When what was just sent is sent again, after so many resends."""
        doubled: timedelta = self.first_resend * 2 ** min(resends, 16)
        return now + min(self.longest_resend, doubled)
