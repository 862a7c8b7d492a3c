"""One run: sales and chaos at once; then peace, until all has come to its end, and a look at everything."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chaos.inflicting import Inflicting
from chaos.parked import Parked, repeated, rest
from chaos.sales import A_MINUTE, orders
from chaos.schedule import Poison, schedule
from chaos.tally import Tally
from local.identity.issuer import Tokens
from local.replay.client import Api
from local.replay.journey import Document, Journey, Load, Outcome
from local.replay.loading import load
from local.replay.progress import Gauge
from local.verify.looking import look
from local.verify.placed import remembering
from local.verify.stack import read_stack

_DRAINING = 300.0


async def run(state: Path, minutes: float, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The report of a run against the stack of this state folder, which is fresh, split, and starts again what dies."""
    tally, planned, gauge = Tally(), orders(minutes), Gauge(lambda _: None)
    events = schedule(seed, minutes, sorted(read_stack(state).parts))
    planted = [event.message_id for event in events if isinstance(event, Poison)]
    load_before = os.getloadavg()[0]
    async with aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        with remembering(state) as remember:
            failures = await load(api, planned, gauge)
            say(f"Chaos for {minutes:g} minutes with --seed {seed}, while {len(planned.orders)} orders are placed")
            journey = Journey(api, seed, gauge, remember)
            in_time = datetime.now(UTC) + timedelta(minutes=minutes)
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(tally.keep_looking(state))
                inflicting = group.create_task(Inflicting(state, tally, say).run(events))
                outcome = await journey.make(planned.orders, Load(rate=A_MINUTE / 60))
                await inflicting
                looking.cancel()
        settled = datetime.now(UTC)
        parked = list[Parked]()
        try:
            async with asyncio.timeout(_DRAINING):
                await rest(state)
                parked = await repeated(api, state, planted)
        except TimeoutError:
            failures.append(f"messages were under way {_DRAINING:g} s after the last order's end")
    findings = await look(state, _DRAINING)
    await tally.look(state)
    return {
        "seed": seed,
        "minutes": minutes,
        "machine": {"processors": os.cpu_count(), "load_before": load_before, "load_after": os.getloadavg()[0]},
        "seconds_to_settle_after": round((settled - in_time).total_seconds(), 1),
        "orders": _orders(outcome, in_time),
        "faults": _faults(tally),
        "messages": _messages(tally, planted, parked),
        "invariants": [asdict(finding) for finding in findings],
        "failures": [*outcome.failures, *failures],
        "complaints": outcome.complaints,
    }


def _orders(outcome: Outcome, in_time: datetime) -> dict[str, Any]:
    took = {
        order["orderId"]: _moment(order["settledAt"]) - _moment(order["placedAt"])
        for order in outcome.placed
        if order.get("settledAt")
    }
    longest = max(took, key=lambda order_id: took[order_id], default=None)
    return {
        "placed": len(outcome.placed),
        "placed_in_time": sum(_moment(order["placedAt"]) <= in_time for order in outcome.placed),
        "ends": dict(Counter(_end(order) for order in outcome.placed if order.get("settledAt"))),
        "unsettled": outcome.unsettled,
        "refused": dict(outcome.refused),
        "longest": longest,
        "longest_seconds": round(took[longest].total_seconds(), 1) if longest else None,
    }


def _end(order: Document) -> str:
    return f"rejected: {order['reason']}" if order["status"] == "rejected" else str(order["status"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _faults(tally: Tally) -> dict[str, Any]:
    return {
        "kills": dict(tally.kills),
        "freezes": dict(tally.freezes),
        "freezes_longer_than_a_lock": tally.long_freezes,
        "asked": dict(tally.asked),
        "struck": dict(tally.struck),
    }


def _messages(tally: Tally, planted: list[str], parked: list[Parked]) -> dict[str, Any]:
    return {
        "locks_lost": tally.of_the_broker("locksExpired"),
        "locks_lost_by_freezing": tally.locks_lost_by_freezing,
        "delivered": tally.of_the_broker("messagesDelivered"),
        "dead_lettered": tally.of_the_broker("deadLettered"),
        "duplicates_dropped": tally.of_the_broker("duplicatesDropped"),
        "planted": planted,
        "parked": [asdict(message) for message in parked],
    }
