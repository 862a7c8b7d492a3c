"""The real surroundings: the one place that takes time, chance and fresh ids from the system."""

import asyncio
import random
from datetime import UTC, datetime
from uuid import uuid4


class RealSystem:
    """shared.ports.System, for real."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def random(self) -> float:
        """From 0 up to, never reaching, 1."""
        return random.random()

    def new_id(self) -> str:
        """A version 4 UUID."""
        return str(uuid4())
