"""A database of the tests' own, and its containers."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy

INDEXES: Any = {
    "indexingMode": "consistent",
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
    "compositeIndexes": [[{"path": "/rank", "order": "ascending"}, {"path": "/id", "order": "ascending"}]],
}


@pytest.fixture(scope="session")
async def database(cosmos_client: CosmosClient) -> AsyncIterator[DatabaseProxy]:
    """An empty database."""
    name = f"conformance-{secrets.token_hex(4)}"
    yield await cosmos_client.create_database(name)
    await cosmos_client.delete_database(name)


@pytest.fixture(scope="session")
async def container(database: DatabaseProxy) -> ContainerProxy:
    """A container with the partition key /pk, TTL by document, and a composite index on /rank and /id."""
    return await database.create_container("items", PartitionKey("/pk"), indexing_policy=INDEXES, default_ttl=-1)


@pytest.fixture
def pk() -> str:
    """A partition key that no other test uses."""
    return f"pk-{secrets.token_hex(8)}"
