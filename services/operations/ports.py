"""What operations' handlers need from storage."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.operations.domain import Cursor, Disagreement, Recorded
from services.operations.projections import Head, Place
from shared.audit import AuditEntry


class Events(Protocol):
    """Each event once, beside the others of its order."""

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        ...

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        ...

    async def after(self, place: tuple[int, str], until: int | None, most: int) -> Sequence[Recorded]:
        """The next ones strictly behind (recorded at, event id), in this order, that were recorded by `until`. What
        can't be read is left out."""
        ...

    async def facts(self, order_ids: Collection[str]) -> Sequence[Recorded]:
        """Of these orders the events that the sums depend on."""
        ...


class Sums(Protocol):
    """How many of what there was, in models that are moved on over the events, one at a time."""

    async def head(self) -> Head | None:
        """How far they have come; None before the first event."""
        ...

    async def save(
        self, head: Head, sums: Mapping[Place, Mapping[str, int]] | None = None, audit: AuditEntry | None = None
    ) -> Head:
        """Replace what was read, and add that to the sums, in one write or not at all. Raises Contended where another
        has moved on since."""
        ...

    async def of(self, head: Head, places: Collection[Place]) -> Mapping[str, Mapping[str, int]]:
        """The sums at these places, by their ids, with what this head holds of them."""
        ...


class Disagreements(Protocol):
    """What doesn't agree, and how far events were looked into for more."""

    async def cursor(self, name: str) -> Cursor | None:
        """The cursor of that name; None before the first run."""
        ...

    async def move(self, cursor: Cursor) -> Cursor:
        """Store it, new or over the one that was read. Raises Contended where another has moved it."""
        ...

    async def get(self, id: str) -> Disagreement | None:
        """The one about this, open or let be, or None."""
        ...

    async def open(self, after: tuple[datetime, str] | None, size: int) -> Sequence[Disagreement]:
        """The next of those that nobody has let be, oldest first, strictly behind (found at, id). What can't be read is
        left out."""
        ...

    async def save(self, disagreement: Disagreement, audit: AuditEntry | None = None) -> None:
        """Store it, new or over the one that was read. Raises Contended where that has changed."""
        ...

    async def end(self, disagreement: Disagreement) -> None:
        """Delete the one that was read: all agree. Raises Contended where it has changed."""
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

    async def ask(self, context: str, path: str, method: str = "GET") -> Said | None:
        """What the context answers at a path below /api, or None where it gives no answer within a second."""
        ...
