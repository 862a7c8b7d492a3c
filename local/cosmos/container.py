"""One container: a table of documents, and the indexes that its queries have asked for."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.cosmos import errors

_TABLE = """
CREATE TABLE IF NOT EXISTS {table} (
    row INTEGER PRIMARY KEY, pk TEXT NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL, expires INTEGER,
    etag TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS {table}_key ON {table} (pk, id);
CREATE INDEX IF NOT EXISTS {table}_lsn ON {table} (lsn);
CREATE INDEX IF NOT EXISTS {table}_expires ON {table} (expires) WHERE expires IS NOT NULL;
"""
_TTL = """
UPDATE {table} SET expires = CASE json_extract(body, '$.ttl')
    WHEN -1 THEN NULL ELSE json_extract(body, '$._ts') + ifnull(json_extract(body, '$.ttl'), :ttl) END
"""
_MOST_INDEXES = 16


@dataclass(frozen=True, slots=True)
class Document:
    """A stored version of an item. `body` is its JSON, system properties included; `expires` is in seconds."""

    row: int
    partition: str
    id: str
    lsn: int
    expires: int | None
    etag: str
    body: str


class Container:
    """The documents of one container; whoever writes holds a transaction of the store."""

    def __init__(self, db: sqlite3.Connection, number: int, definition: dict[str, Any]) -> None:
        self._db, self.definition = db, definition
        self.rid: str = definition["_rid"]
        self.key_path: tuple[str, ...] = tuple(definition["partitionKey"]["paths"][0].strip("/").split("/"))
        self.table = f"documents_{number}"
        for statement in _TABLE.format(table=self.table).split(";"):
            db.execute(statement)
        kept = "row, pk, id, lsn, expires, etag, body"
        self._find = f"SELECT {kept} FROM {self.table} WHERE pk = ? AND id = ?"
        self._put = f"INSERT OR REPLACE INTO {self.table} ({kept}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._update = f"UPDATE {self.table} SET lsn = ?, expires = ?, etag = ?, body = ? WHERE row = ?"
        self._remove = f"DELETE FROM {self.table} WHERE row = ?"
        names = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
        self._indexes = {name for (name,) in db.execute(names, (self.table,))}

    @property
    def default_ttl(self) -> int | None:
        """Seconds; -1: only documents with a `ttl` of their own expire; None: none does."""
        return self.definition.get("defaultTtl")

    @property
    def composite_indexes(self) -> list[list[tuple[str, bool]]]:
        """The indexes that an ORDER BY of several properties needs, each a list of path and whether descending."""
        policy = self.definition["indexingPolicy"].get("compositeIndexes", [])
        return [[(p["path"], p.get("order") == "descending") for p in index] for index in policy]

    def find(self, partition: str, id: str) -> Document | None:
        """The document, unless it has expired."""
        row = self._db.execute(self._find, (partition, id)).fetchone()
        if row is None or (row[4] is not None and row[4] <= time.time()):
            return None
        return Document(*row)

    def insert(self, new: Document) -> None:
        """Store a document that wasn't there; an expired one of the same id goes for good."""
        row = (new.row, new.partition, new.id, new.lsn, new.expires, new.etag, new.body)
        self._db.execute(self._put, row)

    def update(self, new: Document) -> None:
        """Store a document's next version."""
        self._db.execute(self._update, (new.lsn, new.expires, new.etag, new.body, new.row))

    def remove(self, row: int) -> None:
        """Delete a document."""
        self._db.execute(self._remove, (row,))

    def select(
        self, columns: str, clauses: Sequence[str], values: dict[str, Any], rest: str, index: str | None
    ) -> Iterator[Any]:
        """`columns` of the documents that haven't expired and fulfil every clause, `rest` (ORDER BY), by this index."""
        source = f"{self.table} {'NOT INDEXED' if index is None else f'INDEXED BY {index}'}"
        where = " AND ".join(["(expires IS NULL OR expires > :now)", *clauses])
        values["now"] = int(time.time())
        try:
            return self._db.execute(f"SELECT {columns} FROM {source} WHERE {where} {rest}", values)
        except (sqlite3.OperationalError, OverflowError, UnicodeEncodeError) as error:
            raise errors.unsupported(f"this query ({error})") from error

    def holds(self, condition: str, values: dict[str, Any]) -> bool:
        """Whether a condition on `body`, one of the values, holds."""
        found = self._db.execute(f"SELECT 1 FROM (SELECT :body AS body) WHERE {condition}", values)
        return found.fetchone() is not None

    def index(self, columns: Sequence[str]) -> str | None:
        """The name of an index on these expressions, made now if need be; None when there are too many already."""
        digest = hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16]
        name = f"{self.table}_by_{digest}"
        if name not in self._indexes:
            if len(self._indexes) >= _MOST_INDEXES:
                return None
            self._db.execute(f"CREATE INDEX {name} ON {self.table} ({', '.join(columns)})")
            self._indexes.add(name)
        return name

    def highest(self) -> int:
        """The number of the latest transaction that left something here."""
        return int(self._db.execute(f"SELECT ifnull(max(lsn), 0) FROM {self.table}").fetchone()[0])

    def redefine(self, definition: dict[str, Any]) -> None:
        """Take over a changed definition; documents expire as its TTL says."""
        if definition.get("defaultTtl") != self.default_ttl:
            ttl = definition.get("defaultTtl")
            statement = f"UPDATE {self.table} SET expires = NULL" if ttl is None else _TTL.format(table=self.table)
            self._db.execute(statement, {"ttl": None if ttl == -1 else ttl})
        self.definition = definition

    def drop(self) -> None:
        """Delete all documents for good."""
        self._db.execute(f"DROP TABLE {self.table}")

    def purge(self, limit: int) -> int:
        """Delete up to `limit` expired documents for good."""
        expired = f"SELECT row FROM {self.table} WHERE expires <= ? LIMIT ?"
        values = (int(time.time()), limit)
        return self._db.execute(f"DELETE FROM {self.table} WHERE row IN ({expired})", values).rowcount


def partition_key(document: Any, path: Sequence[str]) -> str:
    """A document's partition key in the form that the store keeps, JSON; `{}` where it has none."""
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return "{}"
        document = document[name]
    return canonical(document)


def canonical(value: Any) -> str:
    """A partition key's JSON, the same for equal keys."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
