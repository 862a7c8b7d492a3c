import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceNotFoundError

_DEADLINE = 15.0


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + _DEADLINE
    while not await holds():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.05)


async def is_gone(container: ContainerProxy, id: str, pk: str) -> bool:
    try:
        await container.read_item(id, pk)
    except CosmosResourceNotFoundError:
        return True
    return False


async def test_an_item_expires_by_its_own_ttl_and_then_does_not_exist(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk, "ttl": 1})
    await container.create_item({"id": "b", "pk": pk})

    await eventually(lambda: is_gone(container, "a", pk))

    assert [i["id"] async for i in container.query_items("SELECT * FROM c", partition_key=pk)] == ["b"]
    counts: list[Any] = [n async for n in container.query_items("SELECT VALUE COUNT(1) FROM c", partition_key=pk)]
    assert counts == [1]
    with pytest.raises(CosmosResourceNotFoundError):
        await container.patch_item("a", pk, [{"op": "set", "path": "/n", "value": 1}])
    results = await container.execute_item_batch([("create", ({"id": "a", "pk": pk, "n": 2},))], pk)
    assert results[0]["statusCode"] == 201
    assert (await container.read_item("a", pk))["n"] == 2


async def test_a_write_starts_an_item_s_time_again_and_minus_one_ends_it(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk, "ttl": 1})
    await container.create_item({"id": "b", "pk": pk, "ttl": 1})
    await container.patch_item("a", pk, [{"op": "set", "path": "/ttl", "value": -1}])

    await eventually(lambda: is_gone(container, "b", pk))

    assert not await is_gone(container, "a", pk)


async def test_a_container_s_default_applies_to_items_without_a_ttl(database: DatabaseProxy) -> None:
    container = await database.create_container("expiring", PartitionKey("/pk"), default_ttl=1)
    await container.create_item({"id": "a", "pk": "p"})
    await container.create_item({"id": "b", "pk": "p", "ttl": 3600})
    await container.create_item({"id": "c", "pk": "p", "ttl": -1})

    await eventually(lambda: is_gone(container, "a", "p"))

    assert not await is_gone(container, "b", "p")
    assert not await is_gone(container, "c", "p")
    await database.delete_container(container)


async def test_without_a_container_ttl_an_item_s_is_ignored(database: DatabaseProxy) -> None:
    container = await database.create_container("lasting", PartitionKey("/pk"))
    timed = await database.create_container("timed", PartitionKey("/pk"), default_ttl=-1)
    for one in (container, timed):
        await one.create_item({"id": "a", "pk": "p", "ttl": 1})

    await eventually(lambda: is_gone(timed, "a", "p"))

    assert not await is_gone(container, "a", "p")
    for one in (container, timed):
        await database.delete_container(one)


@pytest.mark.parametrize("ttl", [0, -2, "5", 1.5, None])
async def test_a_ttl_that_is_none_is_refused(container: ContainerProxy, pk: str, ttl: object) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.create_item({"id": "a", "pk": pk, "ttl": ttl})

    assert caught.value.status_code == 400
