"""What the stand-in doesn't do, it says by name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosHttpResponseError

from local.cosmos.errors import CosmosError
from local.cosmos.query import dialect
from tests.local.cosmos.conftest import Account


@pytest.fixture
async def database(account: Account) -> AsyncIterator[DatabaseProxy]:
    """The database, with a client that doesn't try again after a 501."""
    async with CosmosClient(account.address, account.keys["operator"], retry_total=0) as client:
        yield client.get_database_client("orderflow")


@pytest.fixture
def container(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("inventory")


async def collected(results: Any) -> list[Any]:
    return [result async for result in results]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda c: collected(c.query_items("SELECT DISTINCT c.a FROM c")), "DISTINCT"),
        (lambda c: collected(c.query_items_change_feed()), "ChangeFeed"),
        (lambda c: c.patch_item("a", "a", [{"op": "move", "from": "/a", "path": "/b"}]), "move"),
        (lambda c: c.patch_item("a", "a", [{"op": "add", "path": "/l/-", "value": 1}]), "arrays"),
        (lambda c: c.scripts.create_stored_procedure({"id": "s", "body": "function () {}"}), "sprocs"),
        (lambda c: c.get_throughput(), "offers"),
    ],
)
async def test_what_is_not_supported_is_answered_with_501_and_its_name(
    container: ContainerProxy, call: Callable[[ContainerProxy], Awaitable[object]], named: str
) -> None:
    await container.upsert_item({"id": "a", "pk": "a", "l": []})

    with pytest.raises(CosmosHttpResponseError) as caught:
        await call(container)

    assert caught.value.status_code == 501
    assert named in str(caught.value)


async def test_a_container_s_definition_can_not_be_changed(database: DatabaseProxy) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await database.replace_container("inventory", PartitionKey("/pk"), default_ttl=1)

    assert caught.value.status_code == 501
    assert "PUT" in str(caught.value)


async def test_databases_and_containers_are_not_listed(account: Account, database: DatabaseProxy) -> None:
    async with CosmosClient(account.address, account.keys["operator"], retry_total=0) as client:
        with pytest.raises(CosmosHttpResponseError) as databases:
            await collected(client.list_databases())
    with pytest.raises(CosmosHttpResponseError) as containers:
        await collected(database.list_containers())

    assert [caught.value.status_code for caught in (databases, containers)] == [501, 501]
    assert "GET /dbs/orderflow/colls" in str(containers.value)


async def test_a_query_plan_is_refused_by_name(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    # This answer makes the SDK ask for a plan.
    fault = {"kind": "status", "status": 400, "substatus": 1004, "operation": "Query"}
    (await control.post("/_faults", json=fault)).raise_for_status()

    with pytest.raises(CosmosHttpResponseError) as caught:
        await collected(container.query_items("SELECT * FROM c"))

    assert caught.value.status_code == 501
    assert "QueryPlan" in str(caught.value)


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        ({"partition_key": PartitionKey(["/a", "/b"])}, "hierarchical"),
        ({"partition_key": PartitionKey("/a"), "unique_key_policy": {"uniqueKeys": [{"paths": ["/b"]}]}}, "uniqueKey"),
    ],
)
async def test_a_container_that_would_behave_otherwise_is_refused(
    database: DatabaseProxy, definition: dict[str, Any], named: str
) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await database.create_container("other", **definition)

    assert caught.value.status_code == 501
    assert named in str(caught.value)


async def test_an_upsert_only_if_missing_does_not_replace(container: ContainerProxy) -> None:
    await container.upsert_item({"id": "once", "pk": "a"}, match_condition=MatchConditions.IfMissing)

    with pytest.raises(CosmosAccessConditionFailedError):
        await container.upsert_item({"id": "once", "pk": "a"}, match_condition=MatchConditions.IfMissing)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT * FROM c JOIN x IN c.y", "JOIN"),
        ("SELECT c.a FROM c GROUP BY c.a", "GROUP"),
        ("SELECT * FROM c WHERE c.a LIKE 'x%'", "LIKE"),
        ("SELECT * FROM c WHERE EXISTS (SELECT VALUE x FROM x IN c.y)", "EXISTS"),
        ("SELECT * FROM c WHERE c.a + 1 = 2", "+"),
        ("SELECT * FROM c WHERE (c.a ?? c.b) = 2", "?"),
        ("SELECT {'a': c.a} AS a FROM c", "{"),
        ("SELECT * FROM c WHERE udf.f(c.a)", "UDF"),
        ("SELECT * FROM c WHERE NOT c.a", "NOT"),
        ("SELECT * FROM c WHERE c.a NOT IN (1)", "NOT"),
        ("SELECT * FROM c WHERE c.a BETWEEN 1 AND 2", "BETWEEN"),
        ("SELECT * FROM c WHERE IS_DEFINED(c.a)", "IS_DEFINED"),
        ("SELECT * FROM c WHERE c.b = 1 AND STARTSWITH(c.a, 'a')", "STARTSWITH"),
        ("SELECT * FROM c WHERE c.a[0] = 1", "["),
        ("SELECT * FROM c WHERE c.a = [1]", "["),
        ("SELECT VALUE SUM(c.a) FROM c", "SUM"),
        ("SELECT VALUE COUNT(c.a) FROM c", "COUNT"),
        ("SELECT COUNT(1) FROM c", "COUNT"),
        ("SELECT * FROM c WHERE COUNT(1) = 1", "COUNT"),
        ("SELECT * FROM c ORDER BY c.a OFFSET 1 LIMIT 1", "OFFSET"),
        ("SELECT 1", "1 in place of a property"),
        ("SELECT VALUE 1 FROM c", "1 in place of a property"),
        ("SELECT c.a, 'x' AS b FROM c", "'x' in place of a property"),
        ("SELECT VALUE c.a", "without FROM"),
        ("SELECT c.a = 1 AS b FROM c", "= there"),
        ("SELECT VALUE c.a AND c.b FROM c", "AND there"),
        ("SELECT VALUE (SELECT VALUE 1) FROM c", "parentheses"),
        ("SELECT VALUE x FROM x IN c.y", "IN in FROM"),
        ("SELECT * FROM c.y", ". in FROM"),
        ("SELECT * FROM (SELECT * FROM c)", "parentheses"),
        ("SELECT * FROM c WHERE (c.a = 1) = true", "= there"),
        ("SELECT * FROM c WHERE c.a IN (c.b)", "a property in place of a constant"),
        ("SELECT * FROM c WHERE c.a -1 = 0", "-1"),
    ],
)
def test_what_the_dialect_lacks_is_named(query: str, named: str) -> None:
    with pytest.raises(CosmosError) as caught:
        dialect.query(query)

    assert caught.value.status == 501
    assert named in caught.value.message
