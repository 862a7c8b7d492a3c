"""What is done to the stack and when: all of it follows from a seed, a length and the parts that there are.

A seed decides the schedule, and nothing more: what a process is about when something comes over it, the machine
decides.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local import topology

LOCK_SECONDS = 60.0
"""How long a message is locked for whoever received it."""
LONGEST_FREEZE_SECONDS = 90.0
KILLS_A_MINUTE = FREEZES_A_MINUTE = 1.0
FAULTS_A_MINUTE = 40.0
_LONG_EVERY = 3
_ROOM_FOR_LONG = 2.5
"""Minutes that a run must last to have freezes longer than a lock."""
_RECOVERY_SECONDS = 15.0
_QUIET_SECONDS = 15.0
"""At the end, so that what was away can still be reached in time."""
HOST = "functions_host_"

type Wish = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that comes over a part, so many seconds after the beginning."""

    at: float
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill(Event):
    """`kill -9`; the supervisor starts the part again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Event):
    """SIGSTOP, and SIGCONT so many seconds later."""

    seconds: float

    @property
    def outlasts_locks(self) -> bool:
        """Whether what the part had locked is given to another, or to itself again, before it wakes."""
        return self.seconds > LOCK_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """What a stand-in is asked to do; `name` is the fault's in the stand-in's statistics."""

    name: str
    wish: Wish

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return f"{self.part} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison(Event):
    """A message that nobody can read, for the queue of the context whose host the part is."""

    message_id: str


def faults(chance: random.Random, context: str) -> dict[str, dict[str, Wish]]:
    """What Azure and the provider do, by stand-in and by the name that its statistics have for it; where it is about
    one queue alone, it is the context's."""
    skip, soon = chance.randint(0, 20), chance.randint(50, 2_000)
    moment, queue = round(chance.uniform(0.2, 3.0), 1), f"^{context}$"
    after: Wish = {"when": "after"}
    lost = {"operation": chance.choice(["create", "confirm", "capture", "cancel"]), **after}
    return {
        "cosmos": {
            "status 449": {"status": 449, "operation": "Batch"},
            "status 429": {"status": 429, "retryAfterMs": soon},
            "status 503": {"status": 503},
            "status 408 after": {"status": 408, "operation": "Batch", **after},
            "reset": {"skip": skip},
            "reset after": {"operation": "Batch", **after},
            "slow": {"seconds": moment},
            "slow after": {"seconds": moment, "operation": "Batch", **after},
            "cut after": {"operation": "Batch", **after},
            "stale": {"operation": "ReadItem", "path": chance.choice(["/orders/", "/payments/", "/inventory/"])},
        },
        "service_bus": {
            "status 503": {"status": 503, "operation": "Send"},
            "reset after": {"operation": "Send", **after},
            "slow": {"seconds": moment, "operation": "Receive", "path": queue},
            "status 410": {"status": 410, "operation": "Settle"},
            "lost": {"operation": "Settle"},
            "expire-locks": {"path": queue},
            "detach": {"path": queue},
            "outage": {"seconds": moment},
        },
        "payment_provider": {
            "status 429": {"status": 429},
            "reset after": lost,
            "slow": {"seconds": moment},
            "html502 after": lost,
            "stored500 after": lost,
            "late": {"seconds": moment, "operation": lost["operation"]},
        },
    }


KINDS = tuple(f"{part} {name}" for part, kinds in faults(random.Random(0), "").items() for name in kinds)
"""Every kind of fault, by its part and its name there."""


def schedule(seed: int, minutes: float, parts: Sequence[str]) -> list[Event]:
    """All that is to come, in its order; nothing comes over a part that has yet to recover from what came before."""
    chance, seconds = random.Random(seed), minutes * 60
    seconds -= min(_QUIET_SECONDS, seconds / 4)
    contexts = contexts_of(parts)
    freezes = _freezes(chance, seconds, parts, [HOST + context for context in contexts])
    kills = _kills(chance, seconds, parts, freezes)
    poisons = [
        Poison(at=chance.uniform(0, seconds / 2), part=HOST + context, message_id=f"poison-{seed}-{context}")
        for context in contexts
    ]
    return sorted(
        [*freezes, *kills, *poisons, *_faults(chance, seconds, contexts, freezes)], key=lambda event: event.at
    )


def _freezes(chance: random.Random, seconds: float, parts: Sequence[str], holders: Sequence[str]) -> list[Freeze]:
    """Every third is longer than a lock, of one of those who hold locks."""
    number, made = math.ceil(seconds / 60 * FREEZES_A_MINUTE), list[Freeze]()
    for each in range(number):
        is_long = each % _LONG_EVERY == _LONG_EVERY - 1 and seconds >= 60 * _ROOM_FOR_LONG
        within = (LOCK_SECONDS + 2, LONGEST_FREEZE_SECONDS) if is_long else (1.0, min(LOCK_SECONDS, seconds / 2))
        length = chance.uniform(*within)
        at = min((each + chance.random()) * seconds / number, seconds - length)
        part = _free(chance, holders if is_long else parts, made, at, length)
        made.append(Freeze(at=at, part=part, seconds=length))
    return made


def _kills(chance: random.Random, seconds: float, parts: Sequence[str], freezes: Sequence[Freeze]) -> list[Kill]:
    number, made = math.ceil(seconds / 60 * KILLS_A_MINUTE), list[Kill]()
    for each in range(number):
        at = (each + chance.random()) * seconds / number
        made.append(Kill(at=at, part=_free(chance, parts, [*freezes, *made], at, 0.0)))
    return made


def _free(chance: random.Random, parts: Sequence[str], taken: Sequence[Event], at: float, length: float) -> str:
    """One of the parts that is well at that time, and lately before it."""
    busy = {
        event.part
        for event in taken
        if event.at - _RECOVERY_SECONDS < at + length and at < _end(event) + _RECOVERY_SECONDS
    }
    return chance.choice([part for part in parts if part not in busy])


def _end(event: Event) -> float:
    return event.at + (event.seconds if isinstance(event, Freeze) else 0.0)


def _faults(chance: random.Random, seconds: float, contexts: Sequence[str], freezes: Sequence[Freeze]) -> list[Fault]:
    """Each kind as often as the others, in an order of its own each time."""
    rounds = max(1, round(seconds / 60 * FAULTS_A_MINUTE / len(KINDS)))
    order = [kind for _ in range(rounds) for kind in chance.sample(KINDS, len(KINDS))]
    pause, made = seconds / len(order), list[Fault]()
    for number, kind in enumerate(order):
        at = (number + chance.random()) * pause
        # Of a frozen host no lock is ended by hand, so that those that its freezing costs can be told.
        frozen = {freeze.part for freeze in freezes if freeze.at - 1 < at < _end(freeze) + 1}
        context = chance.choice([context for context in contexts if HOST + context not in frozen])
        made.append(fault(chance, kind, context, at))
    return made


def contexts_of(parts: Sequence[str]) -> list[str]:
    """Those that have a queue, of those whose hosts are among the parts."""
    return [queue.name for queue in topology.load().queues if HOST + queue.name in parts]


def fault(chance: random.Random, kind: str, context: str, at: float) -> Fault:
    """One of a kind, about this context where it is about one queue alone."""
    part, _, name = kind.partition(" ")
    wish = faults(chance, context)[part][name]
    return Fault(at=at, part=part, name=name, wish={"kind": name.split()[0], "count": chance.randint(1, 4)} | wish)
