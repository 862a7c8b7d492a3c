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

from shared.adapters.identity import credential
from shared.errors import Unavailable
from shared.ports import WireMessage
from shared.settings import Connection

_MOST_BYTES = 230_000
"""Of the bodies in one transfer; the Standard tier takes 256 KB with headers and all."""


class ServiceBusOutput:
    """The sending side of one context; links are opened at the first message, in its event loop."""

    def __init__(self, connection: Connection, timeout: timedelta) -> None:
        self._connection = connection
        self._timeout = timeout.total_seconds()
        self._lanes: dict[str, _Lane] = {}

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        """Hand the messages over; returns once the broker has them. Raises Unavailable: some may have arrived."""
        lane = self._lanes.setdefault(destination, _Lane(self._connection, destination, self._timeout))
        await lane.send([_message(each, at) for each in messages])

    async def close(self) -> None:
        """Let go of every link; the next message opens its own anew."""
        for lane in self._lanes.values():
            await lane.close()


class _Lane:
    def __init__(self, connection: Connection, destination: str, timeout: float) -> None:
        self._connection = connection
        self._destination = destination
        self._timeout = timeout
        self._waiting: list[tuple[list[ServiceBusMessage], asyncio.Future[None]]] = []
        self._draining: asyncio.Task[None] | None = None
        self._link: tuple[ServiceBusClient, ServiceBusSender] | None = None

    async def send(self, messages: list[ServiceBusMessage]) -> None:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, sent))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        await sent

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                for transfer in _transfers([message for messages, _ in batch for message in messages]):
                    await self._transfer(transfer)
                failure = None
            except Exception as error:  # noqa: BLE001 - whatever the SDK raises: nothing is known of what has arrived
                # Nor of the state that the link is in: the next message gets a new one.
                failure = Unavailable(
                    f"Service Bus did not take messages for {self._destination}: {type(error).__name__}"
                )
                failure.__cause__ = error
                await self.close()
            for _, sent in batch:
                if sent.cancelled():
                    continue
                if failure:
                    sent.set_exception(failure)
                else:
                    sent.set_result(None)
        self._draining = None

    async def _transfer(self, messages: list[ServiceBusMessage]) -> None:
        """Send, on a new link if the one there is turns out to be dead: a broker that restarted is no outage."""
        kept = self._link
        async with asyncio.timeout(self._timeout):
            try:
                await (await self._open()).send_messages(messages)
            except Exception:
                if kept is None:
                    raise
                await self.close()
                await (await self._open()).send_messages(messages)

    async def _open(self) -> ServiceBusSender:
        if self._link is None:
            client = self._client()
            is_topic = self._destination.endswith("-events")
            get_sender = client.get_topic_sender if is_topic else client.get_queue_sender
            self._link = client, get_sender(self._destination)
        return self._link[1]

    def _client(self) -> ServiceBusClient:
        options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1, "socket_timeout": self._timeout}
        if self._connection.connection_string:
            return ServiceBusClient.from_connection_string(self._connection.connection_string, **options)
        return ServiceBusClient(self._connection.endpoint, credential(self._connection.client_id), **options)

    async def close(self) -> None:
        link, self._link = self._link, None
        if link:
            # It failed already; what closing it says is of no use to anyone.
            with suppress(Exception):
                async with asyncio.timeout(1):
                    await link[1].close()
                    await link[0].close()


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
