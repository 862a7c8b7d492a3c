"""Service Bus functions: a few receivers each, with as many messages in work at a time as `host.json` allows.

Success completes a message; an exception abandons it at once, which counts as a delivery. A lock is renewed for up to
`maxAutoLockRenewalDuration`; completing after it is lost is only logged, and the message comes again. The broker may be
away at any time: the receiver tries for ever. At the end, messages in work are waited for, but, as on Azure, a success
after the stop began is abandoned.

The SDK's receivers aren't safe in several tasks, and a write waits for a read that is under way. So one task alone uses
a receiver, and what needs the receiver meanwhile interrupts its wait for messages: that is a cancellation, which the
SDK stands while it reads from the connection, where alone it waits as long as no other task uses it.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from local.functions_host import messages, worker
from local.functions_host.settings import HostJson, trigger_of
from local.functions_host.worker import AppRefused, Function, log

_RECEIVERS = 4  # of a function, at most
_IDLE = 60.0  # how long to wait in one go when nothing interrupts
_ATTEMPT = 10.0  # the longest that the broker may take to answer
_PAUSES = (0.1, 1.0)  # between attempts to connect: the first, and the longest
_RENEW_BEFORE = 10.0


@dataclass(slots=True, eq=False)
class _Delivery:
    message: ServiceBusReceivedMessage
    received: float
    renew_at: float = math.inf
    succeeded: bool = False
    settled_in_vain: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


def receivers_of(function: Function, host: HostJson) -> list[Receiver]:
    """A few receivers that share the function's calls: each completes one message after the other, and waits a turn of
    the event loop or more for the broker's answer. With one alone, messages that are done would queue up for that, and
    hold the places of others, while requests take all the turns that they like."""
    number = min(host.concurrent_calls, _RECEIVERS)
    shares = [(host.concurrent_calls + each) // number for each in range(number)]
    return [Receiver(function, replace(host, concurrent_calls=share)) for share in shares]


class Receiver:
    """One of a Service Bus function's, and the queue or subscription that they drain."""

    def __init__(self, function: Function, host: HostJson) -> None:
        self._function, self._host, self._trigger = function, host, trigger_of(function)
        for key in ("isSessionsEnabled", "cardinality", "autoCompleteMessages"):
            if self._trigger.get(key) not in (None, "ONE", key == "autoCompleteMessages"):
                value = self._trigger[key]
                raise AppRefused(f"function {function.name}: {key} {value!r} isn't supported by this host")
        if self._trigger.get("dataType") != "BINARY":
            # On Azure the body is a string then, and what JSON in it holds overwrites the message's properties.
            raise AppRefused(f'function {function.name}: only data_type="binary" is supported by this host')
        self._client = _client(function.name, self._trigger.get("connection") or "AzureWebJobsServiceBus")
        # Messages are asked for several at a time, and only when as many may begin: none waits, locked, for its turn.
        self._asked_at_a_time = max(host.concurrent_calls // 4, 1)
        self._coming = 0
        self._in_work: set[_Delivery] = set()
        self._done: deque[_Delivery] = deque()
        self._waiting: asyncio.Timeout | None = None
        self._stopping, self._connected, self._pause = False, True, _PAUSES[0]

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop` is set and what is in work then has ended."""
        stopper = asyncio.create_task(self._stop_after(stop))
        async with self._client:
            while not self._finished():
                try:
                    async with self._receiver() as receiver:
                        # A task of the SDK's reads every few seconds, too, and what is to be written waits for that.
                        receiver._handler._keep_alive_interval = sys.maxsize
                        log.info("Receiving for function %s", self._function.name)
                        self._connected, self._coming = True, 0
                        await self._work(receiver)
                except Exception as error:  # noqa: BLE001 - whatever the SDK raises, the answer is to connect anew
                    if self._connected:
                        log.warning("No connection for function %s, trying on: %s", self._function.name, error)
                    self._connected = False
                    await self._unless_needed(asyncio.sleep(self._pause))
                    self._pause = min(2 * self._pause, _PAUSES[1])
                    if self._stopping and not self._in_work:
                        self._done.clear()
        await stopper

    def _receiver(self) -> ServiceBusReceiver:
        options: dict[str, Any] = {
            "prefetch_count": self._asked_at_a_time + self._host.prefetch_count - 1,
            "timeout": _ATTEMPT,  # for the answer to a settlement
        }
        if "queueName" in self._trigger:
            return self._client.get_queue_receiver(self._trigger["queueName"], **options)
        topic, subscription = self._trigger["topicName"], self._trigger["subscriptionName"]
        return self._client.get_subscription_receiver(topic, subscription, **options)

    async def _work(self, receiver: ServiceBusReceiver) -> None:
        while not self._finished():
            now = asyncio.get_running_loop().time()
            if self._done:
                await self._settle(receiver, self._done[0])
                self._done.popleft()
            elif expiring := [delivery for delivery in self._in_work if delivery.renew_at <= now]:
                await self._renew(receiver, expiring[0])
            elif self._stopping or not self._has_room():
                await self._unless_needed(asyncio.sleep(_IDLE))
            else:
                self._coming = self._coming or self._asked_at_a_time + self._host.prefetch_count
                fetch = receiver.receive_messages(max_message_count=1, max_wait_time=_IDLE)
                for message in await self._unless_needed(fetch) or ():
                    self._begin(message)

    def _has_room(self) -> bool:
        free = self._host.concurrent_calls - len(self._in_work)
        return free > 0 if self._coming else free >= self._asked_at_a_time

    def _finished(self) -> bool:
        return self._stopping and not self._in_work and not self._done

    async def _unless_needed[Result](self, wait: Awaitable[Result]) -> Result | None:
        """Wait, but no longer than until a message has ended, a lock needs renewal, or the host stops."""
        renewal = min((delivery.renew_at for delivery in self._in_work), default=math.inf)
        try:
            async with asyncio.timeout_at(None if renewal == math.inf else renewal) as self._waiting:
                return await wait
        except TimeoutError:
            if not self._waiting or not self._waiting.expired():
                raise
            return None
        finally:
            self._waiting = None

    def _interrupt(self) -> None:
        if self._waiting and not self._waiting.expired():
            self._waiting.reschedule(0)

    async def _stop_after(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        self._interrupt()

    def _begin(self, message: ServiceBusReceivedMessage) -> None:
        self._coming, self._pause = self._coming - 1, _PAUSES[0]
        delivery = _Delivery(message, asyncio.get_running_loop().time())
        self._schedule_renewal(delivery)
        self._in_work.add(delivery)
        delivery.task = asyncio.create_task(self._handle(delivery))

    async def _handle(self, delivery: _Delivery) -> None:
        message = delivery.message
        try:
            body, properties = messages.body_of(message), messages.properties_of(message)
            parent, state = (str(properties.get(name) or "") for name in ("traceparent", "tracestate"))
            metadata = messages.metadata_of(message, properties)
            await worker.invoke(self._function, body, metadata, trace_parent=parent, trace_state=state)
            delivery.succeeded = not self._stopping
        except worker.InvocationFailed:
            pass  # logged
        except ValueError as error:
            self._warn("it can't be given to the function", delivery, error)
        finally:
            self._in_work.discard(delivery)
            self._done.append(delivery)
            self._interrupt()

    async def _settle(self, receiver: ServiceBusReceiver, delivery: _Delivery) -> None:
        settle = receiver.complete_message if delivery.succeeded else receiver.abandon_message
        try:
            await settle(delivery.message)
        except MessageLockLostError as error:
            self._warn("its lock is lost, it comes again", delivery, error)
        except (ServiceBusError, ValueError) as error:
            # Once more on a new connection; then its lock runs out and it comes again.
            if not delivery.settled_in_vain:
                delivery.settled_in_vain = True
                raise
            self._warn("it can't be settled, it comes again", delivery, error)

    async def _renew(self, receiver: ServiceBusReceiver, delivery: _Delivery) -> None:
        try:
            await receiver.renew_message_lock(delivery.message)
        except MessageLockLostError as error:
            delivery.renew_at = math.inf
            self._warn("its lock is lost while the function works on it", delivery, error)
        else:
            self._schedule_renewal(delivery)

    def _schedule_renewal(self, delivery: _Delivery) -> None:
        until = delivery.message.locked_until_utc
        left = (until - datetime.now(UTC)).total_seconds() if until else math.inf
        renew_at = asyncio.get_running_loop().time() + left - min(left / 2, _RENEW_BEFORE)
        delivery.renew_at = renew_at if renew_at < delivery.received + self._host.lock_renewal else math.inf

    def _warn(self, text: str, delivery: _Delivery, error: Exception) -> None:
        log.warning("function %s, message %s: %s: %s", self._function.name, delivery.message.message_id, text, error)


def _client(function: str, connection: str) -> ServiceBusClient:
    if text := os.environ.get(connection):
        return ServiceBusClient.from_connection_string(text, retry_total=0, try_timeout=_ATTEMPT)
    namespace = os.environ.get(f"{connection}__fullyQualifiedNamespace")
    if not namespace:
        wanted = f"{connection} or {connection}__fullyQualifiedNamespace"
        raise AppRefused(f"function {function}: the setting {wanted} is missing")
    client_id = os.environ.get(f"{connection}__clientId")
    credential: AsyncTokenCredential = DefaultAzureCredential(managed_identity_client_id=client_id)
    if os.environ.get(f"{connection}__credential", "").lower() == "managedidentity":
        credential = ManagedIdentityCredential(client_id=client_id)
    return ServiceBusClient(namespace, credential, retry_total=0, try_timeout=_ATTEMPT)
