"""What a reader takes from the stores, and what is told of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.verify.history import tell
from local.verify.invariants import Document, parked
from local.verify.reading import Reader
from tests.local.verify.world import World


class _Stored(Reader):
    """A reader of documents that are here, by container."""

    def __init__(self, containers: dict[str, list[Document]], state: Path) -> None:
        self._containers, self.state = containers, state
        self.contexts = tuple(containers)

    async def query(
        self, context: str, where: str = "", partition: str | None = None, **parameters: object
    ) -> list[Document]:
        return [
            each
            for each in self._containers[context]
            if (each["kind"] == "parked" if "parked" in where else not where and partition in (None, each["pk"]))
        ]

    async def intents(self) -> list[Document]:
        return []

    async def _ask(self, part: str, path: str, **query: str) -> Sequence[Any]:
        return []


async def test_the_container_of_a_context_without_invariants_is_searched_for_what_is_parked(tmp_path: Path) -> None:
    containers: dict[str, list[Document]] = {
        name: [] for name in ("orders", "payments", "shipping", "inventory", "catalog", "operations")
    }
    containers["returns"] = [{"id": "parked", "pk": "m1", "kind": "parked", "queue": "returns", "reason": "no such"}]

    snapshot = await _Stored(containers, tmp_path).snapshot()

    assert parked(snapshot).violations == ["m1: parked from returns: no such"]


async def test_sums_are_read_at_one_moment_and_before_what_they_are_of(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    class Noting(_Stored):
        async def query(
            self, context: str, where: str = "", partition: str | None = None, **parameters: object
        ) -> list[Document]:
            asked.append((context, partition))
            return await super().query(context, where, partition, **parameters)

    names = ("orders", "payments", "shipping", "inventory", "catalog")
    containers: dict[str, list[Document]] = {name: [] for name in names}
    containers["operations"] = [{"id": "s", "pk": "sums", "kind": "sum"}, {"id": "e", "pk": "ord_1", "kind": "event"}]

    snapshot = await Noting(containers, tmp_path).snapshot()

    assert [each["id"] for each in snapshot.others] == ["e", "s"]
    assert asked.index(("operations", "sums")) < asked.index(("operations", None))


async def test_whatever_an_orders_documents_hold_is_told(tmp_path: Path) -> None:
    world = World()
    order = world.get("orders", "ord_short")
    order["outcome"] = {"short": [{"sku": "MUG", "wanted": 2, "available": 1}]}
    order["declineCode"] = "card_declined"
    order["shortages"] = [{"sku": "MUG", "wanted": 2, "available": 1}]
    order["history"][0]["detail"] = "card_declined"
    containers: dict[str, list[Document]] = {"orders": [*world.orders], "inventory": [*world.inventory]}
    of_the_order = {"kind": "parked", "pk": "m1", "queue": "orders", "message": {"correlationId": "ord_short"}}
    of_another = of_the_order | {"pk": "m2", "message": {"correlationId": "ord_done"}}
    containers["orders"] += [of_the_order, of_another]

    told = await tell(_Stored(containers, tmp_path), "ord_short")

    assert told[0] == "Order ord_short: rejected (out_of_stock)"
    assert told[1:3] == ["Declined: card_declined.", "Short: MUG, 2 wanted, 1 available."]
    assert any('"outcome": {"short": [{"sku": "MUG", "wanted": 2, "available": 1}]}' in line for line in told)
    assert any(line.endswith('it is so  {"detail": "card_declined"}') for line in told)
    assert any(line.startswith("  inventory  {") for line in told)
    assert len([line for line in told if '"parked"' in line]) == 1
