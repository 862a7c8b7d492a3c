"""The messages on disk: one SQLite file, in WAL mode, so that what was committed survives the death of the process."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.service_bus.codec import Envelope
from local.service_bus.entities import Entity, State, Stored
from local.sqlite import opened

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages(
    box TEXT NOT NULL, seq INTEGER NOT NULL, state INTEGER NOT NULL, delivery_count INTEGER NOT NULL,
    enqueued INTEGER NOT NULL, due INTEGER, expires INTEGER, origin INTEGER NOT NULL, source TEXT,
    message_id TEXT, correlation_id TEXT, type TEXT, ttl INTEGER,
    header BLOB NOT NULL, annotations BLOB NOT NULL, bare BLOB NOT NULL, PRIMARY KEY(box, seq)
);
CREATE TABLE IF NOT EXISTS numbered(entity TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen(entity TEXT, message_id TEXT, until INTEGER NOT NULL, PRIMARY KEY(entity, message_id))
WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_until ON seen(until);
"""


class Store:
    """Writes gather in a transaction until `commit`. After an SQLite error memory and disk differ: end the process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = opened(path, _SCHEMA)
        self._last = Counter[str](dict(self._db.execute("SELECT entity, last FROM numbered")))
        self._numbered = set[str]()

    def load(self, entities: Mapping[str, Entity]) -> Iterator[Stored]:
        """Every message in these entities, oldest first. What a former topology left stays on disk, out of sight."""
        columns = "seq, box, state, delivery_count, enqueued, due, expires"
        size = "length(header) + length(annotations) + length(bare)"
        for seq, box, state, *rest in self._db.execute(f"SELECT {columns}, {size} FROM messages ORDER BY box, seq"):
            if box.lower() in entities:
                yield Stored(seq, entities[box.lower()], State(state), *rest)

    def next_seq(self, entity: str) -> int:
        """A sequence number that the entity has never given before: from 1 on."""
        self._last[entity] += 1
        self._numbered.add(entity)
        return self._last[entity]

    def insert(self, stored: Stored, envelope: Envelope) -> None:
        """Add a message."""
        self._write(
            "INSERT INTO messages VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            stored.entity.path, stored.seq, stored.state, stored.delivery_count, stored.enqueued, stored.due,
            stored.expires, envelope.origin, envelope.source, envelope.message_id, envelope.correlation_id,
            envelope.type, envelope.ttl, envelope.header, envelope.annotations, envelope.bare,
        )  # fmt: skip

    def read(self, stored: Stored) -> Envelope:
        """The message itself."""
        columns = "header, annotations, bare, message_id, correlation_id, type, ttl, origin, source"
        query = f"SELECT {columns} FROM messages WHERE box = ? AND seq = ?"
        return Envelope(*self._db.execute(query, (stored.entity.path, stored.seq)).fetchone())

    def update(self, stored: Stored) -> None:
        """Keep a message's state and delivery count."""
        changed = (stored.state, stored.delivery_count, stored.entity.path, stored.seq)
        self._write("UPDATE messages SET state = ?, delivery_count = ? WHERE box = ? AND seq = ?", *changed)

    def delete(self, stored: Stored) -> None:
        """Forget a message."""
        self._write("DELETE FROM messages WHERE box = ? AND seq = ?", stored.entity.path, stored.seq)

    def first_seen(self, entity: str, message_id: str, now: int, window: int) -> bool:
        """Whether the entity hasn't seen this id within the window (milliseconds); from now on it has."""
        upsert = "INSERT INTO seen VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET until = ?3 WHERE until <= ?4"
        return self._write(upsert, entity, message_id, now + window, now).rowcount > 0

    def forget_seen(self, now: int) -> None:
        """Drop the ids whose window has passed."""
        self._write("DELETE FROM seen WHERE until <= ?", now)

    def commit(self) -> None:
        """Make everything since the last commit last."""
        if self._db.in_transaction:
            numbered = [(entity, self._last[entity]) for entity in self._numbered]
            self._db.executemany("INSERT OR REPLACE INTO numbered VALUES(?, ?)", numbered)
            self._numbered.clear()
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._db.close()

    def _write(self, statement: str, *values: object) -> sqlite3.Cursor:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        return self._db.execute(statement, values)
