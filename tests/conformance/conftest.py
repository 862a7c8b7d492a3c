"""Where the conformance tests find the services: the stand-ins by default, or what the options name.

    pytest tests/conformance                                                     # the stand-ins
    pytest tests/conformance/cosmos --cosmos-endpoint https://….documents.azure.com:443/ --cosmos-key …
    pytest tests/conformance/service_bus --service-bus-connection "Endpoint=sb://…;…"

The tests make databases and containers of their own and delete them.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from azure.cosmos.aio import CosmosClient

from tests.processes import connection_string, free_port, running, write_keys


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cosmos-endpoint", help="an account of Azure Cosmos DB, or an emulator")
    parser.addoption("--cosmos-key", help="that account's key")
    parser.addoption("--service-bus-connection", help="a connection string that may do everything")


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-ins' state folder."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def keys(state: Path) -> dict[str, dict[str, str]]:
    """The stand-ins' keys, by service and holder."""
    return write_keys(state)


@pytest.fixture(scope="session")
def cosmos_account(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Address and key of the account under test."""
    endpoint, key = (request.config.getoption(option, default=None) for option in ("cosmos_endpoint", "cosmos_key"))
    if endpoint:
        yield endpoint, key
        return
    state: Path = request.getfixturevalue("state")
    keys: dict[str, dict[str, str]] = request.getfixturevalue("keys")
    port = free_port()
    with running("cosmos", state, port, "--port", str(port)):
        yield f"http://127.0.0.1:{port}/", keys["cosmos"]["operator"]


@pytest.fixture(scope="session")
async def cosmos_client(cosmos_account: tuple[str, str]) -> AsyncIterator[CosmosClient]:
    """A client that may do everything on the account under test."""
    async with CosmosClient(*cosmos_account) as client:
        yield client


@pytest.fixture(scope="session")
def service_bus_connection(request: pytest.FixtureRequest) -> Iterator[str]:
    """A connection string that may do everything on the namespace under test."""
    connection = request.config.getoption("service_bus_connection", default=None)
    if connection:
        yield connection
        return
    state: Path = request.getfixturevalue("state")
    keys: dict[str, dict[str, str]] = request.getfixturevalue("keys")
    port, control = free_port(), free_port()
    with running("service_bus", state, control, "--port", str(port), "--control-port", str(control)):
        yield connection_string(port, "operator", keys["serviceBus"]["operator"])
