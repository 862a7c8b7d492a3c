"""What happens around each I/O call."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from random import Random

from shared.errors import Throttled, Unavailable
from simulation.faults import Faults

_TURNS = (0, 0, 1, 2, 3, 5, 8, 60)
_FROZEN_TURNS = 2000
_LONG = 10


class Died(BaseException):
    """The process died here."""


class Adversary:
    """What happens around each I/O call."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.calm = True
        self.met: Counter[str] = Counter()
        self._turn = 0
        self._asleep: dict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def __call__[T](self, call: Callable[[], Awaitable[T]]) -> T:
        if self.calm:
            return await call()
        await self.others_first(_FROZEN_TURNS if self.befalls("freeze") else self.random.choice(_TURNS))
        self._fail()
        result = await call()
        self._fail()
        return result

    async def others_first(self, turns: int) -> None:
        """Let everybody else go on for so many turns."""
        if turns < _LONG:
            for _ in range(turns):
                await asyncio.sleep(0)
        else:
            wake = asyncio.get_running_loop().create_future()
            self._asleep[self._turn + turns].append(wake)
            await wake

    def next_turn(self) -> None:
        """A turn is over: those wake whose time it is."""
        self._turn += 1
        for wake in self._asleep.pop(self._turn, ()):
            wake.set_result(None)

    def relent(self) -> None:
        """The faults are over, and those that froze wake."""
        self.calm = True
        while self._asleep:
            self.next_turn()

    def befalls(self, fault: str) -> bool:
        """Whether this fault strikes now."""
        strikes = not self.calm and self.random.random() < getattr(self.faults, fault)
        self.met[fault] += strikes
        return strikes

    def _fail(self) -> None:
        chance = 1.0 if self.calm else self.random.random()
        for fault, failure in (("die", Died), ("unavailable", Unavailable), ("throttled", Throttled)):
            chance -= getattr(self.faults, fault)
            if chance < 0:
                self.met[fault] += 1
                raise failure(fault)
