"""What a run has shown, and whether that was enough."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.schedule import KINDS

ORDERS_A_MINUTE = 200
KILLS_IN_THIRTY = 20
FREEZES_IN_THIRTY = 20
LOCKS_IN_THIRTY = 10
"""Lost by freezing."""
ENDS = (
    "completed",
    "cancelled",
    "payment_due",
    "rejected: out_of_stock",
    "rejected: payment_declined",
)

type Report = Mapping[str, Any]


def wrong(report: Report) -> Iterator[str]:
    """What the run has broken; nothing may be."""
    for invariant in report["invariants"]:
        if not invariant["holds"]:
            yield f"{invariant['name']} doesn't hold: {'; '.join(invariant['violations'][:3])}"
    orders = report["orders"]
    if orders["unsettled"]:
        yield f"{len(orders['unsettled'])} orders came to no end: {', '.join(orders['unsettled'][:3])}"
    yield from report["failures"]
    parked = report["messages"]["parked"]
    for message in parked:
        if message["repeat"] == "handled":
            yield f"{message['context']} parked {message['id']}, which a repeat handled: {message['reason']}"
    kept = {message["id"] for message in parked if message["repeat"] == "refused"}
    for message_id in report["messages"]["planted"]:
        if message_id not in kept:
            yield f"{message_id}, which nobody can read, isn't parked: it is lost"


def short(report: Report) -> Iterator[str]:
    """In what the run has fallen short of what it must reach in its time.

    Orders, kills and freezes count by the minute, the latter two rounded up; locks that freezing costs rounded down,
    since a freeze that outlasts a lock takes more than a minute. Of a minute at most, one part that is away may take it
    all: there orders count whenever they were placed. Ends and kinds of faults are reached by any run.
    """
    minutes = report["minutes"]
    orders, faults = report["orders"], report["faults"]
    share = minutes / 30
    placed = orders["placed_in_time" if minutes > 1 else "placed"]
    yield from _below("orders placed", placed, ORDERS_A_MINUTE * minutes)
    yield from _below("kills", sum(faults["kills"].values()), math.ceil(KILLS_IN_THIRTY * share))
    yield from _below("freezes", sum(faults["freezes"].values()), math.ceil(FREEZES_IN_THIRTY * share))
    lost = report["messages"]["locks_lost_by_freezing"]
    yield from _below("locks lost by freezing", lost, math.floor(LOCKS_IN_THIRTY * share))
    for end in ENDS:
        yield from _below(f"orders {end}", orders["ends"].get(end, 0), 1)
    for kind in KINDS:
        yield from _below(f"requests struck by {kind}", faults["struck"].get(kind, 0), 1)


def _below(what: str, found: float, least: float) -> Iterator[str]:
    if found < least:
        yield f"too few {what}: {found}, at least {least:g} are needed"


def summary(report: Report) -> Iterator[str]:
    """The report in lines of text."""
    orders, faults, messages = report["orders"], report["faults"], report["messages"]
    yield f"Orders:    {orders['placed']} placed, {orders['placed_in_time']} of them in {report['minutes']:g} minutes"
    yield f"           {_listed(orders['ends'])}"
    yield f"           the longest took {orders['longest_seconds']} s ({orders['longest']})"
    yield f"Processes: {sum(faults['kills'].values())} kills ({_listed(faults['kills'])})"
    yield f"           {sum(faults['freezes'].values())} freezes ({_listed(faults['freezes'])})"
    yield f"           {faults['freezes_longer_than_a_lock']} of them longer than a lock"
    yield f"Faults:    {sum(faults['struck'].values())} requests struck ({_listed(faults['struck'])})"
    yield (
        f"Messages:  {messages['locks_lost']} locks lost, {messages['locks_lost_by_freezing']} of them by freezing; "
        f"{messages['dead_lettered']} dead-lettered, {len(messages['parked'])} parked, "
        f"of which {len(messages['planted'])} nobody could read"
    )
    for invariant in report["invariants"]:
        verdict = "holds" if invariant["holds"] else "BROKEN"
        yield f"           {invariant['name']:<14}{verdict:<8}{invariant['checked']} examined"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
