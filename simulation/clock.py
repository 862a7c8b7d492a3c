"""Time that only waiting moves, and chance that has a seed."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID


class VirtualSystem:
    """shared.ports.System whose time moves only when somebody waits, and whose chance has a seed."""

    def __init__(self, seed: int = 1) -> None:
        self._now = datetime(2026, 11, 24, 6, tzinfo=UTC)
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
