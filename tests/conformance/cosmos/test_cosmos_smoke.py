from azure.cosmos.aio import CosmosClient


async def test_the_account_lists_its_databases(cosmos_client: CosmosClient) -> None:
    names = [database["id"] async for database in cosmos_client.list_databases()]

    assert names == sorted(set(names), key=names.index)
