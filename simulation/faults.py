"""Which faults a history meets, where each can strike, how probable it is, and under which settings.

A *step* is where something can go wrong: what a context asks of its store (read, query, batch), of the broker (publish,
settle) and of the payment provider; and, on its way to a context, a message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product


class Fault(StrEnum):
    """What can befall a step."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    FREEZE_BEFORE = "freeze before"
    """For longer than a lock, for hours now and then; meanwhile others do the same work."""
    FREEZE_AFTER = "freeze after"
    OUTAGE = "outage"
    """Nobody gets an answer there, for a minute or for twenty."""
    UNAVAILABLE = "unavailable"
    """No answer, and no effect."""
    THROTTLED = "throttled"
    ANSWER_LOST = "answer lost"
    """It was done, and nobody hears of it. Of a settling: it wasn't, or the broker didn't hear of it."""
    CONTENDED = "449"
    CONTENDED_AFTER = "449 after it was written"
    SENT_AGAIN = "sent again"
    """The SDK lost the answer to a batch and sent it once more: the caller hears what the store says of that one."""
    OLD_READ = "old read"
    """Of any age, as another instance would: also of when it wasn't there."""
    REPLAYED = "500, replayed"
    """It was done, its answer is a 500, and for a while that is the answer again."""
    LOST = "lost"
    DEAD = "dead-lettered"
    """The broker gave up on it, and so it is parked, for a person to replay."""
    TWICE = "twice"
    """Two copies at the same time."""
    LATE = "late"
    """For minutes."""


_ANYWHERE = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.FREEZE_BEFORE,
    Fault.FREEZE_AFTER,
    Fault.OUTAGE,
    Fault.UNAVAILABLE,
    Fault.THROTTLED,
)
_PROVIDER = (*_ANYWHERE, Fault.ANSWER_LOST, Fault.REPLAYED)

STRIKES: Mapping[str, tuple[Fault, ...]] = {
    "read": (*_ANYWHERE, Fault.OLD_READ),
    "query": _ANYWHERE,
    "batch": (*_ANYWHERE, Fault.ANSWER_LOST, Fault.CONTENDED, Fault.CONTENDED_AFTER, Fault.SENT_AGAIN),
    "publish": (*_ANYWHERE, Fault.ANSWER_LOST),
    "settle": (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.FREEZE_BEFORE, Fault.ANSWER_LOST),
    "create": _PROVIDER,
    "look": _ANYWHERE,
    "list": _ANYWHERE,
    "confirm": _PROVIDER,
    "capture": _PROVIDER,
    "cancel": _PROVIDER,
    "message": (Fault.LOST, Fault.DEAD, Fault.TWICE, Fault.LATE),
}
"""Which faults can strike at which act."""

_OF_STORE = ("read", "query", "batch", "publish")
_OF_QUEUE = ("settle", "message")
STEPS = (
    *(("catalog", act) for act in _OF_STORE),
    *product(("inventory", "orders", "payments", "shipping", "operations"), (*_OF_STORE, *_OF_QUEUE)),
    *(("payments", act) for act in ("create", "look", "confirm", "capture", "cancel", "list")),
)
"""Every context's, with the act."""


def strikes() -> Iterator[tuple[Fault, str]]:
    """Every fault with every step that it can strike."""
    for context, act in STEPS:
        yield from ((fault, f"{context} {act}") for fault in STRIKES[act])


@dataclass(frozen=True, slots=True)
class Scenario:
    """What befalls a history, and under which settings. `chances`: of each fault at each step where it can strike. Of
    a moment, each second: that every authorisation lapses, that the broker's window of duplicate detection ends, that a
    context's clock jumps. `apart`: how far clocks may be from one another. `span`: how long all this lasts. `outages`:
    how long those are that come in that time."""

    name: str
    chances: Mapping[Fault, float]
    settings: Mapping[str, str] = field(default_factory=dict)
    span: float = 600
    lapses: float = 0.0
    forgets: float = 0.0
    jumps: float = 0.0
    apart: float = 0.0
    outages: tuple[float, ...] = ()
    longest_freeze: float = 600
    breaks_promise: bool = False
    """Somebody captures by hand, at the provider, what is then to be let go: its message must be parked."""


