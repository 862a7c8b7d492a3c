"""What happens around each call that the application makes of a store, the broker or the payment provider."""

import asyncio
from bisect import bisect
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from random import Random

from shared.errors import Contended, Throttled, Unavailable
from simulation.faults import STRIKES, Fault, Scenario
from simulation.incarnation import INCARNATION, Incarnation
from simulation.topology import CONTEXTS
from simulation.trace import Trace

_LATENCIES = (0, 0, 0, 0, 0.001, 0.003, 0.02, 0.3)
_FREEZES = (70, 150, 600, 3600, 4 * 3600)
"""How long a copy sleeps: longer than a lock, all of them."""
_MORE = dict.fromkeys(("create", "look", "confirm", "capture", "cancel", "list"), 6)
"""How much more often what is seldom called is struck."""
_PARTS = ("broker", "provider", *CONTEXTS, "confirm", "batch")
"""What an outage can be of: one of these, contexts' stores among them, or only of confirmations, or of all writes."""
_PART_OF = {"publish": "broker", "settle": "broker"}
_BEFORE = {Fault.UNAVAILABLE: Unavailable, Fault.THROTTLED: Throttled, Fault.CONTENDED: Contended}
_AFTER = {Fault.ANSWER_LOST: Unavailable, Fault.REPLAYED: Unavailable, Fault.CONTENDED_AFTER: Contended}


class Adversary:
    """Lets others go first at each step, and strikes now and then; not while it is calm."""

    def __init__(self, seed: int, scenario: Scenario, trace: Trace) -> None:
        self.random = Random(f"{seed} adversary")
        self.calm = True
        self.met: Counter[tuple[str, str]] = Counter()
        """How often each fault struck at each step; at "" what isn't a matter of one step."""
        self.out: set[str] = set()
        """What gives no answer to anybody, of `_PARTS`."""
        self.reads_old = Fault.OLD_READ in scenario.chances
        self._trace = trace
        self._freezes = [each for each in _FREEZES if each <= scenario.longest_freeze]
        self._draws = {
            act: (list(accumulate(scenario.chances.get(each, 0) * _MORE.get(act, 1) for each in possible)), possible)
            for act, possible in STRIKES.items()
        }

    async def __call__[T](
        self,
        context: str,
        act: str,
        about: str,
        call: Callable[[], Awaitable[T]],
        older: Callable[[], Sequence[T]] = lambda: (),
    ) -> T:
        """Do it for that context, or not, or not only. `older` are the answers of instances that lag behind."""
        who = INCARNATION.get()
        if who is None:
            return await call()
        await who.go_on()
        if self.calm:
            self._trace.note(who, context, act, about, None)
            return await call()
        fault = Fault.OUTAGE if self._is_out(context, act) else self.draw(act)
        answers = older() if fault is Fault.OLD_READ else ()
        if fault is Fault.OLD_READ and not answers:
            fault = None
        self._trace.note(who, context, act, about, fault)
        who.was_struck |= fault is not None
        if fault is Fault.FREEZE_BEFORE:
            await who.wait(self.random.choice(self._freezes))
        else:
            await self._let_others(who)
        if fault is None:
            result = await call()
        elif fault is Fault.OLD_READ:
            self.meets(fault, f"{context} {act}")
            result = self.random.choice(answers)
        else:
            result = await self._struck(who, f"{context} {act}", fault, call)
        await self._let_others(who)
        return result

    async def _let_others(self, who: Incarnation) -> None:
        """Go first, mostly."""
        if latency := self.random.choice(_LATENCIES):
            await who.wait(latency)

    async def _struck[T](self, who: Incarnation, step: str, fault: Fault, call: Callable[[], Awaitable[T]]) -> T:
        self.met[fault, step] += 1
        if fault is Fault.CRASH_BEFORE:
            await who.crash()
        if fault is Fault.OUTAGE:
            raise Unavailable(fault)
        if fault in _BEFORE:
            raise _BEFORE[fault](fault)
        result = await call()
        if fault is Fault.CRASH_AFTER:
            await who.crash()
        if fault is Fault.FREEZE_AFTER:
            await who.wait(self.random.choice(self._freezes))
        if fault is Fault.SENT_AGAIN:
            return await self._again(call)
        if fault in _AFTER:
            raise _AFTER[fault](fault)
        return result

    async def _again[T](self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except Contended as refused:
            self.met[f"{type(refused).__name__} of a batch that was written", ""] += 1
            raise

    def draw(self, act: str) -> Fault | None:
        """What strikes there now, if anything does."""
        chances, possible = self._draws[act]
        at = bisect(chances, self.random.random())
        return None if self.calm or at == len(possible) else possible[at]

    def relent(self) -> None:
        """The faults are over; those that froze wake in their time."""
        self.calm = True
        self.out.clear()

    def meets(self, what: str, step: str = "", times: int = 1) -> None:
        """That was met."""
        self.met[what, step] += times

    async def black_out(self, seconds: float) -> None:
        """An outage: of one thing, or of all at once, for so long."""
        out = set(_PARTS if self.random.random() < 0.3 else self.random.sample(_PARTS, 1))
        self.out |= out
        await asyncio.sleep(seconds)
        self.out -= out

    def _is_out(self, context: str, act: str) -> bool:
        if not self.out:
            return False
        part = context if act in ("read", "query", "batch") else _PART_OF.get(act, "provider")
        return part in self.out or act in self.out
