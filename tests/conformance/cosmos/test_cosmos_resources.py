import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError, CosmosResourceNotFoundError


async def test_a_database_reads_back(database: DatabaseProxy) -> None:
    assert (await database.read())["id"] == database.id


async def test_creating_a_database_twice_is_a_conflict(cosmos_client: CosmosClient, database: DatabaseProxy) -> None:
    with pytest.raises(CosmosResourceExistsError):
        await cosmos_client.create_database(database.id)

    assert (await cosmos_client.create_database_if_not_exists(database.id)).id == database.id


async def test_a_container_reads_back_with_its_definition(database: DatabaseProxy, container: ContainerProxy) -> None:
    properties = await container.read()

    assert properties["id"] == container.id
    assert properties["partitionKey"]["paths"] == ["/pk"]
    assert properties["defaultTtl"] == -1
    assert properties["_rid"]
    assert properties["indexingPolicy"]["excludedPaths"] == [{"path": '/"_etag"/?'}]


@pytest.mark.parametrize("path", ['/"it\'s"/"a/b"', "/it's/'a/b'"])
async def test_a_name_in_a_partition_key_s_path_may_be_quoted(database: DatabaseProxy, path: str) -> None:
    container = await database.create_container("quoted", PartitionKey(path))

    await container.create_item({"id": "1", "it's": {"a/b": "key"}})

    assert (await container.read_item("1", "key"))["it's"] == {"a/b": "key"}
    await database.delete_container(container)


async def test_an_account_names_the_address_by_which_it_is_known(cosmos_account: tuple[str, str]) -> None:
    async with CosmosClient(*cosmos_account) as client:
        account = await client._get_database_account()

    locations = [*account.WritableLocations, *account.ReadableLocations]
    assert {one["databaseAccountEndpoint"] for one in locations} == {cosmos_account[0]}


async def test_a_resource_without_a_proper_name_is_refused_in_the_words_that_clients_know(
    cosmos_client: CosmosClient,
) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await cosmos_client.create_database("x" * 256)

    assert caught.value.status_code == 400
    assert "Ensure to provide a unique non-empty string less than '255' characters." in str(caught.value)


async def test_creating_a_container_twice_is_a_conflict(database: DatabaseProxy, container: ContainerProxy) -> None:
    with pytest.raises(CosmosResourceExistsError):
        await database.create_container(container.id, PartitionKey("/pk"))

    assert (await database.create_container_if_not_exists(container.id, PartitionKey("/pk"))).id == container.id


async def test_what_was_deleted_is_gone(cosmos_client: CosmosClient, database: DatabaseProxy) -> None:
    container = await database.create_container("short-lived", PartitionKey("/pk"))
    await database.delete_container(container)

    with pytest.raises(CosmosResourceNotFoundError):
        await container.read()
    with pytest.raises(CosmosResourceNotFoundError):
        await cosmos_client.get_database_client("never-was").read()


async def test_items_of_a_missing_container_say_that_the_owner_is_missing(database: DatabaseProxy) -> None:
    missing = database.get_container_client("never-was")

    with pytest.raises(CosmosResourceNotFoundError) as caught:
        await missing.read_item("x", "x")

    # The SDK reads the container first; in Azure both answers are 404.
    assert caught.value.status_code == 404


async def test_a_client_goes_on_with_a_container_that_was_made_anew(
    cosmos_client: CosmosClient, database: DatabaseProxy
) -> None:
    old = await database.create_container("anew", PartitionKey("/pk"))
    await old.create_item({"id": "a", "pk": "a"})
    await database.delete_container("anew")
    await database.create_container("anew", PartitionKey("/pk"))

    with pytest.raises(CosmosResourceNotFoundError):
        await old.read_item("a", "a")
    assert (await old.create_item({"id": "a", "pk": "a"}))["id"] == "a"

    await database.delete_container("anew")
