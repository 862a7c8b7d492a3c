"""What operations' handlers need from storage."""

from collections.abc import Sequence
from typing import Protocol

from services.operations.domain import Recorded


class Events(Protocol):
    """Each event once, beside the others of its order."""

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        ...

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        ...
