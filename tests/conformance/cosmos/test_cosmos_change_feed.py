from collections.abc import AsyncIterable
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, DatabaseProxy


async def ids(changes: AsyncIterable[dict[str, Any]]) -> list[str]:
    return [item["id"] async for item in changes]


async def with_token(container: ContainerProxy, **where: Any) -> tuple[list[dict[str, Any]], str]:
    """Changes, and the token to go on with."""
    changes = container.query_items_change_feed(**where)
    items = [item async for item in changes]
    return items, container.client_connection.last_response_headers["etag"]


async def fresh(database: DatabaseProxy, name: str) -> ContainerProxy:
    return await database.create_container(name, PartitionKey("/pk"))


async def test_each_item_comes_once_as_it_is_now_in_the_order_of_its_last_change(database: DatabaseProxy) -> None:
    container = await fresh(database, "feed-order")
    for id in ("a", "b", "c", "d"):
        await container.create_item({"id": id, "pk": id, "n": 1})
    await container.upsert_item({"id": "a", "pk": "a", "n": 2})
    await container.patch_item("b", "b", [{"op": "incr", "path": "/n", "value": 1}])
    await container.delete_item("c", "c")

    items, _ = await with_token(container, start_time="Beginning")

    by_id = {item["id"]: item["n"] for item in items}
    assert by_id == {"d": 1, "a": 2, "b": 2}
    # Across partitions the order isn't promised by Azure; within one (here: all) it is.
    assert all("_lsn" in item for item in items)
    await database.delete_container(container)


async def test_a_token_goes_on_behind_what_has_been_read(database: DatabaseProxy) -> None:
    container = await fresh(database, "feed-token")
    for id in ("a", "b", "c"):
        await container.create_item({"id": id, "pk": "p"})

    first, token = await with_token(container, start_time="Beginning", max_item_count=2)
    nothing, token = await with_token(container, continuation=token)
    await container.create_item({"id": "d", "pk": "p"})
    await container.upsert_item({"id": "a", "pk": "p"})
    later, _ = await with_token(container, continuation=token)

    assert [item["id"] for item in first] == ["a", "b", "c"]
    assert nothing == []
    assert [item["id"] for item in later] == ["d", "a"]
    await database.delete_container(container)


async def test_the_feed_starts_now_unless_told_otherwise(database: DatabaseProxy) -> None:
    container = await fresh(database, "feed-now")
    await container.create_item({"id": "a", "pk": "p"})

    before, token = await with_token(container)
    await container.create_item({"id": "b", "pk": "p"})
    after, _ = await with_token(container, continuation=token)

    assert before == []
    assert [item["id"] for item in after] == ["b"]
    await database.delete_container(container)


async def test_the_feed_can_start_at_a_moment(database: DatabaseProxy) -> None:
    container = await fresh(database, "feed-moment")
    await container.create_item({"id": "a", "pk": "p"})
    now = datetime.now(UTC)

    past = await ids(container.query_items_change_feed(start_time=now - timedelta(minutes=1)))
    future = await ids(container.query_items_change_feed(start_time=now + timedelta(minutes=1)))

    assert past == ["a"]
    assert future == []
    await database.delete_container(container)


async def test_the_items_of_a_batch_come_in_one_page(database: DatabaseProxy) -> None:
    container = await fresh(database, "feed-batch")
    await container.execute_item_batch([("create", ({"id": f"{n}", "pk": "p"},)) for n in range(5)], "p")

    pages = container.query_items_change_feed(start_time="Beginning", max_item_count=2).by_page()
    sizes = [len([item async for item in page]) async for page in pages]

    assert sizes[0] == 5
    await database.delete_container(container)
