"""The Azure SDKs' own clients of a stack's stand-ins, as somebody who may do everything."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

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


@asynccontextmanager
async def links(
    stack: Stack, made: Iterable[Callable[[ServiceBusClient], AbstractAsyncContextManager[Any]]]
) -> AsyncIterator[list[Any]]:
    """Links, each over a connection of its own, as a host has them; opened and closed all at once, since the SDK takes
    half a second for each."""

    async def opened(
        exits: AsyncExitStack, make: Callable[[ServiceBusClient], AbstractAsyncContextManager[Any]]
    ) -> object:
        return await exits.enter_async_context(make(await exits.enter_async_context(service_bus(stack))))

    making = [(AsyncExitStack(), make) for make in made]
    try:
        yield await asyncio.gather(*(opened(*each) for each in making))
    finally:
        await asyncio.gather(*(exits.aclose() for exits, _ in making))
