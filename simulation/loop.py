"""An event loop whose time is simulated: where nobody has anything to do, the next timer is due at once."""

import asyncio
from typing import Any


class VirtualLoop(asyncio.BaseEventLoop):
    """Does no input or output; whatever waits for a time, `asyncio.timeout` too, waits for this loop's."""

    def __init__(self) -> None:
        super().__init__()
        self._time = 0.0
        self._selector = self

    def time(self) -> float:
        """Seconds since it began."""
        return self._time

    def select(self, timeout: float | None) -> list[Any]:
        """What a loop calls to wait until something happens, or for so many seconds."""
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is left that could happen")
        self._time += timeout
        return []

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""
