"""What `shared.ports.Container` promises, held against every adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from shared.adapters.cosmos import CosmosContainer
from shared.adapters.memory import MemoryContainer
from shared.errors import AlreadyExists, ConditionFailed, Missing, Unavailable
from shared.ports import Change, Condition, Container, Create, Delete, Document, Operation, Patch, Query, Replace
from shared.settings import Connection
from tests.contract.conftest import StandIns
from tests.processes import free_port

_partitions = count()


@pytest.fixture(params=["memory", "cosmos"])
async def container(request: pytest.FixtureRequest) -> AsyncIterator[Container]:
    if request.param == "memory":
        yield MemoryContainer()
        return
    stand_ins = request.getfixturevalue("stand_ins")
    cosmos = CosmosContainer(stand_ins.cosmos("shipping"), "orderflow", "shipping", timedelta(seconds=5))
    yield cosmos
    await cosmos.close()


@pytest.fixture
def pk() -> str:
    """A partition that no other test uses; with a space, as SKUs have."""
    return f"partition {next(_partitions)}"


def document(pk: str, id: str, **properties: Any) -> Document:
    return {"id": id, "pk": pk, "kind": "thing", **properties}


async def test_a_created_document_is_read_back_with_the_etag_that_the_write_gave(container: Container, pk: str) -> None:
    [etag] = await container.write(pk, [Create(document(pk, "a", n=1, text="grüße", nested={"x": [None, True]}))])

    read = await container.read(pk, "a")

    assert read is not None
    assert read["_etag"] == etag
    assert {name: read[name] for name in ("n", "text", "nested")} == {
        "n": 1,
        "text": "grüße",
        "nested": {"x": [None, True]},
    }


@pytest.mark.parametrize("id", ["absent", "a/b", "a?b", "a#b", "a\\b", ".", ".."])
async def test_what_is_not_there_reads_as_none(container: Container, pk: str, id: str) -> None:
    assert await container.read(pk, id) is None


async def test_creating_twice_is_refused_at_the_index_of_the_operation(container: Container, pk: str) -> None:
    await container.write(pk, [Create(document(pk, "a"))])

    with pytest.raises(AlreadyExists) as refused:
        await container.write(pk, [Create(document(pk, "b")), Create(document(pk, "a"))])

    assert refused.value.index == 1
    assert await container.read(pk, "b") is None


async def test_replacing_under_an_etag_that_has_moved_on_is_refused_and_writes_nothing(
    container: Container, pk: str
) -> None:
    [first] = await container.write(pk, [Create(document(pk, "a", n=1))])
    [second] = await container.write(pk, [Replace(document(pk, "a", n=2), first)])

    with pytest.raises(ConditionFailed) as refused:
        await container.write(pk, [Create(document(pk, "b")), Replace(document(pk, "a", n=3), first)])

    assert refused.value.index == 1
    assert await container.read(pk, "b") is None
    read = await container.read(pk, "a")
    assert read is not None
    assert (read["n"], read["_etag"]) == (2, second)


async def test_a_patch_changes_a_document_where_its_condition_holds(container: Container, pk: str) -> None:
    await container.write(pk, [Create(document(pk, "stock", available=5))])
    take = Patch(
        "stock", (Change("incr", "available", -3), Change("set", "note", "taken")), Condition("available", ">=", 3)
    )

    await container.write(pk, [take])
    with pytest.raises(ConditionFailed) as refused:
        await container.write(pk, [Create(document(pk, "reservation")), take])

    assert refused.value.index == 1
    assert await container.read(pk, "reservation") is None
    stock = await container.read(pk, "stock")
    assert stock is not None
    assert (stock["available"], stock["note"]) == (2, "taken")


@pytest.mark.parametrize("operation", ["replace", "patch", "delete"])
async def test_changing_what_is_not_there_is_refused_as_missing(container: Container, pk: str, operation: str) -> None:
    operations: dict[str, Operation] = {
        "replace": Replace(document(pk, "a"), '"1"'),
        "patch": Patch("a", (Change("set", "n", 1),), Condition("state", "=", "active")),
        "delete": Delete("a"),
    }
    with pytest.raises(Missing) as refused:
        await container.write(pk, [operations[operation]])
    assert refused.value.index == 0


async def test_deleting_under_an_etag_that_has_moved_on_is_refused_and_writes_nothing(
    container: Container, pk: str
) -> None:
    [first] = await container.write(pk, [Create(document(pk, "a", n=1))])
    [second] = await container.write(pk, [Replace(document(pk, "a", n=2), first)])

    with pytest.raises(ConditionFailed) as refused:
        await container.write(pk, [Create(document(pk, "b")), Delete("a", first)])
    assert refused.value.index == 1
    assert await container.read(pk, "b") is None

    assert await container.write(pk, [Delete("a", second)]) == [""]
    assert await container.read(pk, "a") is None


async def test_a_deleted_document_is_gone(container: Container, pk: str) -> None:
    await container.write(pk, [Create(document(pk, "a")), Create(document(pk, "b"))])

    etags = await container.write(pk, [Delete("a"), Replace(document(pk, "b", n=1), await _etag(container, pk, "b"))])

    assert etags[0] == ""
    assert await container.read(pk, "a") is None


async def test_of_many_takers_only_as_many_succeed_as_there_is_stock(container: Container, pk: str) -> None:
    await container.write(pk, [Create(document(pk, "stock", available=10))])

    async def take(number: int) -> bool:
        try:
            await container.write(
                pk,
                [
                    Create(document(pk, f"reservation {number}")),
                    Patch("stock", (Change("incr", "available", -3),), Condition("available", ">=", 3)),
                ],
            )
        except ConditionFailed:
            return False
        return True

    taken = await asyncio.gather(*map(take, range(8)))

    assert sum(taken) == 3
    stock = await container.read(pk, "stock")
    assert stock is not None
    assert stock["available"] == 1


async def test_many_documents_are_read_at_once_whatever_is_missing(container: Container, pk: str) -> None:
    for number in range(30):
        await container.write(f"{pk}/{number}", [Create(document(f"{pk}/{number}", "price", n=number))])

    found = await container.read_many([(f"{pk}/{number}", "price") for number in range(0, 60, 2)])

    assert sorted(each["n"] for each in found) == list(range(0, 30, 2))


async def test_reading_many_of_none_is_none(container: Container) -> None:
    assert await container.read_many([]) == []


async def test_a_query_finds_one_kind_over_all_partitions_in_order_and_goes_on_behind_a_keyset(
    container: Container, pk: str
) -> None:
    made = [(f"2026-01-0{day}", f"{id}") for day in (3, 1, 2) for id in "ba"]
    for at, id in made:
        for state in ("pending", "dispatched"):
            other = document(f"{pk}{at}{state}", id, createdAt=at, state=state) | {"kind": f"listed {pk}"}
            await container.write(f"{pk}{at}{state}", [Create(other)])
    pending = Query(f"listed {pk}", (Condition("state", "=", "pending"),), ("createdAt", "id"), limit=4)

    first = await container.find(pending)
    rest = await container.find(replace(pending, after=(first[-1]["createdAt"], first[-1]["id"])))

    assert [(each["createdAt"], each["id"]) for each in first + rest] == sorted(made)
    assert await container.find(Query("no such kind")) == []


async def test_a_query_goes_backwards_likewise(container: Container, pk: str) -> None:
    made = [(f"2026-01-0{day}", f"{id}") for day in (3, 1, 2) for id in "ba"]
    for at, id in made:
        for state in ("pending", "dispatched"):
            other = document(f"{pk}{at}{state}", id, createdAt=at, state=state) | {"kind": f"newest {pk}"}
            await container.write(f"{pk}{at}{state}", [Create(other)])
    where = (Condition("state", "=", "pending"),)
    query: Query | None = Query(f"newest {pk}", where, ("createdAt", "id"), limit=2, descending=True)

    found: list[tuple[str, str]] = []
    while query:
        page = [(each["createdAt"], each["id"]) for each in await container.find(query)]
        found += page
        query = replace(query, after=page[-1]) if page else None

    assert found == sorted(made, reverse=True)


async def test_a_comparison_with_what_is_null_or_absent_is_false(container: Container, pk: str) -> None:
    await container.write(
        pk,
        [
            Create(document(pk, "null", chaseAt=None) | {"kind": "chased"}),
            Create(document(pk, "absent") | {"kind": "chased"}),
            Create(document(pk, "due", chaseAt="2026-01-01") | {"kind": "chased"}),
        ],
    )

    found = await container.find(Query("chased", (Condition("chaseAt", "<=", "2027"),)))

    assert [each["id"] for each in found] == ["due"]


async def test_a_store_that_does_not_answer_is_unavailable_within_the_time_limit() -> None:
    connection = Connection(endpoint=f"http://127.0.0.1:{free_port()}/", connection_string="AccountKey=a2V5;")
    container = CosmosContainer(connection, "orderflow", "orders", timedelta(seconds=2))

    with pytest.raises(Unavailable):
        await container.read("pk", "id")


async def _etag(container: Container, pk: str, id: str) -> str:
    read = await container.read(pk, id)
    assert read is not None
    return str(read["_etag"])


async def test_a_store_that_is_slow_to_open_keeps_nobody_and_is_opened_once(stand_ins: StandIns) -> None:
    container = CosmosContainer(stand_ins.cosmos("shipping"), "orderflow", "shipping", timedelta(seconds=0.5))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stand_ins.cosmos_port}") as control:

        async def opened() -> int:
            return int((await control.get("/_stats")).json()["byOperation"].get("ReadAccount", 0))

        before = await opened()
        slow = {"kind": "slow", "operation": "ReadAccount", "seconds": 2, "count": 1}
        (await control.post("/_faults", json=slow)).raise_for_status()

        answers = await asyncio.gather(*(container.read("nobody", "x") for _ in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable] * 5
        async with asyncio.timeout(10):
            while True:
                with suppress(Unavailable):
                    assert await container.read("nobody", "x") is None
                    break

        # The SDK asks for the account twice as it opens; a limit of a call's own would have it begin again.
        assert await opened() - before <= 3
    await container.close()
