"""SQLite files whose every transaction is whole or absent, also after `kill -9` at any instant; not after a power
cut."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def opened(file: Path, schema: str, cached_statements: int = 128) -> sqlite3.Connection:
    """The file, made where it isn't there, with the schema's tables. Whoever writes begins and ends transactions."""
    db = sqlite3.connect(file, isolation_level=None, cached_statements=cached_statements)
    db.execute("PRAGMA journal_mode = WAL")
    # Nobody waits for the disk, which takes seconds now and then: what a process wrote outlives it anyway.
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -65536")
    db.executescript(schema)
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All writes inside happen, or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
