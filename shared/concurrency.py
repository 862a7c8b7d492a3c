"""Many calls at once, but not all of them: a store takes only so many, and each call has a time limit of its own."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

AT_A_TIME = 16
INNER_TIMEOUT_SECONDS = 0.7
"""For what is asked on the way to an answer that operations waits for, which is a second."""


async def for_each[Item, Result](items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The work done for every item, sixteen at a time; the results, in the items' order.

    After a failure nothing begins; what is under way is waited for, so that nothing goes on behind the caller's back.
    Then raises the first failure.
    """
    waiting = deque(enumerate(items))
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    async def worker() -> None:
        while waiting:
            index, item = waiting.popleft()
            try:
                results[index] = await work(item)
            except BaseException as failure:
                waiting.clear()
                failures.append(failure)
                raise

    await asyncio.gather(*(worker() for _ in range(min(AT_A_TIME, len(waiting)))), return_exceptions=True)
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(results))]
