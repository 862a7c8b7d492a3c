"""The SDK's synchronous client says the same things; a few of each kind are enough."""

import asyncio

import pytest
from azure.cosmos import CosmosClient
from azure.cosmos.aio import ContainerProxy, DatabaseProxy
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosResourceExistsError


async def test_the_synchronous_client_works_as_well(
    cosmos_account: tuple[str, str], database: DatabaseProxy, container: ContainerProxy, pk: str
) -> None:
    def use() -> None:
        with CosmosClient(*cosmos_account) as client:
            items = client.get_database_client(database.id).get_container_client(container.id)
            items.create_item({"id": "a", "pk": pk, "n": 1})
            with pytest.raises(CosmosResourceExistsError):
                items.create_item({"id": "a", "pk": pk})
            items.patch_item("a", pk, [{"op": "incr", "path": "/n", "value": 1}])
            with pytest.raises(CosmosBatchOperationError):
                items.execute_item_batch([("delete", ("a",)), ("delete", ("b",))], pk)
            items.execute_item_batch([("create", ({"id": "b", "pk": pk, "n": 3},))], pk)
            found = list(items.query_items("SELECT VALUE c.n FROM c ORDER BY c.n", partition_key=pk))
            across = items.query_items(
                "SELECT VALUE COUNT(1) FROM c WHERE c.pk = @pk",
                parameters=[{"name": "@pk", "value": pk}],
                enable_cross_partition_query=True,
            )
            assert found == [2, 3]
            assert list(across) == [2]
            assert [item["id"] for item in items.read_items([("a", pk), ("b", pk), ("c", pk)])] == ["a", "b"]

    await asyncio.to_thread(use)
