"""The stand-ins refuse what the deployment doesn't grant: every context, tried on everything that there is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from itertools import product

import pytest
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from tests.infra.deployment import CONTEXTS, SETTINGS, TOPOLOGY
from tests.infra.grants import DOCUMENTS, wanted
from tests.processes import connection_string, free_port, running, write_keys

GRANTS = wanted(TOPOLOGY, SETTINGS)
OWNER, SENDER = "Azure Service Bus Data Owner", "Azure Service Bus Data Sender"
QUEUES = [each["name"] for each in TOPOLOGY["queues"]]
TOPICS = [each["name"] for each in TOPOLOGY["topics"]]


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Cosmos DB's address, and each context's key."""
    state, port = tmp_path_factory.mktemp("cosmos"), free_port()
    keys = write_keys(state)["cosmos"]
    with running("cosmos", state, port, "--port", str(port)):
        yield f"http://127.0.0.1:{port}/", keys


@pytest.fixture(scope="module")
def service_bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Each context's connection string."""
    state, amqp, control = tmp_path_factory.mktemp("service_bus"), free_port(), free_port()
    keys = write_keys(state)["serviceBus"]
    with running("service_bus", state, control, "--port", str(amqp), "--control-port", str(control)):
        yield {holder: connection_string(amqp, holder, key) for holder, key in keys.items()}


@pytest.fixture
async def client(service_bus: dict[str, str], context: str) -> AsyncIterator[ServiceBusClient]:
    """The context's."""
    async with ServiceBusClient.from_connection_string(service_bus[context], retry_total=0) as client:
        yield client


async def allowed(attempts: Mapping[str, Awaitable[object]]) -> set[str]:
    """The names of those that succeed, rather than being refused for want of a grant."""
    outcomes = await asyncio.gather(*attempts.values(), return_exceptions=True)
    for outcome in outcomes:
        match outcome:
            case ServiceBusAuthorizationError() | CosmosHttpResponseError(status_code=403):
                pass
            case BaseException():
                raise outcome
    return {name for name, outcome in zip(attempts, outcomes, strict=True) if outcome is None}


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_context_sends_to_what_it_is_granted_and_to_nothing_else(
    client: ServiceBusClient, context: str
) -> None:
    async def send(kind: str, name: str) -> None:
        sender = client.get_queue_sender(name) if kind == "queue" else client.get_topic_sender(name)
        async with sender:
            await sender.send_messages(ServiceBusMessage(b"{}"))

    entities = [*product(["queue"], QUEUES), *product(["topic"], TOPICS)]
    found = await allowed({f"{kind} {name}": send(kind, name) for kind, name in entities})

    assert found == {what for who, role, what in GRANTS if who == context and role in (OWNER, SENDER)}


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_context_receives_from_what_it_is_granted_and_from_nothing_else(
    client: ServiceBusClient, context: str
) -> None:
    async def receive(queue: str, subscription: str | None) -> None:
        receiver = (
            client.get_subscription_receiver(queue, subscription) if subscription else client.get_queue_receiver(queue)
        )
        async with receiver:
            await receiver.peek_messages(1)

    queues = {f"queue {name}": receive(name, None) for name in QUEUES}
    subscriptions = {
        f"{each['topic']}/{each['name']}": receive(each["topic"], each["name"]) for each in TOPOLOGY["subscriptions"]
    }
    found = await allowed(queues | subscriptions)

    assert found == {what for who, role, what in GRANTS if who == context and role == OWNER}


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_context_reads_and_writes_its_own_container_and_no_other(
    cosmos: tuple[str, dict[str, str]], context: str
) -> None:
    address, keys = cosmos
    async with CosmosClient(address, keys[context]) as client:
        database = client.get_database_client("orderflow")

        async def write(name: str) -> None:
            await database.get_container_client(name).upsert_item({"id": context, "pk": context})

        async def query(name: str) -> None:
            items = database.get_container_client(name).query_items("SELECT * FROM c", partition_key=context)
            async for _ in items:
                pass

        written = await allowed({f"container {name}": write(name) for name in CONTEXTS})
        queried = await allowed({f"container {name}": query(name) for name in CONTEXTS})

    assert written == queried == {what for who, role, what in GRANTS if who == context and role == DOCUMENTS}
