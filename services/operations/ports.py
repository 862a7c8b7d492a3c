"""What operations' handlers need from storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.operations.domain import Recorded


class Events(Protocol):
    """Each event once, beside the others of its order."""

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        ...

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        ...


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

    async def ask(self, context: str, path: str) -> Said | None:
        """What the context answers at a path below /api, or None where it gives no answer within a second."""
        ...
