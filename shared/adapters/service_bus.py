"""shared.ports.Sender on Azure Service Bus.

The SDK's clients and senders (azure-servicebus 7.15) are not safe to share between coroutines: each destination has one
sender, used by one coroutine at a time. What arrives while a send is under way goes out together, in the next one.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from shared.adapters.identity import credential
from shared.adapters.opening import Opening
from shared.errors import OrderflowError, Throttled, Unavailable
from shared.ports import WireMessage
from shared.settings import Connection

_MOST_BYTES = 230_000
"""Of the bodies in one transfer; the Standard tier takes 256 KB with headers and all."""


_BUSY_SECONDS = 10.0
"""How long a broker that says it is busy is left alone, as Azure's own clients do
(https://learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling)."""

_KEEP_ALIVE_SECONDS = 100
"""How often the SDK keeps a link's connection alive, for which it listens for 0.2 s, while nobody can send; every 30 s,
unless told. Azure ends one that is silent for 240 s (https://github.com/Azure/azure-sdk-for-python/issues/31229)."""

_NOT_THE_LINK = (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)
"""Refusals that a fresh link would only hear again."""


class ServiceBusOutput:
    """The sending side of one context; links are opened at the first message, in its event loop.

    A call waits for a link that is being opened for about `timeout`. Then the message goes out as soon as the link is
    open, though the caller was told otherwise: it has the message in its outbox, under the same id.
    """

    def __init__(
        self, connection: Connection, timeout: timedelta, open_timeout: timedelta = timedelta(seconds=15)
    ) -> None:
        self._connection = connection
        self._timeout = timeout.total_seconds()
        self._open_timeout = open_timeout.total_seconds()
        self._links: dict[str, _SendingLink] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        """Hand the messages over; returns once the broker has them. Raises Unavailable, where some may have arrived,
        and Throttled where the broker is busy."""
        link = self._links.get(destination)
        if link is None:
            link = _SendingLink(self._connection, destination, self._timeout, self._open_timeout)
            self._links[destination] = link
        await link.send([_message(each, at) for each in messages])

    async def check(self, destination: str) -> None:
        """See whether the broker lets us send there, over a link of its own. Raises Unavailable."""
        link = _SendingLink(self._connection, destination, self._timeout, self._open_timeout)
        try:
            opened = await link.open()
        except Exception as error:
            raise Unavailable(f"Service Bus opens no link to {destination}: {type(error).__name__}") from error
        # The SDK takes half a second to close one, and nobody needs to wait for that.
        closing = asyncio.create_task(_closed(*opened))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Let go of every link; the next message opens its own anew."""
        await asyncio.gather(*self._closing)
        for link in self._links.values():
            await link.close()


class _SendingLink:
    def __init__(self, connection: Connection, destination: str, timeout: float, open_timeout: float) -> None:
        self._connection = connection
        self._destination = destination
        self._timeout = timeout
        self._waiting: list[tuple[list[ServiceBusMessage], asyncio.Future[None]]] = []
        self._draining: asyncio.Task[None] | None = None
        self._link = Opening(self.open, open_timeout)
        self._is_used = False
        self._busy_until = 0.0

    async def send(self, messages: list[ServiceBusMessage]) -> None:
        loop = asyncio.get_running_loop()
        if (wait := self._busy_until - loop.time()) > 0:
            raise Throttled(f"Service Bus is busy: nothing is sent to {self._destination} for a while", wait)
        sent: asyncio.Future[None] = loop.create_future()
        self._waiting.append((messages, sent))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        while not (await asyncio.wait([sent], timeout=self._timeout))[0]:
            if not self._link.is_open:
                sent.cancel()
                raise Unavailable(f"the link to {self._destination} is still being opened")
        sent.result()

    async def _drain(self) -> None:
        while self._waiting:
            failure: OrderflowError | None = None
            batch: list[tuple[list[ServiceBusMessage], asyncio.Future[None]]] = []
            try:
                await self._link.get()
                batch, self._waiting = self._waiting, []
                for transfer in _transfers([message for messages, _ in batch for message in messages]):
                    await self._transfer(transfer)
            except Exception as error:  # noqa: BLE001 - whatever the SDK raises: nothing is known of what has arrived
                if not batch:
                    batch, self._waiting = self._waiting, []
                failure = await self._failure(error)
            for _, sent in batch:
                if sent.done():
                    continue
                if failure:
                    sent.set_exception(failure)
                else:
                    sent.set_result(None)
        self._draining = None

    async def _failure(self, error: Exception) -> OrderflowError:
        said = f"Service Bus did not take messages for {self._destination}: {type(error).__name__}"
        failure: OrderflowError = Unavailable(said)
        if isinstance(error, ServiceBusServerBusyError):
            self._busy_until = asyncio.get_running_loop().time() + _BUSY_SECONDS
            failure = Throttled(said, _BUSY_SECONDS)
        elif not isinstance(error, _NOT_THE_LINK):
            # Nothing is known of the state that the link is in: the next message gets a new one.
            await self.close()
        failure.__cause__ = error
        return failure

    async def _transfer(self, messages: list[ServiceBusMessage]) -> None:
        """Send, on a new link if the one there is turns out to be dead: a broker that restarted is no outage."""
        was_used, self._is_used = self._is_used, True
        try:
            await self._attempt(messages)
        except _NOT_THE_LINK:
            raise
        except Exception:
            if not was_used:
                raise
            await self.close()
            await self._attempt(messages)

    async def _attempt(self, messages: list[ServiceBusMessage]) -> None:
        _, sender = await self._link.get()
        async with asyncio.timeout(self._timeout):
            await sender.send_messages(messages)

    async def open(self) -> tuple[ServiceBusClient, ServiceBusSender]:
        client = self._client()
        is_topic = self._destination.endswith("-events")
        get_sender = client.get_topic_sender if is_topic else client.get_queue_sender
        sender = get_sender(self._destination, keep_alive=_KEEP_ALIVE_SECONDS)
        try:
            await sender.__aenter__()
        except BaseException:
            await _closed(client, sender)
            raise
        self._is_used = False
        return client, sender

    def _client(self) -> ServiceBusClient:
        # Retries are ours: the SDK's come at once, also to a broker that is busy.
        options: dict[str, Any] = {"retry_total": 0}
        if self._connection.connection_string:
            return ServiceBusClient.from_connection_string(self._connection.connection_string, **options)
        return ServiceBusClient(self._connection.endpoint, credential(self._connection.client_id), **options)

    async def close(self) -> None:
        if link := self._link.forget():
            await _closed(*link)


async def _closed(client: ServiceBusClient, sender: ServiceBusSender) -> None:
    # It failed already, or is not wanted any more; what closing it says is of no use to anyone.
    with suppress(Exception):
        async with asyncio.timeout(1):
            await sender.close()
            await client.close()


def _message(wire: WireMessage, at: datetime | None) -> ServiceBusMessage:
    properties: Any = dict(wire.properties or {})
    return ServiceBusMessage(
        wire.body,
        message_id=wire.id,
        correlation_id=wire.correlation_id or None,
        content_type=wire.content_type or None,
        application_properties=properties,
        scheduled_enqueue_time_utc=at,
    )


def _transfers(messages: list[ServiceBusMessage]) -> list[list[ServiceBusMessage]]:
    """The messages in their order, in groups that one transfer can carry."""
    groups: list[list[ServiceBusMessage]] = [[]]
    size = 0
    for message in messages:
        length = 1000 + sum(map(len, message.body))
        if groups[-1] and (size + length > _MOST_BYTES or len(groups[-1]) == 100):
            groups.append([])
            size = 0
        groups[-1].append(message)
        size += length
    return groups
