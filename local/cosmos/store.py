"""Databases, containers and documents in one SQLite file.

Promises: what a transaction wrote is whole or absent, also after `kill -9`, and later transactions have higher
numbers, also across restarts (they are microseconds, pushed on where the clock isn't).
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.cosmos import errors
from local.cosmos.container import Container
from local.cosmos.identity import Sequence, container_rid, database_rid

_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, definition TEXT);
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT, definition TEXT
);
"""
_NAME = re.compile(r"[^/\\#?\x00-\x1f]{1,255}(?<! )")
_DEFINABLE = ("id", "partitionKey", "indexingPolicy", "defaultTtl", "conflictResolutionPolicy", "geospatialConfig")


class Store:
    """The account's content. One thread, one connection."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=1024)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self.databases: dict[str, dict[str, Any]] = {}
        self.containers: dict[tuple[str, str], Container] = {}
        for database, definition in self._db.execute("SELECT id, definition FROM databases"):
            self.databases[database] = json.loads(definition)
        rows = self._db.execute("SELECT number, database, definition FROM containers").fetchall()
        for number, database, definition in rows:
            self._open(number, database, json.loads(definition))
        self.sequence = Sequence(max((c.highest() for c in self.containers.values()), default=0))

    @contextmanager
    def transaction(self) -> Iterator[int]:
        """All or nothing; gives the transaction's number."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self.sequence.next()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def container(self, database: str, name: str) -> Container:
        """The container; 404 with sub-status 1003 where it or its database doesn't exist."""
        found = self.containers.get((database, name))
        if found is None:
            raise errors.owner_not_found()
        return found

    def create_database(self, wish: Any) -> dict[str, Any]:
        """Create a database; 409 if it exists."""
        name = _name(wish)
        if name in self.databases:
            raise errors.conflict()
        with self.transaction():
            number = self._db.execute("INSERT INTO databases (id) VALUES (?)", (name,)).lastrowid or 0
            rid = database_rid(number)
            definition = {"id": name, "_rid": rid, "_self": f"dbs/{rid}/", **self._stamp()}
            definition |= {"_colls": "colls/", "_users": "users/"}
            self._db.execute("UPDATE databases SET definition = ? WHERE number = ?", (json.dumps(definition), number))
        self.databases[name] = definition
        return definition

    def delete_database(self, name: str) -> None:
        """Delete a database with all it holds."""
        containers = [key for key in self.containers if key[0] == name]
        with self.transaction():
            for key in containers:
                self._drop(self.containers[key])
            self._db.execute("DELETE FROM databases WHERE id = ?", (name,))
        del self.databases[name]
        for key in containers:
            del self.containers[key]

    def create_container(self, database: str, wish: Any) -> Container:
        """Create a container; 409 if it exists, 400 or 501 for a definition that can't be."""
        name = _name(wish)
        if database not in self.databases:
            raise errors.owner_not_found()
        if (database, name) in self.containers:
            raise errors.conflict()
        with self.transaction():
            row = self._db.execute("INSERT INTO containers (database) VALUES (?)", (database,))
            number = row.lastrowid or 0
            owner = self.databases[database]["_rid"]
            rid = container_rid(owner, number)
            definition = self._define(wish) | {"_rid": rid, "_self": f"dbs/{owner}/colls/{rid}/", **self._stamp()}
            definition |= {"_docs": "docs/", "_sprocs": "sprocs/", "_triggers": "triggers/", "_udfs": "udfs/"}
            self._save(number, definition)
            return self._open(number, database, definition)

    def replace_container(self, container: Container, wish: Any) -> Container:
        """Change a container's TTL and indexes; 400 when its id or partition key would change."""
        definition = container.definition | self._define(wish) | self._stamp()
        if "defaultTtl" not in wish:
            definition.pop("defaultTtl", None)
        for fixed in ("id", "partitionKey"):
            if definition[fixed] != container.definition[fixed]:
                raise errors.bad_request(f"The container's {fixed} can't be changed.")
        with self.transaction():
            self._save(container.number, definition)
            container.redefine(definition)
        return container

    def delete_container(self, container: Container) -> None:
        """Delete a container with all its documents."""
        with self.transaction():
            self._drop(container)
        del self.containers[container.database, container.name]

    def purge(self, limit: int) -> int:
        """Delete up to `limit` expired documents of each container for good; how many it was."""
        with self.transaction():
            return sum(container.purge(limit) for container in self.containers.values())

    def _open(self, number: int, database: str, definition: dict[str, Any]) -> Container:
        container = Container(self._db, number, database, definition)
        self.containers[database, container.name] = container
        return container

    def _save(self, number: int, definition: dict[str, Any]) -> None:
        row = (json.dumps(definition), number)
        self._db.execute("UPDATE containers SET definition = ? WHERE number = ?", row)

    def _drop(self, container: Container) -> None:
        self._db.execute(f"DROP TABLE {container.table}")
        self._db.execute("DELETE FROM containers WHERE number = ?", (container.number,))

    def _stamp(self) -> dict[str, Any]:
        return {"_etag": self.sequence.etag(), "_ts": int(time.time())}

    def _define(self, wish: dict[str, Any]) -> dict[str, Any]:
        for field in wish:
            if field not in _DEFINABLE and not field.startswith("_"):
                raise errors.unsupported(f"containers with {field!r}")
        key = wish.get("partitionKey")
        if not isinstance(key, dict) or not isinstance(key.get("paths"), list) or not key["paths"]:
            raise errors.bad_request("A container needs a partition key.")
        if len(key["paths"]) > 1 or key.get("kind", "Hash") != "Hash":
            raise errors.unsupported("hierarchical partition keys")
        ttl = wish.get("defaultTtl")
        if ttl is not None and not (isinstance(ttl, int) and (ttl == -1 or 0 < ttl < 2**31)):
            raise errors.bad_request("defaultTtl must be -1 or a positive number of seconds.")
        policy = {"indexingMode": "consistent", "automatic": True, "includedPaths": [{"path": "/*"}]}
        policy |= {"excludedPaths": [{"path": '/"_etag"/?'}]}
        defined = {field: wish[field] for field in _DEFINABLE if wish.get(field) is not None}
        return defined | {"indexingPolicy": wish.get("indexingPolicy") or policy}


def _name(wish: Any) -> str:
    name = wish.get("id") if isinstance(wish, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise errors.bad_request("A resource needs an id of 1 to 255 characters without / \\ # ?")
    return name
