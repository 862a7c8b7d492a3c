"""Sending outstanding commands again, and giving up on what took too long."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import batched

from services.orders import domain, messages
from services.orders.handlers import Dependencies, commit, get_order
from services.orders.process import Trigger
from shared import metrics
from shared.concurrency import AT_A_TIME, for_each
from shared.errors import Contended, Transient
from shared.telemetry import log, log_event, span

PAGE = 200


class Resending:
    """The runs of one process. One for which time didn't suffice leaves its place to the next."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._place: tuple[str, str] | None = None

    async def run(self) -> int:
        """Look at each order that is due now once, sixteen at a time, longest due first; how many were looked at.

        One that fails holds up no other, and is due again the next time. A run that ends for want of time is gone on
        with by the next, so that orders whose partition hangs don't starve those behind them: the longest due ones come
        again after the last. Raises what the search for due orders raises.
        """
        deps = self._deps
        now = deps.system.now()
        looked_at = 0
        while due := await deps.orders.due(now, self._place, PAGE):
            for some in batched(due, AT_A_TIME, strict=False):
                if deps.system.now() - now > deps.timeouts.resend_run:
                    log.warning("the time for sending again is over: what is left is for the next run")
                    return looked_at
                await for_each((order_id for _, order_id in some), partial(self._look, now))
                looked_at += len(some)
                self._place = some[-1]
        self._place = None
        return looked_at

    async def _look(self, now: datetime, order_id: str) -> None:
        with span("look at an order", order_id=order_id):
            try:
                await _resend(order_id, now, self._deps)
            except (Transient, Contended) as failure:
                log.warning("not sent again this time: %r", failure)
            except Exception:  # noqa: BLE001 - logged, and due again: the others are not to wait for its repair
                log.exception("sending again failed")


async def _resend(order_id: str, now: datetime, deps: Dependencies) -> None:
    order = await get_order(order_id, None, deps)
    if order.resend_at is None or order.resend_at > now:
        return
    metrics.WAITING.record((now - order.since).total_seconds(), step=order.step)
    if order.give_up_at and order.give_up_at <= now:
        change = domain.react(order, Trigger.GIVE_UP, now, deps.timeouts)
        assert change
        log.warning("given up while %s", order.step)
        await commit(change, deps)
        return
    change = domain.resent(order, now, deps.timeouts)
    first = messages.first_of(change, now)
    unpublished = await deps.orders.unpublished(order_id, first)
    lost = tuple(send for send, message in zip(change.sends, first, strict=True) if message.id not in unpublished)
    if not lost:
        log.info("not sent again: the first copy is still in the outbox")
        return
    if domain.is_overdue(order, now):
        log_event("order_overdue", "the order has been %s for over an hour", order.step)
    await deps.orders.save(change.order, messages.sent_again(replace(change, sends=lost), now, deps.system))
