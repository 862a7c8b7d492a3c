"""What operations' handlers need of the other contexts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Said:
    """What a context answered."""

    status: int
    body: dict[str, Any]


class Contexts(Protocol):
    """Every context, as it answers over HTTP."""

    @property
    def names(self) -> Sequence[str]:
        """Those that can be asked."""
        ...

    async def ask(self, context: str, path: str, method: str = "GET") -> Said | None:
        """What the context answers at a path below /api, or None where it gives no answer within a second."""
        ...
