"""One container: a table of documents, and the indexes that its queries have asked for."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.cosmos import errors
from local.cosmos.indexing import Index, names, policy

_TABLE = """
CREATE TABLE IF NOT EXISTS {table} (
    row INTEGER PRIMARY KEY, pk TEXT NOT NULL, id TEXT NOT NULL, expires INTEGER, etag TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS {table}_key ON {table} (pk, id);
CREATE INDEX IF NOT EXISTS {table}_expires ON {table} (expires) WHERE expires IS NOT NULL;
"""
_MOST_INDEXES = 16
_REMEMBERED = 1_000
MOST_KEY_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Document:
    """A stored version of an item. `body` is its JSON, system properties included; `expires` is in seconds."""

    row: int
    partition: str
    id: str
    expires: int | None
    etag: str
    body: str


class Container:
    """The documents of one container; whoever writes holds a transaction of the store."""

    def __init__(self, db: sqlite3.Connection, number: int, definition: dict[str, Any]) -> None:
        self._db, self.definition = db, definition
        self.rid: str = definition["_rid"]
        self.key_path = names(definition["partitionKey"]["paths"][0])
        self.index = Index(policy(definition.get("indexingPolicy")))
        self.table = f"documents_{number}"
        self._before: dict[tuple[str, str], Document | None] = {}
        self.looking, self.looked, self.looked_at = f"{self.table}_look()", f"{self.table}_looked()", 0
        db.create_function(f"{self.table}_look", 0, self._look)
        db.create_function(f"{self.table}_looked", 0, lambda: self.looked_at)
        for statement in _TABLE.format(table=self.table).split(";"):
            db.execute(statement)
        self.key_index = f"{self.table}_key"
        kept = "row, pk, id, expires, etag, body"
        self._find = f"SELECT {kept} FROM {self.table} WHERE pk = ? AND id = ?"
        self._put = f"INSERT OR REPLACE INTO {self.table} ({kept}) VALUES (?, ?, ?, ?, ?, ?)"
        self._update = f"UPDATE OR REPLACE {self.table} SET id = ?, expires = ?, etag = ?, body = ? WHERE row = ?"
        self._expired = f"SELECT row FROM {self.table} WHERE expires <= ? LIMIT 2"
        self._remove = f"DELETE FROM {self.table} WHERE row = ?"
        existing = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
        self._made = {name for (name,) in db.execute(existing, (self.table,))}

    def find(self, partition: str, id: str) -> Document | None:
        """The document, unless it has expired."""
        row = self._db.execute(self._find, (partition, id)).fetchone()
        if row is None or (row[3] is not None and row[3] <= time.time()):
            return None
        return Document(*row)

    def find_as_before(self, partition: str, id: str) -> Document | None:
        """The document as it was before it was last written, of those that were lately."""
        key = partition, id
        return self._before[key] if key in self._before else self.find(partition, id)

    def id_of(self, row: int) -> str | None:
        """The id of a document."""
        found = self._db.execute(f"SELECT id FROM {self.table} WHERE row = ?", (row,)).fetchone()
        return str(found[0]) if found else None

    def insert(self, new: Document) -> None:
        """Store a document that wasn't there; an expired one of the same id goes for good, and so do two others."""
        self._remember(new.partition, new.id, None)
        self._db.execute(self._put, (new.row, new.partition, new.id, new.expires, new.etag, new.body))
        for expired in self._db.execute(self._expired, (int(time.time()),)).fetchall():
            self._db.execute(self._remove, expired)

    def update(self, old: Document, new: Document) -> None:
        """Store a document's next version; if that has the id of an expired one, this goes for good."""
        self._remember(old.partition, old.id, old)
        self._db.execute(self._update, (new.id, new.expires, new.etag, new.body, new.row))

    def remove(self, old: Document) -> None:
        """Delete a document."""
        self._remember(old.partition, old.id, old)
        self._db.execute(self._remove, (old.row,))

    def _remember(self, partition: str, id: str, old: Document | None) -> None:
        self._before[partition, id] = old
        if len(self._before) > _REMEMBERED:
            del self._before[next(iter(self._before))]

    def select(
        self, columns: str, clauses: Sequence[str], values: dict[str, Any], rest: str, index: str | None
    ) -> Iterator[Any]:
        """`columns` of the documents that haven't expired and fulfil every clause, `rest` (ORDER BY), by this index.

        The clause `looking` is always true; `looked` is how many times it has been evaluated by the row, `looked_at` by
        now.
        """
        self.looked_at = 0
        source = f"{self.table} {'NOT INDEXED' if index is None else f'INDEXED BY {index}'}"
        where = " AND ".join(["(expires IS NULL OR expires > :now)", *clauses])
        return self._run(f"SELECT {columns} FROM {source} WHERE {where} {rest}", {**values, "now": int(time.time())})

    def holds(self, condition: str, values: dict[str, Any]) -> bool:
        """Whether a condition on `body`, one of the values, holds."""
        return bool([*self._run(f"SELECT 1 FROM (SELECT :body AS body) WHERE {condition}", values)])

    def _run(self, query: str, values: dict[str, Any]) -> Iterator[Any]:
        try:
            return self._db.execute(query, values)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise errors.unsupported(f"this query ({error})") from error

    def sql_index(self, columns: Sequence[str]) -> str | None:
        """The name of an index on these expressions, made now if need be; None when there are too many already."""
        digest = hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16]
        name = f"{self.table}_by_{digest}"
        if name not in self._made:
            if len(self._made) >= _MOST_INDEXES:
                return None
            self._db.execute(f"CREATE INDEX {name} ON {self.table} ({', '.join(columns)})")
            self._made.add(name)
        return name

    def _look(self) -> int:
        self.looked_at += 1
        return 1

    def highest(self) -> int:
        """The highest row."""
        return int(self._db.execute(f"SELECT ifnull(max(row), 0) FROM {self.table}").fetchone()[0])

    def drop(self) -> None:
        """Delete all documents for good."""
        self._db.execute(f"DROP TABLE {self.table}")


def partition_key(document: Any, path: Sequence[str]) -> str:
    """A document's partition key in the form that the store keeps, JSON; `{}` where it has none that can be one."""
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return canonical({})
        document = document[name]
    return canonical({} if isinstance(document, dict | list) else document)


def canonical(value: Any) -> str:
    """A partition key's JSON, the same for equal keys; 400 for one that is too long."""
    if isinstance(value, str) and len(value.encode(errors="replace")) > MOST_KEY_BYTES:
        raise errors.bad_request(f"The partition key is longer than {MOST_KEY_BYTES} bytes.")
    return json.dumps(value)
