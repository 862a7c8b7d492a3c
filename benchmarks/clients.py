"""The Azure SDKs' own clients of a stack's stand-ins, as somebody who may do everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient, DatabaseProxy
from azure.servicebus.aio import ServiceBusClient

from local.verify.stack import Stack

OPERATOR = "operator"


@asynccontextmanager
async def cosmos(stack: Stack) -> AsyncIterator[DatabaseProxy]:
    """The database, through a client with the application's own transport."""
    transport = AioHttpTransport(use_env_settings=False)
    async with CosmosClient(
        stack.parts["cosmos"].address, stack.keys["cosmos"][OPERATOR], transport=transport
    ) as client:
        yield client.get_database_client("orderflow")


@asynccontextmanager
async def service_bus(stack: Stack) -> AsyncIterator[ServiceBusClient]:
    """The namespace."""
    address, key = stack.parts["service_bus"].address, stack.keys["serviceBus"][OPERATOR]
    connection = f"Endpoint={address};SharedAccessKeyName={OPERATOR};SharedAccessKey={key};UseDevelopmentEmulator=true;"
    async with ServiceBusClient.from_connection_string(connection) as client:
        yield client
