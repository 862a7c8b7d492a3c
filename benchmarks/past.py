"""A shop's past: orders that were completed, stored as often again as is wanted, each under an id of its own and at a
time of its own in the past months. What is derived from an order's id is derived anew."""

import json
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from pathlib import Path
from typing import Any

from local.cosmos.query import extracted
from shared.codec import parse_rfc3339, rfc3339
from shared.messaging import catalogue, contract_name, derived_id, event_id

NEWEST, OLDEST = timedelta(days=1), timedelta(days=90)
"""How old the orders are: older than anything that a timer compares, counts or sends again."""
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_STORED = r'(?<="_ts":)\d+'
_AT_A_TIME = 1_000
_FACTS = {contract_name(cls): cls for cls in catalogue().values()}

type Row = tuple[str, str, int | None, str, str]
"""Partition, id, when it expires, ETag and body, as the stand-in keeps them."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a document that an order has left says, with a gap for everything that is another order's alone."""

    table: str
    partition: str
    id: str
    expires: int | None
    etag: str
    body: str

    def filled(self, values: dict[str, str], age: int) -> Row:
        """As another order has left it, so many seconds before."""
        expires = None if self.expires is None else self.expires - age
        return self.partition % values, self.id % values, expires, self.etag, self.body % values


class Ended:
    """An order that was completed, and what it has left: rows by table."""

    def __init__(self, order_id: str, rows: Sequence[tuple[str, Row]]) -> None:
        self._number = order_id.removeprefix("ord_")
        documents = [json.loads(body) for _, (*_, body) in rows]
        self._derived = dict(filter(None, map(derivation, documents)))
        self._intents = [each["intentId"] for each in documents if each["kind"] == "payment"]
        known = "|".join(map(re.escape, [self._number, *self._derived, *self._intents]))
        bodies = "\n".join(body for _, (*_, body) in rows)
        self._times = {each: parse_rfc3339(each) for each in re.findall(_TIME, bodies)}
        self._stored = {each: int(each) for each in re.findall(_STORED, bodies)}
        gap = re.compile(f"{known}|{_TIME}|{_STORED}")

        def with_gaps(text: str) -> str:
            return gap.sub(r"%(\g<0>)s", text.replace("%", "%%"))

        self._left = [
            Left(table, with_gaps(partition), with_gaps(id), expires, etag, with_gaps(body))
            for table, (partition, id, expires, etag, body) in rows
        ]

    def copy(self, number: int, age: timedelta, now: float) -> Iterator[tuple[str, Row]]:
        """What the order of this number has left, so much earlier, without what has expired by now; by table."""
        order_number = f"{number:032x}"
        values = {self._number: order_number}
        values |= {id: derive(f"ord_{order_number}") for id, derive in self._derived.items()}
        values |= dict.fromkeys(self._intents, f"pi_{number:024x}")
        values |= {text: rfc3339(at - age) for text, at in self._times.items()}
        seconds = int(age.total_seconds())
        values |= {text: str(at - seconds) for text, at in self._stored.items()}
        for left in self._left:
            if left.expires is None or left.expires - seconds > now:
                yield left.table, left.filled(values, seconds)


def derivation(document: dict[str, Any]) -> tuple[str, Callable[[str], str]] | None:
    """The id in a document that derives from its order's, and how; None where there is none."""
    if document["kind"] == "event":
        fact = _FACTS[document["name"]]
        return document["eventId"], lambda order_id: event_id(fact, order_id)
    if document["kind"] == "audit":
        return document["id"], lambda order_id: derived_id("audit", document["requestId"], order_id)
    return None


def load(file: Path, number: int) -> None:
    """Store so many orders in a stand-in's file, in the order of their time, as copies, in turns, of those that are
    completed there. The stand-in must not run."""
    # A file that is half written is thrown away: no journal is needed.
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.create_function("extracted", 2, extracted, deterministic=True)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
            db.execute(f"PRAGMA {setting}")
        ended = list(completed(db))
        db.execute("BEGIN")
        made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'documents%by%'"
        indexes = db.execute(made).fetchall()  # faster made anew, when all is there, than kept
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        now = time.time()
        for some in batched(range(number), _AT_A_TIME, strict=False):
            rows = defaultdict[str, list[Row]](list)
            for each in some:
                age = OLDEST - (OLDEST - NEWEST) * each / number
                for table, row in ended[each % len(ended)].copy(each, timedelta(seconds=int(age.total_seconds())), now):
                    rows[table].append(row)
            for table, stored in rows.items():
                db.executemany(f"INSERT INTO {table} (pk, id, expires, etag, body) VALUES (?, ?, ?, ?, ?)", stored)
        for _, sql in indexes:
            db.execute(sql)
        db.execute("COMMIT")


def completed(db: sqlite3.Connection) -> Iterator[Ended]:
    """The orders that are completed, with what each has left in any container."""
    found = db.execute("SELECT path, number FROM resources WHERE path LIKE '%/colls/%'").fetchall()
    tables = {path.rpartition("/")[2]: f"documents_{number}" for path, number in found}
    orders = f"SELECT id, body FROM {tables['orders']} WHERE id LIKE 'ord\\_%' ESCAPE '\\'"
    ids = [id for id, body in db.execute(orders).fetchall() if json.loads(body)["step"] == "completed"]
    for order_id in ids:
        left = "SELECT pk, id, expires, etag, body FROM {} WHERE pk = ? OR id = ?"
        keys = json.dumps(order_id), f"res:{order_id}"
        yield Ended(order_id, [(each, row) for each in tables.values() for row in db.execute(left.format(each), keys)])
