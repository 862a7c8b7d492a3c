import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from azure.core.exceptions import AzureError
from azure.cosmos.aio import CosmosClient

from local.cosmos.container import Document
from local.cosmos.items import Items, Operation
from local.cosmos.store import Store
from tests.processes import free_port, running, write_keys


async def test_every_answered_write_is_there_after_kill_9_and_batches_are_whole(tmp_path: Path) -> None:
    key, port = write_keys(tmp_path)["cosmos"]["operator"], free_port()
    address, answered, enough = f"http://127.0.0.1:{port}/", list[str](), asyncio.Event()

    async def write(client: CosmosClient, name: str) -> None:
        container = client.get_database_client("orderflow").get_container_client("orders")
        for number in range(10_000):
            pk = f"{name}-{number}"
            await container.execute_item_batch(
                [("create", ({"id": id, "pk": pk},)) for id in ("a", "b")], pk, retry_total=0
            )
            answered.append(pk)
            if len(answered) == 200:
                enough.set()

    with running("cosmos", tmp_path, port, "--port", str(port)) as process:
        async with CosmosClient(address, key) as client:
            writers = [asyncio.create_task(write(client, name)) for name in "xyz"]
            await enough.wait()
            process.kill()
            outcomes = await asyncio.gather(*writers, return_exceptions=True)

    with running("cosmos", tmp_path, port, "--port", str(port)):
        async with CosmosClient(address, key) as client:
            container = client.get_database_client("orderflow").get_container_client("orders")
            stored = {(item["pk"], item["id"]) async for item in container.read_all_items()}

    assert all(isinstance(outcome, AzureError) for outcome in outcomes)
    assert {(pk, id) for pk in answered for id in ("a", "b")} <= stored
    assert {(pk, "b") for pk, id in stored if id == "a"} == {(pk, id) for pk, id in stored if id == "b"}


async def test_it_ends_orderly_when_asked(tmp_path: Path) -> None:
    write_keys(tmp_path)
    port = free_port()

    with running("cosmos", tmp_path, port, "--port", str(port)) as process:
        assert await asyncio.to_thread(process.stop) == 0


def test_what_has_expired_goes_for_good_as_others_are_created(tmp_path: Path) -> None:
    store = Store(tmp_path / "cosmos.sqlite")
    store.create("dbs", {"id": "d"})
    store.create("dbs/d/colls", {"id": "c", "partitionKey": {"paths": ["/pk"]}, "defaultTtl": -1})
    container = store.container("dbs/d/colls/c")
    for row in range(10):
        container.insert(Document(row, '"p"', f"{row}", 1 if row % 2 else None, '"etag"', "{}"))

    with closing(sqlite3.connect(tmp_path / "cosmos.sqlite")) as file:
        left = file.execute(f"SELECT row FROM {container.table} ORDER BY row").fetchall()

    assert [row for (row,) in left] == [0, 2, 4, 6, 8]
    store.close()


def test_a_replacement_may_take_the_id_of_what_has_expired(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "cosmos.sqlite")) as store:
        store.create("dbs", {"id": "d"})
        store.create("dbs/d/colls", {"id": "c", "partitionKey": {"paths": ["/pk"]}, "defaultTtl": -1})
        container = store.container("dbs/d/colls/c")
        container.insert(Document(2, '"p"', "a", None, '"1"', "{}"))
        container.insert(expiring := Document(1, '"p"', "b", None, '"1"', "{}"))
        container.update(expiring, Document(1, '"p"', "b", 1, '"2"', "{}"))

        replaced = Items(container, '"p"', store.sequence).apply(
            Operation("Replace", "a", {"id": "b", "pk": "p", "n": 1})
        )

        assert replaced.status == 200
        assert container.find('"p"', "a") is None
