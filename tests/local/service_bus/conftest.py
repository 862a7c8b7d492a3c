"""One broker for all tests that don't end it; each test finds it empty and without faults."""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from proton import Message
from proton.utils import BlockingConnection

from tests.conformance.service_bus.links import DEAD, Links
from tests.local.service_bus.running import Running


@pytest.fixture(autouse=True)
def sockets_left_behind() -> Iterator[None]:
    """What the SDK leaves to the garbage collector is collected here, not in another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    running = Running(tmp_path_factory.mktemp("broker"))
    await running.start()
    yield running
    await running.close()


@pytest.fixture(scope="session")
async def shared_links(process: Running) -> AsyncIterator[Links]:
    async with process.client() as client:
        links = Links(client)
        yield links
        await links.close()


@pytest.fixture
async def broker(process: Running, shared_links: Links) -> AsyncIterator[Running]:
    yield process
    await process.control.delete("/_faults")
    await process.inject(kind="expire-locks")
    for entity in await process.get("/_entities"):
        if entity["active"]:
            await shared_links.drain(entity["name"])
        if entity["deadLettered"]:
            await shared_links.drain(entity["name"], DEAD)


@pytest.fixture
def links(broker: Running, shared_links: Links) -> Links:
    """The operator's senders and receivers, which try once."""
    return shared_links


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Running]:
    """A broker of the test's own, running."""
    running = Running(tmp_path)
    await running.start()
    yield running
    await running.close()


@pytest.fixture
async def raw(broker: Running, links: Links) -> Any:
    """A plain AMQP client, with the operator's token. It blocks, which the broker, another process, doesn't mind."""
    sender: Any = await links.sender("orders")
    token = await sender._credential.get_token(sender._auth_uri)
    connection = BlockingConnection(f"amqp://127.0.0.1:{broker.port}", timeout=10, allowed_mechs="ANONYMOUS")
    properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": sender._auth_uri}
    connection.create_sender("$cbs").send(Message(body=token.token, properties=properties))
    yield connection
    connection.close()
