"""Time that only waiting moves, and chance that has a seed."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from simulation.incarnation import INCARNATION

_BEGINNING = datetime(2026, 11, 24, 6, tzinfo=UTC)


class VirtualSystem:
    """shared.ports.System whose time moves only when somebody waits, and then at once; and whose chance has a seed."""

    def __init__(self, seed: int = 1) -> None:
        self._now = _BEGINNING
        self._random = Random(seed)

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def random(self) -> float:
        return self._random.random()

    def new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def advance_to(self, moment: datetime) -> None:
        self._now = max(self._now, moment)


class LoopSystem(VirtualSystem):
    """The same in the time of the event loop, where many wait at once; and ahead of it, or behind, by so much."""

    def __init__(self, random: Random, ahead: timedelta = timedelta(0)) -> None:
        super().__init__()
        self._random = random
        self._loop = asyncio.get_running_loop()
        self.ahead = ahead

    def now(self) -> datetime:
        return _BEGINNING + timedelta(seconds=self._loop.time()) + self.ahead

    async def sleep(self, seconds: float) -> None:
        if who := INCARNATION.get():
            await who.wait(seconds)
        else:
            await asyncio.sleep(seconds)
