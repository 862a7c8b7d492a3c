import base64

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.local.cosmos.conftest import Account


async def test_the_database_and_every_context_s_container_exist_from_the_start(operator: CosmosClient) -> None:
    database = operator.get_database_client("orderflow")

    for name in ("catalog", "inventory", "orders", "payments", "shipping"):
        properties = await database.get_container_client(name).read()
        assert properties["partitionKey"]["paths"] == ["/pk"]
        assert properties["defaultTtl"] == -1


async def test_a_context_s_key_opens_the_container_of_its_name_alone(account: Account) -> None:
    async with CosmosClient(account.address, account.keys["catalog"]) as client:
        database = client.get_database_client("orderflow")
        own, other = database.get_container_client("catalog"), database.get_container_client("orders")

        await own.upsert_item({"id": "a", "pk": "a"})
        await own.execute_item_batch([("read", ("a",))], "a")
        assert [one["id"] async for one in own.query_items("SELECT * FROM c", partition_key="a")] == ["a"]
        with pytest.raises(CosmosHttpResponseError) as read:
            await other.read_item("a", "a")
        with pytest.raises(CosmosHttpResponseError) as made:
            await database.create_container("more", PartitionKey("/pk"))
        with pytest.raises(CosmosHttpResponseError) as deleted:
            await database.delete_container("catalog")

    assert [caught.value.status_code for caught in (read, made, deleted)] == [403, 403, 403]


async def test_an_unknown_key_opens_nothing(account: Account) -> None:
    client = CosmosClient(account.address, base64.b64encode(b"of nobody").decode())

    with pytest.raises(CosmosHttpResponseError) as caught:
        await client.__aenter__()

    assert caught.value.status_code == 401
    await client.close()
