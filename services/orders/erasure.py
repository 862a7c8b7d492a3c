"""What is to be forgotten, as it is stored: decided once, acted on until nothing is due."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.orders.domain import Order
from shared.errors import Unparseable

SURELY_STORED = timedelta(minutes=5)
"""An order that was placed so long ago is stored, or never will be, however far apart the clocks are."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """That nothing of the orders placed by `until` shall tell of their customer: of one customer's, at their wish; of
    everybody's, by time, where `customer_id` is None.

    `place` is how far the orders have been gone through, as placing time and id; `due` are those up to there that
    weren't final, or failed, when they were last looked at.
    """

    customer_id: str | None
    created_at: datetime
    until: datetime
    request_id: str = ""
    place: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    etag: str = field(default="", compare=False, metadata={"stored": False})


@dataclass(frozen=True, slots=True)
class Placed:
    """An order in its place among others, or why this version can't read it."""

    at: str
    id: str
    is_forgotten: bool
    order: Order | Unparseable

    @property
    def place(self) -> tuple[str, ...]:
        """As a keyset."""
        return self.at, self.id
