"""The contexts as operations asks them, in the same world."""

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from services.operations.ports import Said
from simulation.callers import OPERATIONS
from simulation.topology import CONTEXTS, context_of

if TYPE_CHECKING:
    from simulation.world import World


class Neighbours:
    """services.operations.ports.Contexts in the same world: each context's functions, called as operations."""

    names = CONTEXTS

    def __init__(self, world: "World") -> None:
        self._world = world
        self.away: set[str] = set()
        """Contexts that give no answer."""

    async def ask(self, context: str, path: str, method: str = "GET") -> Said | None:
        if context in self.away:
            return None
        parts = urlsplit(path)
        assert context_of(parts.path) == context, path
        for name, function in self._world.functions.items():
            operation = getattr(function, "operation", None)
            found = operation and operation.method == method and _pattern(operation.route).fullmatch(parts.path)
            if found:
                query = dict(parse_qsl(parts.query))
                answer = await self._world.call(name, route=found.groupdict(), query=query, caller=OPERATIONS)
                return Said(answer.status, answer.body)
        raise AssertionError(f"nobody answers {path}")


@cache
def _pattern(route: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route))
