"""Databases, containers and documents in one SQLite file.

Promises: what a transaction wrote is whole or absent, also after `kill -9`. Resources are addressed by their paths,
`dbs/d/colls/c`.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from local.cosmos import errors, indexing
from local.cosmos.container import Container
from local.cosmos.identity import Sequence, number_of, resource_id
from local.cosmos.query import extracted
from local.sqlite import opened, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, definition TEXT)
"""
_NAME = re.compile(r"[^/\\#?\x00-\x1f]{1,255}(?<! )")
_DEFINABLE = ("id", "partitionKey", "indexingPolicy", "defaultTtl", "conflictResolutionPolicy", "geospatialConfig")


class Store:
    """The account's content. One thread, one connection."""

    def __init__(self, path: Path) -> None:
        self._db = opened(path, _SCHEMA, cached_statements=1024)
        self._db.create_function("extracted", 2, extracted, deterministic=True)
        self.definitions: dict[str, dict[str, Any]] = {}
        self._containers: dict[str, Container] = {}
        for number, resource, definition in self._db.execute("SELECT * FROM resources").fetchall():
            self._keep(number, resource, json.loads(definition))
        self.sequence = Sequence(max((c.highest() for c in self._containers.values()), default=0))
        self.lsn = self.sequence.last

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with transaction(self._db):
            self.sequence.next()
            yield
        self.lsn += 1

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def definition(self, path: str) -> dict[str, Any]:
        """A resource as it is read; 404, with sub-status 1003 where the database of a container is missing."""
        self._check_owner(path)
        if path not in self.definitions:
            raise errors.not_found()
        return self.definitions[path]

    def container(self, path: str) -> Container:
        """A container for its items' sake; 404 with sub-status 1003."""
        if path not in self._containers:
            raise errors.owner_not_found()
        return self._containers[path]

    def by_names(self, segments: list[str]) -> list[str]:
        """A path of names for one of resource ids, as `_self` is; any other, and what isn't there, as it is."""
        [rid] = segments[3:4] or segments[1:2] or [""]
        path = next((path for path, definition in self.definitions.items() if definition["_rid"] == rid), None)
        if path is None:
            return segments
        names = path.split("/")
        if len(segments) == 6:
            with suppress(ValueError, OverflowError):
                names += ["docs", self.container(path).id_of(number_of(segments[5])) or segments[5]]
        return names + segments[len(names) :]

    def create(self, feed: str, wish: Any) -> dict[str, Any]:
        """Create a database or container; 409 if it exists, 400 or 501 for a definition that can't be."""
        name = wish.get("id") if isinstance(wish, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise errors.invalid_id(name, 255)
        owner = self._check_owner(feed)
        path = f"{feed}/{name}"
        if path in self.definitions:
            raise errors.conflict()
        definition = _container(wish) if owner else {"id": name}
        with self.transaction():
            number = self._db.execute("INSERT INTO resources (path) VALUES (?)", (path,)).lastrowid or 0
            rid = resource_id(owner.get("_rid", ""), number, 4)
            address = f"{owner.get('_self', '')}{feed.rpartition('/')[2]}/{rid}/"
            definition |= {"_rid": rid, "_self": address, "_etag": self.sequence.etag(), "_ts": int(time.time())}
            self._db.execute("UPDATE resources SET definition = ? WHERE path = ?", (json.dumps(definition), path))
            self._keep(number, path, definition)
        return definition

    def delete(self, path: str) -> None:
        """Delete a database or container with all it holds; 404 if it isn't there."""
        self.definition(path)
        gone = [one for one in self.definitions if one == path or one.startswith(f"{path}/")]
        with self.transaction():
            for one in gone:
                if one in self._containers:
                    self._containers[one].drop()
                self._db.execute("DELETE FROM resources WHERE path = ?", (one,))
        for one in gone:
            del self.definitions[one]
            self._containers.pop(one, None)

    def _check_owner(self, path: str) -> dict[str, Any]:
        """The definition of the database that a path lies in, empty where it lies in none."""
        owner = "/".join(path.split("/")[:2])
        if owner in ("dbs", path):
            return {}
        if owner not in self.definitions:
            raise errors.owner_not_found()
        return self.definitions[owner]

    def _keep(self, number: int, path: str, definition: dict[str, Any]) -> None:
        self.definitions[path] = definition
        if "/colls/" in path:
            self._containers[path] = Container(self._db, number, definition)


def _container(wish: Any) -> dict[str, Any]:
    for field in wish:
        if field not in _DEFINABLE and not field.startswith("_"):
            raise errors.unsupported(f"containers with {field!r}")
    key = wish.get("partitionKey")
    if not isinstance(key, dict) or not isinstance(key.get("paths"), list) or not key["paths"]:
        raise errors.bad_request("A container needs a partition key.")
    if not all(indexing.names(str(path)) for path in key["paths"]):
        raise errors.bad_request("The path of a partition key begins with /.")
    if len(key["paths"]) > 1 or key.get("kind", "Hash") != "Hash":
        raise errors.unsupported("hierarchical partition keys")
    ttl = wish.get("defaultTtl")
    if ttl is not None and not (isinstance(ttl, int) and (ttl == -1 or 0 < ttl < 2**31)):
        raise errors.bad_request("defaultTtl must be -1 or a positive number of seconds.")
    given = {field: wish[field] for field in _DEFINABLE if wish.get(field) is not None}
    return given | {"indexingPolicy": indexing.policy(wish.get("indexingPolicy"))}
