"""What the provider remembers, in one SQLite file that survives `kill -9` at any instant."""

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sqlite import opened, transaction

_KEPT_SECONDS = 24 * 3600
"""How long an idempotency key is remembered: Stripe's least."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, intent TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS movements (seq INTEGER PRIMARY KEY, intent_id TEXT NOT NULL, kind TEXT NOT NULL,
    amount INTEGER NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS movements_of_intent ON movements (intent_id);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, request TEXT NOT NULL, request_id TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, at REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that an idempotency key was first given, and the request that it was given to."""

    request: str
    request_id: str
    status: int
    body: str


class Store:
    """Intents, movements of money and idempotency keys."""

    def __init__(self, file: Path) -> None:
        self._db = opened(file, _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside happen, or none."""
        return transaction(self._db)

    def put(self, intent: dict[str, Any]) -> None:
        """Write a new or changed intent."""
        statement = (
            "INSERT INTO intents (id, intent) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET intent = excluded.intent"
        )
        self._db.execute(statement, (intent["id"], json.dumps(intent)))

    def get(self, intent_id: str) -> dict[str, Any] | None:
        """One intent."""
        row = self._db.execute("SELECT intent FROM intents WHERE id = ?", (intent_id,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def newest(self, limit: int, after: str | None, created: Mapping[str, int]) -> list[dict[str, Any]]:
        """Intents from the newest to older ones, or from the one that follows the intent `after`, of those `created` at
        seconds that compare so (`>`, `<=` and their like) with these."""
        clauses = [f"intent ->> 'created' {comparison} {seconds}" for comparison, seconds in created.items()]
        clauses += ["seq < (SELECT seq FROM intents WHERE id = :after)"] if after else []
        query = f"SELECT intent FROM intents WHERE {' AND '.join(clauses) or 'TRUE'} ORDER BY seq DESC LIMIT :limit"
        return [json.loads(row[0]) for row in self._db.execute(query, {"after": after, "limit": limit})]

    def move(self, intent_id: str, kind: str, amount: int) -> None:
        """Record a movement of the customer's money: `hold`, `release` or `capture`."""
        statement = "INSERT INTO movements (intent_id, kind, amount, at) VALUES (?, ?, ?, ?)"
        self._db.execute(statement, (intent_id, kind, amount, time.time()))

    def ledger(self) -> list[dict[str, Any]]:
        """Every intent, oldest first, with its movements; `seq` orders the movements of all intents."""
        movements: dict[str, list[dict[str, Any]]] = {}
        for seq, intent_id, kind, amount, at in self._db.execute("SELECT * FROM movements ORDER BY seq"):
            movements.setdefault(intent_id, []).append({"seq": seq, "kind": kind, "amount": amount, "at": at})
        intents = [json.loads(row[0]) for row in self._db.execute("SELECT intent FROM intents ORDER BY seq")]
        shown = ("id", "status", "amount", "currency", "amount_capturable", "amount_received", "metadata")
        return [
            {name: intent[name] for name in shown}
            | {"order_id": intent["metadata"].get("order_id"), "movements": movements.get(intent["id"], [])}
            for intent in intents
        ]

    def kept(self, key: str) -> Kept | None:
        """What is remembered under an idempotency key; a key that is a day old is new again."""
        self._db.execute("DELETE FROM keys WHERE key = ? AND at < ?", (key, time.time() - _KEPT_SECONDS))
        query = "SELECT request, request_id, status, body FROM keys WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else Kept(*row)

    def keep(self, key: str, kept: Kept) -> None:
        """Remember the first answer under a key."""
        row = (key, kept.request, kept.request_id, kept.status, kept.body, time.time())
        self._db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", row)
