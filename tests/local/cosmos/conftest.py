"""A stand-in of these tests' own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from azure.cosmos.aio import CosmosClient

from tests.processes import free_port, running, write_keys


@dataclass(frozen=True)
class Account:
    """Where the stand-in is, and its keys by holder."""

    address: str
    keys: dict[str, str]


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    state: Path = tmp_path_factory.mktemp("state")
    keys, port = write_keys(state)["cosmos"], free_port()
    with running("cosmos", state, port, "--port", str(port)):
        yield Account(f"http://127.0.0.1:{port}/", keys)


@pytest.fixture(scope="session")
async def operator(account: Account) -> AsyncIterator[CosmosClient]:
    """A client with the operator's key."""
    async with CosmosClient(account.address, account.keys["operator"]) as client:
        yield client


@pytest.fixture
async def control(account: Account) -> AsyncIterator[httpx.AsyncClient]:
    """For `/_health`, `/_stats` and `/_faults`; the faults are cleared afterwards."""
    async with httpx.AsyncClient(base_url=account.address) as client:
        yield client
        (await client.delete("/_faults")).raise_for_status()
