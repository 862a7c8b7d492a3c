"""Opening a connection takes longer than using it: a token alone may take ten seconds on a new instance.

So it is opened once for all who wait for it, with a limit of its own, and goes on when they give up: whoever comes next
finds it open.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from shared.failures import told
from shared.telemetry import log


class Opening[Opened]:
    """Something that is opened at the first call, and again once it was forgotten or could not be opened."""

    def __init__(self, open: Callable[[], Awaitable[Opened]], timeout: float) -> None:
        self._open = open
        self._timeout = timeout
        self._task: asyncio.Task[Opened] | None = None

    async def get(self) -> Opened:
        """What is open. Raises what opening raised, TimeoutError included; a caller that is cancelled ends nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._opened())
            self._task.add_done_callback(self._ended)
        return await asyncio.shield(self._task)

    @property
    def is_open(self) -> bool:
        """Whether `get` answers at once."""
        return self._task is not None and self._task.done() and not _failed(self._task)

    def forget(self) -> Opened | None:
        """Give up what is open, for the caller to close; what is being opened goes on."""
        if not self.is_open or self._task is None:
            return None
        opened, self._task = self._task.result(), None
        return opened

    async def _opened(self) -> Opened:
        async with asyncio.timeout(self._timeout):
            return await self._open()

    def _ended(self, task: asyncio.Task[Opened]) -> None:
        if _failed(task):
            self._task = None
            log.warning("opening a connection failed: %s", told(None if task.cancelled() else task.exception()))


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
