"""The first way out of a failure: at once, in process (412 and 449, where another writer was faster)."""

from collections.abc import Awaitable, Callable

from shared.errors import Contended
from shared.ports import System

_TRIES = 8
_LONGEST_WAIT = 0.2


async def at_once[T](work: Callable[[], Awaitable[T]], system: System) -> T:
    """Do the work, up to eight times within about a second while another writer is faster; then raises Contended."""
    for attempt in range(_TRIES - 1):
        try:
            return await work()
        except Contended:
            await system.sleep(min(_LONGEST_WAIT, 0.01 * 2**attempt) * (0.5 + system.random() / 2))
    return await work()