_IMPATIENT = {
    "ORDERS_FIRST_RESEND_SECONDS": "15",
    "ORDERS_LONGEST_RESEND_SECONDS": "60",
    "ORDERS_DISPATCH_RESEND_SECONDS": "60",
    "ORDERS_GIVE_UP_SECONDS": "90",
    "ORDERS_DISPATCH_GIVE_UP_SECONDS": "180",
    "OUTBOX_GRACE_SECONDS": "5",
    "RETRY_LONGEST_DELAY_SECONDS": "20",
    "ORDERS_PER_CUSTOMER_PER_MINUTE": "3",
    "OPERATIONS_RECONCILE_WINDOW_SECONDS": "600",
}
"""So that a few minutes meet every timeout, and the limit of who places most orders. Only what operations looks at
waits until the faults are over: an old read may hide from it that something wasn't heard."""
_OFTEN = {
    Fault.CRASH_BEFORE: 0.006,
    Fault.CRASH_AFTER: 0.006,
    Fault.FREEZE_BEFORE: 0.003,
    Fault.FREEZE_AFTER: 0.003,
    Fault.UNAVAILABLE: 0.006,
    Fault.THROTTLED: 0.006,
    Fault.ANSWER_LOST: 0.01,
    Fault.CONTENDED: 0.01,
    Fault.CONTENDED_AFTER: 0.02,
    Fault.SENT_AGAIN: 0.02,
    Fault.OLD_READ: 0.06,
    Fault.REPLAYED: 0.02,
    Fault.LOST: 0.03,
    Fault.DEAD: 0.02,
    Fault.TWICE: 0.15,
    Fault.LATE: 0.04,
}

HURRIED = Scenario(
    "hurried", _OFTEN, _IMPATIENT, span=400, lapses=0.001, forgets=0.01, jumps=0.005, apart=4, outages=(30,)
)
"""Everything at once, with settings that have little patience: orders are given up, too."""
PATIENT = Scenario(
    "patient",
    _OFTEN,
    {},
    span=3600,
    lapses=0.0001,
    forgets=1 / 600,
    jumps=0.001,
    apart=300,
    outages=(60, 1200),
    longest_freeze=4 * 3600,
)
"""The design's settings: outages of twenty minutes, freezes of hours, clocks apart by minutes."""
FORSAKEN = Scenario(
    "forsaken", _OFTEN, {}, span=3 * 3600, apart=60, outages=(5000,), longest_freeze=2 * 3600, breaks_promise=True
)
"""An outage that outlasts what orders wait, and money that was taken by hand: what must give up, and what must park."""
NOTHING_LOST = Scenario(
    "nothing lost",
    {
        Fault.CRASH_BEFORE: 0.001,
        Fault.CRASH_AFTER: 0.001,
        Fault.UNAVAILABLE: 0.002,
        Fault.THROTTLED: 0.001,
        Fault.ANSWER_LOST: 0.002,
        Fault.SENT_AGAIN: 0.02,
        Fault.CONTENDED_AFTER: 0.01,
        Fault.OLD_READ: 0.03,
        Fault.TWICE: 0.2,
    },
    {"ORDERS_FIRST_RESEND_SECONDS": "1200"},
    apart=4,
)
"""No message is lost: nothing needs the clock to be sent again."""
CLEAR_ANSWERS = Scenario(
    "clear answers", {Fault.FREEZE_BEFORE: 0.002, Fault.FREEZE_AFTER: 0.002, Fault.TWICE: 0.2}, forgets=0.01
)
"""Only order and repetition are the adversary's: no answer is lost, and none is old, so that nothing goes later."""

_SHARES = (*[HURRIED] * 4, *[PATIENT] * 3, FORSAKEN, NOTHING_LOST, CLEAR_ANSWERS)


def scenario_of(seed: int) -> Scenario:
    """By the seed's last digit: 0–3 hurried, 4–6 patient, 7 forsaken, 8 nothing lost, 9 clear answers."""
    return _SHARES[seed % len(_SHARES)]
