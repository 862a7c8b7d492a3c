"""Forgetting customers: at their wish, and by time. It is no step of an order's process, and is done order by order.

What is to be forgotten is stored first, and each sweep goes on with it until nothing is due. An order is forgotten in
one batch with the event by which the other contexts follow; one under way is left alone until it has ended.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from services.orders import domain
from services.orders.erasure import SURELY_STORED, Erasure, Placed
from services.orders.handlers import Dependencies
from services.orders.process import FINAL
from shared.audit import Actor, Recorded
from shared.codec import rfc3339
from shared.concurrency import for_each
from shared.contracts.customers import CustomerForgotten
from shared.errors import Contended, Transient, Unparseable
from shared.listing import keyset
from shared.messaging import Message, fact
from shared.telemetry import log, log_event, logged_with

RUN = timedelta(seconds=20)
"""How long one run of the sweep may take: less than the minute between two."""
MOST_DUE = 1000
"""So many that can't be forgotten yet are kept in mind; those behind them wait."""
_PAGE = 32
_OPEN = 100


async def orders_of(
    customer_id: str, after: tuple[datetime, str] | None, size: int, deps: Dependencies
) -> list[Placed]:
    """The next of all that a customer placed, oldest first, by keyset; the log says why one can't be read."""
    placed = await deps.orders.placed(customer_id, deps.system.now(), keyset(after), size)
    for each in placed:
        if isinstance(each.order, Unparseable):
            log_event("unreadable_document", "order %s can't be given out: %s", each.id, each.order)
    return placed


async def due_of(erasure: Erasure | None, deps: Dependencies) -> list[str]:
    """The customer's orders that are still to be forgotten, or the first of them."""
    if erasure is None:
        return []
    behind = await deps.orders.placed(erasure.customer_id, erasure.until, erasure.place, MOST_DUE)
    return list(dict.fromkeys([*erasure.due, *(each.id for each in behind if not each.is_forgotten)]))


async def forget_customer(customer_id: str, by: Actor, deps: Dependencies) -> Erasure:
    """Store that what the customer has ordered so far is to be forgotten; the sweep does it."""
    known = await deps.erasures.get(customer_id)
    if known and known.request_id == by.request_id:
        return known  # The store took it, and its answer was lost.
    now = deps.system.now()
    wished = replace(known or Erasure(customer_id, now, now), until=now, request_id=by.request_id)
    audit = by.changed("customer", customer_id, _recorded(known), _recorded(wished))
    return await deps.erasures.save(wished, audit=audit)


def _recorded(erasure: Erasure | None) -> Recorded:
    return {"forgottenUntil": rfc3339(erasure.until)} if erasure else {}


class Forgetting:
    """The runs of one process. One for which time didn't suffice leaves its place to the next."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._after: Erasure | None = None

    async def at_their_wish(self) -> None:
        """Go on with what each customer wished. What fails holds up no other, and is due again the next time."""
        deps = self._deps
        until = deps.system.now() + RUN
        while erasures := await deps.erasures.wished(self._after, _OPEN):
            for erasure in erasures:
                if deps.system.now() >= until:
                    log.warning("the time for forgetting is over: what is left is for the next run")
                    return
                await _go_on(erasure, until, deps)
                self._after = erasure
        self._after = None

    async def by_time(self) -> None:
        """Forget whose orders were placed long enough ago."""
        deps = self._deps
        if retention := deps.timeouts.retention:
            now = deps.system.now()
            known = await deps.erasures.get(None) or Erasure(None, now, now)
            await _go_on(replace(known, until=now - retention), now + RUN, deps)


async def _go_on(erasure: Erasure, time: datetime, deps: Dependencies) -> None:
    """Forget what can be by that time. What fails is logged, and due again: the others are not to wait for it."""
    try:
        await _forget(erasure, time, deps)
    except (Transient, Contended) as failure:
        log.warning("forgetting is gone on with later: %r", failure)
    except Exception:  # noqa: BLE001 - see above
        log.exception("forgetting is stuck")


async def _forget(erasure: Erasure, time: datetime, deps: Dependencies) -> None:
    now = deps.system.now()
    surely_stored = rfc3339(now - SURELY_STORED)
    place = after = erasure.place
    due: list[str] = []
    for some in batched(erasure.due, _PAGE, strict=False):
        due += some if deps.system.now() >= time else await _left_of(some, erasure.until, deps)
    is_through = False
    while not is_through and len(due) < MOST_DUE and deps.system.now() < time:
        placed = await deps.orders.placed(erasure.customer_id, erasure.until, after, _PAGE)
        due += await _left_of((each.id for each in placed if each.id not in due), erasure.until, deps)
        for each in placed:
            after = each.place
            # One that was placed later than that may still turn up before those behind it.
            place = after if each.at <= surely_stored else place
        is_through = len(placed) < _PAGE
    gone_on = replace(erasure, place=place, due=tuple(due))
    if is_through and not due and erasure.customer_id is not None and rfc3339(erasure.until) <= surely_stored:
        await deps.erasures.end(erasure)
    elif gone_on != erasure:
        await deps.erasures.save(gone_on)


async def _left_of(order_ids: Iterable[str], until: datetime, deps: Dependencies) -> list[str]:
    """Those that still tell of their customer."""
    left = await for_each(order_ids, partial(_left, until=until, deps=deps))
    return [order_id for order_id in left if order_id]


async def _left(order_id: str, until: datetime, deps: Dependencies) -> str | None:
    with logged_with(order_id=order_id):
        try:
            order = await deps.orders.get(order_id)
            if order is None or order.step not in FINAL:
                return order_id
            if order.forgotten_at is None:
                # First what is parked: by the order it is known what is due.
                await deps.parked.forget(order_id)
                forgotten = domain.forgotten(order, deps.system.now())
                await deps.orders.save(forgotten, [_told_of(order, deps)])
                log.info("its customer is forgotten")
            elif order.forgotten_at < until:
                # Who wishes it again repairs what another context has missed.
                await deps.parked.forget(order_id)
                await deps.outbox.publish_again(_told_of(order, deps))
        except (Transient, Contended) as failure:
            log.warning("its customer is forgotten later: %r", failure)
            return order_id
        except Unparseable as fault:
            log_event("unreadable_document", "the order's customer can't be forgotten: %s", fault)
            return order_id
        except Exception:  # noqa: BLE001 - logged, named as due, and tried again: the others are not to wait
            log.exception("its customer can't be forgotten")
            return order_id
        return None


def _told_of(order: domain.Order, deps: Dependencies) -> Message:
    return replace(fact(CustomerForgotten(order.id), order.id, deps.system), traceparent=order.traceparent)
