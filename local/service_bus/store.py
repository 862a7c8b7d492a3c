"""The messages on disk: one SQLite file, in WAL mode, so that what was committed survives the death of the process."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from local.service_bus.codec import Envelope
from local.service_bus.entities import Entity, State, Stored
from local.sqlite import opened

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages(
    box TEXT NOT NULL, seq INTEGER NOT NULL, state INTEGER NOT NULL, delivery_count INTEGER NOT NULL,
    enqueued INTEGER NOT NULL, due INTEGER, expires INTEGER, origin INTEGER NOT NULL, source TEXT,
    message_id TEXT, correlation_id TEXT, type TEXT, ttl INTEGER,
    header BLOB NOT NULL, annotations BLOB NOT NULL, bare BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS numbered(entity TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sightings(entity TEXT NOT NULL, message_id TEXT NOT NULL, until INTEGER NOT NULL);
"""


class Store:
    """Writes gather in a transaction until `commit`. After an SQLite error memory and disk differ: end the process.

    What is looked up by a key is looked up in memory: an index on disk is a page more for each write.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = opened(path, _SCHEMA)
        self._last = Counter[str](dict(self._db.execute("SELECT entity, last FROM numbered")))
        self._numbered = set[str]()
        sightings = self._db.execute("SELECT entity, message_id, until, rowid FROM sightings ORDER BY rowid")
        self._seen = {(entity, message_id): (until, row) for entity, message_id, until, row in sightings}

    def load(self, entities: Mapping[str, Entity]) -> Iterator[Stored]:
        """Every message in these entities, oldest first. What a former topology left stays on disk, out of sight."""
        columns = "seq, box, state, delivery_count, enqueued, due, expires"
        size = "length(header) + length(annotations) + length(bare)"
        query = f"SELECT {columns}, {size}, rowid FROM messages ORDER BY box, seq"
        for seq, box, state, *rest in self._db.execute(query):
            if box.lower() in entities:
                yield Stored(seq, entities[box.lower()], State(state), *rest)

    def next_seq(self, entity: str) -> int:
        """A sequence number that the entity has never given before: from 1 on."""
        self._last[entity] += 1
        self._numbered.add(entity)
        return self._last[entity]

    def insert(self, stored: Stored, envelope: Envelope) -> None:
        """Add a message."""
        added = self._write(
            "INSERT INTO messages VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            stored.entity.path, stored.seq, stored.state, stored.delivery_count, stored.enqueued, stored.due,
            stored.expires, envelope.origin, envelope.source, envelope.message_id, envelope.correlation_id,
            envelope.type, envelope.ttl, envelope.header, envelope.annotations, envelope.bare,
        )  # fmt: skip
        stored.row = added.lastrowid or 0

    def read(self, stored: Stored) -> Envelope:
        """The message itself."""
        columns = "header, annotations, bare, message_id, correlation_id, type, ttl, origin, source"
        query = f"SELECT {columns} FROM messages WHERE rowid = ?"
        return Envelope(*self._db.execute(query, (stored.row,)).fetchone())

    def update(self, stored: Stored) -> None:
        """Keep a message's state and delivery count."""
        changed = stored.state, stored.delivery_count, stored.row
        self._write("UPDATE messages SET state = ?, delivery_count = ? WHERE rowid = ?", *changed)

    def delete(self, stored: Stored) -> None:
        """Forget a message."""
        self._write("DELETE FROM messages WHERE rowid = ?", stored.row)

    def first_seen(self, entity: str, message_id: str, now: int, window: int) -> bool:
        """Whether the entity hasn't seen this id within the window (milliseconds); from now on it has."""
        sighting = entity, message_id
        if self._seen.get(sighting, (0, 0))[0] > now:
            return False
        self._seen.pop(sighting, None)  # the newest is the last
        added = self._write("INSERT INTO sightings VALUES(?, ?, ?)", *sighting, now + window)
        self._seen[sighting] = now + window, added.lastrowid or 0
        return True

    def forget_seen(self, now: int) -> None:
        """Drop the ids whose window has passed."""
        passed = list(takewhile(lambda each: each[1][0] <= now, self._seen.items()))
        for sighting, _ in passed:
            del self._seen[sighting]
        if passed:
            _, (_, last) = passed[-1]
            self._write("DELETE FROM sightings WHERE rowid <= ?", last)

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
