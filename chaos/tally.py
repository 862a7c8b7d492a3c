"""What has come over the stack, as far as it was seen to."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local.verify.stack import read_stack

STAND_INS = ("cosmos", "service_bus", "payment_provider")
_BETWEEN_LOOKS = 1.0
_PATIENCE = 5.0


@dataclass(slots=True)
class Tally:
    """Counts, at least these: what a stand-in counts after it was last looked at is lost where it is killed."""

    kills: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    long_freezes: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    """Faults that a stand-in was asked for, by part and name."""
    locks_lost_by_freezing: int = 0
    _of_process: dict[tuple[str, int], Any] = field(default_factory=dict)

    @property
    def struck(self) -> Counter[str]:
        """How many requests each kind of fault struck."""
        return sum(
            (
                Counter({f"{part} {name}": number for name, number in stats["byFault"].items()})
                for (part, _), stats in self._of_process.items()
            ),
            Counter[str](),
        )

    def of_the_broker(self, counter: str) -> int:
        """One of its own counters."""
        return sum(int(stats.get(counter, 0)) for (part, _), stats in self._of_process.items() if part == "service_bus")

    async def look(self, state: Path) -> None:
        """Ask the stand-ins, those that answer, what they have counted."""
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as http:
            for part in (read_stack(state).parts[name] for name in STAND_INS):
                with suppress(httpx.TransportError):
                    self._of_process[part.name, part.pid] = (await http.get(f"{part.control}_stats")).json()

    async def keep_looking(self, state: Path) -> None:
        """Look once a second, until it is cancelled."""
        while True:
            await self.look(state)
            await asyncio.sleep(_BETWEEN_LOOKS)
