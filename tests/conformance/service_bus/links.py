"""What the tests do to Service Bus, over links that they share: the SDK takes half a second to open one."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

WAIT = 10.0
DEAD = ServiceBusSubQueue.DEAD_LETTER


def new_message(body: str | bytes = "body", **fields: object) -> ServiceBusMessage:
    """A message with an id of its own."""
    return ServiceBusMessage(body, **{"message_id": str(uuid4()), **fields})  # type: ignore[arg-type]  # any of its fields


async def receive(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    """The next message; fails when none comes."""
    found = await receiver.receive_messages(1, max_wait_time=WAIT)
    assert found, "no message came in time"
    return found[0]


async def peek(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    """All that is there, locked, scheduled and deferred messages too."""
    return await receiver.peek_messages(100, sequence_number=1)


class Links:
    """Senders and receivers, each opened once. A receiver wants no message but during `receive`."""

    def __init__(self, bus: ServiceBusClient) -> None:
        self.bus = bus
        self._senders: dict[str, ServiceBusSender] = {}
        self._receivers: dict[tuple[str, ServiceBusSubQueue | None], ServiceBusReceiver] = {}

    async def sender(self, entity: str) -> ServiceBusSender:
        """A sender to a queue or topic."""
        if entity not in self._senders:
            self._senders[entity] = self.bus.get_queue_sender(entity)
            await self._senders[entity].__aenter__()
        return self._senders[entity]

    async def receiver(self, entity: str, sub_queue: ServiceBusSubQueue | None = None) -> ServiceBusReceiver:
        """A receiver of a queue or of `<topic>/<subscription>`."""
        if (entity, sub_queue) not in self._receivers:
            receiver = self.new_receiver(entity, sub_queue, ServiceBusReceiveMode.PEEK_LOCK)
            self._receivers[entity, sub_queue] = await receiver.__aenter__()
        return self._receivers[entity, sub_queue]

    def new_receiver(
        self, entity: str, sub_queue: ServiceBusSubQueue | None, mode: ServiceBusReceiveMode
    ) -> ServiceBusReceiver:
        """A receiver of the caller's own."""
        topic, _, subscription = entity.partition("/")
        if subscription:
            return self.bus.get_subscription_receiver(topic, subscription, sub_queue=sub_queue, receive_mode=mode)
        return self.bus.get_queue_receiver(entity, sub_queue=sub_queue, receive_mode=mode)

    async def send(self, entity: str, body: str | bytes = "body", **fields: object) -> str:
        """Send a message; its id."""
        message = new_message(body, **fields)
        await (await self.sender(entity)).send_messages(message)
        return str(message.message_id)

    async def take(self, entity: str, sub_queue: ServiceBusSubQueue | None = None) -> ServiceBusReceivedMessage:
        """Receive the next message and complete it."""
        receiver = await self.receiver(entity, sub_queue)
        message = await receive(receiver)
        await receiver.complete_message(message)
        return message

    async def drain(self, entity: str, sub_queue: ServiceBusSubQueue | None = None) -> list[str]:
        """Take all that is there, none of it held by anyone; the bodies."""
        found = await peek(await self.receiver(entity, sub_queue))
        return [str(await self.take(entity, sub_queue)) for _ in found]

    async def is_empty(self, entity: str, sub_queue: ServiceBusSubQueue | None = None) -> bool:
        """Whether nothing at all is there."""
        return not await peek(await self.receiver(entity, sub_queue))

    async def empty(self, entity: str) -> str:
        """Remove what is there and among the dead letters; the entity again."""
        for sub_queue in (None, DEAD):
            while found := await peek(await self.receiver(entity, sub_queue)):
                mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
                async with self.new_receiver(entity, sub_queue, mode) as receiver:
                    for message in found:
                        await self._remove(entity, receiver, message)
        return entity

    async def _remove(self, entity: str, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        assert message.sequence_number is not None
        match message.state:
            case ServiceBusMessageState.SCHEDULED:
                await (await self.sender(entity)).cancel_scheduled_messages(message.sequence_number)
            case ServiceBusMessageState.DEFERRED:
                await receiver.receive_deferred_messages(message.sequence_number)
            case _:
                await receiver.receive_messages(1, max_wait_time=WAIT)

    async def close(self) -> None:
        """Close them all."""
        links = (*self._senders.values(), *self._receivers.values())
        await asyncio.gather(*(link.close() for link in links))
