"""What a reader takes from the stores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.verify.invariants import Document, parked
from local.verify.reading import Reader


class _Stored(Reader):
    """A reader of documents that are here, by container."""

    def __init__(self, containers: dict[str, list[Document]], state: Path) -> None:
        self._containers, self._state = containers, state
        self.contexts = tuple(containers)

    async def query(self, context: str, *_: object, **__: object) -> list[Document]:
        return self._containers[context]

    async def intents(self) -> list[Document]:
        return []

    async def _ask(self, part: str, path: str, **query: str) -> Sequence[Any]:
        return []


async def test_the_container_of_a_context_without_invariants_is_searched_for_what_is_parked(tmp_path: Path) -> None:
    containers: dict[str, list[Document]] = {
        name: [] for name in ("orders", "payments", "shipping", "inventory", "catalog")
    }
    containers["returns"] = [{"id": "parked", "pk": "m1", "kind": "parked", "queue": "returns", "reason": "no such"}]

    snapshot = await _Stored(containers, tmp_path).snapshot()

    assert parked(snapshot).violations == ["m1: parked from returns: no such"]
