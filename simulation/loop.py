"""An event loop whose time is simulated: where nobody has anything to do, the next timer is due at once."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from heapq import heappop
from typing import Any


class VirtualLoop(asyncio.BaseEventLoop):
    """Does no input or output. What is ready runs in the order in which it became so; whatever waits for a time,
    `asyncio.timeout` too, waits for this loop's."""

    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        super().__init__()
        self._time = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._task)
        self.set_exception_handler(lambda *_: None)  # What has crashed tells nobody.

    def time(self) -> float:
        """Seconds since it began."""
        return self._time

    def play[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; then what crashed on the way, and was never to go on, is cleared away."""
        try:
            return self.run_until_complete(work)
        finally:
            self.run_until_complete(self._bury())
            self.close()

    def _run_once(self) -> None:
        """What asyncio's own loop does, without asking the operating system for the time, or for events."""
        ready, scheduled = self._ready, self._scheduled
        while not ready:
            if not scheduled:
                raise RuntimeError("everybody waits, and nothing is left that could happen")
            timer = heappop(scheduled)
            timer._scheduled = False
            if not timer.cancelled():
                self._time = timer.when()
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _task(self, _: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **rest: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=self, **rest)
        self._tasks.append(task)
        return task

    async def _bury(self) -> None:
        """End every task that never ended, in the context that it ran in. Whatever it says to that, nobody hears; where
        it begins something else first, that is ended, too."""
        for task in self._tasks:
            coroutine: Any = task.get_coro()
            if task is not asyncio.current_task() and not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                while coroutine.cr_frame:
                    with suppress(BaseException):
                        task.get_context().run(coroutine.close)
        self._tasks.clear()

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""
