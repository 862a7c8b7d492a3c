"""Entities for the tests of Service Bus.

Against the stand-in, they come from `topology.json` beside this file. Against Azure or Microsoft's emulator, they must
exist beforehand, as that file says (a subscription's only rule, `$Default`, is an SQL filter such as
`cloudEvents_type IN ('read.v1', 'both.v1')`), and hold no messages that matter: every test empties what it uses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from azure.servicebus.aio import ServiceBusClient

from tests.conformance.service_bus.links import Links
from tests.processes import connection_string, free_port, running

TOPOLOGY = Path(__file__).with_name("topology.json")


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
    arguments = ("--port", str(port), "--control-port", str(control), "--topology", str(TOPOLOGY))
    with running("service_bus", state, control, *arguments):
        yield connection_string(port, "operator", keys["serviceBus"]["operator"])


@pytest.fixture(scope="session")
async def bus(service_bus_connection: str) -> AsyncIterator[ServiceBusClient]:
    """A client that may do everything. Its operations are tried once."""
    async with ServiceBusClient.from_connection_string(service_bus_connection, retry_total=0) as client:
        yield client


@pytest.fixture(scope="session")
async def links(bus: ServiceBusClient) -> AsyncIterator[Links]:
    """Senders and receivers that the tests share."""
    links = Links(bus)
    yield links
    await links.close()


@pytest.fixture
async def queue(links: Links) -> str:
    """An empty queue: a lock of a minute, three deliveries, duplicate detection."""
    return await links.empty("conformance")


@pytest.fixture
async def brief(links: Links) -> str:
    """An empty queue whose locks last five seconds, the shortest that Azure has."""
    return await links.empty("conformance-brief")


@pytest.fixture
async def target(links: Links) -> str:
    """An empty queue that a subscription forwards to."""
    return await links.empty("conformance-target")
