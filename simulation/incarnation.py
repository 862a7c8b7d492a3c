"""One process at work on one thing: a message, a request, a run of a timer. Once it has crashed it never goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Never


class NoAnswer(Exception):
    """Whoever waited for it hears nothing: the process has crashed, or takes too long."""


class Incarnation:
    """A process of a context, and what it is at. When it has crashed, nothing of its code runs again, no `except` and
    no `finally`, and whatever part of it is still about to do something waits for ever."""

    __slots__ = ("context", "has_crashed", "outcome", "was_struck", "work")

    def __init__(self, context: str, work: str) -> None:
        self.context = context
        self.work = work
        self.has_crashed = False
        self.was_struck = False
        """Whether a fault has befallen it: then not every answer that it had was a clear one."""
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def crash(self) -> Never:
        """From here on it is no more."""
        self.has_crashed = True
        self._end(NoAnswer())
        await _forever()

    async def wait(self, seconds: float) -> None:
        """As long, if it lives on."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if self.has_crashed:
                await _forever()
            raise
        await self.go_on()

    async def go_on(self) -> None:
        """If it lives."""
        if self.has_crashed:
            await _forever()

    def finished(self, task: asyncio.Task[Any]) -> None:
        """What it was at is done."""
        if failure := task.exception():
            self._end(failure)
        elif not self.outcome.done():
            self.outcome.set_result(task.result())

    def _end(self, failure: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(failure)
            self.outcome.exception()  # Whoever waited may have stopped waiting: that is no error of ours.


INCARNATION: ContextVar[Incarnation | None] = ContextVar("incarnation", default=None)
"""In which the code that runs does so; None where it isn't the application's."""


def begin[T](context: str, work: str, code: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
    """Have a new process of a context do it: what comes of it. Raises NoAnswer where it crashes."""
    incarnation = Incarnation(context, work)

    async def live() -> T:
        INCARNATION.set(incarnation)
        return await code()

    asyncio.create_task(live()).add_done_callback(incarnation.finished)
    return incarnation.outcome


async def _forever() -> Never:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
