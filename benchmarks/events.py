"""What a stack's contexts have announced of orders, as `operations` keeps it, read from the store's own file: so nobody
who waits for an order costs the application a request."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Event:
    """One, by the clock of whoever announced it."""

    name: str
    order_id: str
    at: datetime


class Events:
    """Those from now on."""

    def __init__(self, state: Path) -> None:
        self._db = sqlite3.connect(f"file:{state / 'cosmos' / 'cosmos.sqlite'}?mode=ro", uri=True)
        [(number,)] = self._db.execute("SELECT number FROM resources WHERE path LIKE '%/colls/operations'").fetchall()
        self._table, self._row = f"documents_{number}", 0
        self._row = self._db.execute(f"SELECT ifnull(max(row), 0) FROM {self._table}").fetchone()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def new(self) -> list[Event]:
        """Those that weren't told yet, in the order in which they were kept."""
        query = f"SELECT row, body FROM {self._table} WHERE row > ? ORDER BY row"
        with closing(self._db.execute(query, (self._row,))) as found:
            rows = found.fetchall()
        if rows:
            self._row = rows[-1][0]
        documents = [document for _, body in rows if (document := json.loads(body))["kind"] == "event"]
        return [
            Event(each["name"], each["orderId"], datetime.fromisoformat(each["at"]))
            for each in documents
            if each.get("orderId")
        ]


@dataclass(slots=True)
class Journey:
    """One order's, by the times of its events."""

    order_id: str
    times: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it is completed, and everything told of it; or rejected."""
        completed = {"OrderPlaced", "OrderConfirmed", "ShipmentCreated", "ShipmentDispatched", "OrderCompleted"}
        return completed <= self.times.keys() or "OrderRejected" in self.times

    @property
    def confirmed(self) -> float:
        """Milliseconds from the placing until the customer has a confirmation."""
        return self._between("OrderPlaced", "OrderConfirmed")

    @property
    def completed(self) -> float:
        """Milliseconds from the placing to the end, but for the wait for the warehouse."""
        return self._between("OrderPlaced", "OrderCompleted") - self._between("ShipmentCreated", "ShipmentDispatched")

    def _between(self, earlier: str, later: str) -> float:
        return (self.times[later] - self.times[earlier]).total_seconds() * 1000
