"""What `benchmarks.paper` says that an order takes, and nothing else: the SDKs' own calls in a small script, driven by
the same messages through the same stand-ins. No HTTP, no rules, no checks, no second attempts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any
from uuid import uuid4

import stripe
from azure.cosmos.aio import DatabaseProxy
from azure.cosmos.exceptions import CosmosResourceNotFoundError
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from benchmarks import clients, paper
from local.replay.client import each
from local.verify.stack import Stack, read_stack

CONTEXTS = ("orders", "inventory", "payments", "shipping")
LISTENER = "operations"
PRODUCTS, AT_A_TIME, RECEIVERS, AT_HAND = 100, 16, 4, 4
AGGREGATE, OUTGOING, MESSAGE = "x" * 900, "x" * 700, "x" * 300
"""As long as the application's own documents and messages are, on average."""
REPLIES = ("PaymentCaptured", "StockCommitted")
"""To an order's two last commands: whichever comes first is the first step, the other the last."""
STEPS = {step.on: step for step in paper.STEPS}


@dataclass(slots=True)
class Order:
    """One under way."""

    id: str
    skus: list[str]
    intent: str = ""
    replies: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class BareOrders:
    """Places orders, and does for each what the contexts would."""

    def __init__(self, database: DatabaseProxy, senders: Mapping[str, ServiceBusSender], of: Stack) -> None:
        self._containers = {name: database.get_container_client(name) for name in (*CONTEXTS, LISTENER)}
        self._senders = {name: (sender, asyncio.Lock()) for name, sender in senders.items()}
        self._http = stripe.AIOHTTPClient(timeout=None)
        self._provider = stripe.StripeClient(
            of.keys["paymentProvider"],
            base_addresses={"api": of.parts["payment_provider"].address.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )
        self._orders: dict[str, Order] = {}

    async def aclose(self) -> None:
        """Let go of the provider's connections."""
        await self._http.close_async()

    async def stock_up(self) -> None:
        """The documents that an order's lines are looked up by."""
        for number in range(PRODUCTS):
            for name, prefix in (("orders", "price"), ("inventory", "stock")):
                item = {"id": prefix, "pk": f"{prefix}:MUG-{number}", "kind": prefix, "available": 10**9}
                await self._containers[name].upsert_item(item)

    async def closed(self, number: int, at_a_time: int, lines: int) -> float:
        """So many orders, the next of each caller when its last is over; the seconds that it took."""
        start = time.monotonic()
        await each(range(number), at_a_time, lambda each: self._order(each, lines))
        return time.monotonic() - start

    async def _order(self, number: int, lines: int) -> None:
        skus = [f"MUG-{(number * lines + line) % PRODUCTS}" for line in range(lines)]
        order = Order(f"ord_{uuid4().hex}", skus)
        self._orders[order.id] = order
        await self._do(STEPS["POST /api/orders"], order)
        await order.over.wait()

    async def drain(self, receiver: ServiceBusReceiver, queue: str) -> None:
        """Handle what comes to a queue."""
        while True:
            for message in await receiver.receive_messages(max_message_count=1, max_wait_time=60):
                await self._handle(message, queue)
                await receiver.complete_message(message)

    async def _handle(self, message: ServiceBusReceivedMessage, queue: str) -> None:
        told = json.loads(b"".join(message.body))
        name, order = told["name"], self._orders[told["order"]]
        if queue == LISTENER:
            kept = {"id": str(message.message_id), "pk": order.id, "kind": "event", "padding": MESSAGE}
            await self._batch(LISTENER, order.id, [("create", (kept,))])
            if name == "OrderCompleted":
                order.over.set()
            return
        if name in REPLIES:
            name = REPLIES[order.replies]
            order.replies += 1
        await self._do(STEPS[name], order)
        if name == "CreateShipment":
            await self._do(STEPS["POST /api/shipments/{id}/dispatch"], order)

    async def _do(self, step: paper.Step, order: Order) -> None:
        container, pk = self._containers[step.context], order.id
        for _ in range(step.reads):
            with suppress(CosmosResourceNotFoundError):
                await container.read_item(step.context, pk)
        for _ in range(step.looks):
            prefix = "price" if step.context == "orders" else "stock"
            await container.read_items([(prefix, f"{prefix}:{sku}") for sku in order.skus])
        for _ in range(step.before):
            first = {"id": f"before-{step.on.partition(' ')[0]}", "pk": pk, "kind": "before", "padding": MESSAGE}
            await self._batch(step.context, pk, [("create", (first,))])
        if step.before_a_line:
            for some in batched(order.skus, AT_A_TIME, strict=False):
                await asyncio.gather(*(self._line(step, order, sku) for sku in some))
        await self._pay(step, order)
        outgoing = [{"id": str(uuid4()), "pk": pk, "kind": "outbox", "padding": OUTGOING} for _ in step.sends]
        aggregate = {"id": step.context, "pk": pk, "kind": "aggregate", "padding": AGGREGATE}
        await self._batch(step.context, pk, [("upsert", (aggregate,)), *(("create", (one,)) for one in outgoing)])
        if outgoing:
            await asyncio.gather(*(self._send(*sent, order) for sent in step.sends.items()))
            await self._batch(step.context, pk, [("delete", (one["id"],)) for one in outgoing])

    async def _line(self, step: paper.Step, order: Order, sku: str) -> None:
        pk, id = f"stock:{sku}", f"res:{order.id}"
        taken = [{"op": "incr", "path": "/available", "value": -1}]
        enough = {"filter_predicate": "from c where c.available >= 1"}
        if step.on == "ReserveStock":
            reservation = {"id": id, "pk": pk, "kind": "reservation", "state": "active", "padding": MESSAGE}
            first: tuple[Any, ...] = ("create", (reservation,))
        else:
            first = ("patch", (id, [{"op": "set", "path": "/state", "value": "committed"}]), {})
        await self._batch("inventory", pk, [first, ("patch", ("stock", taken), enough)])

    async def _pay(self, step: paper.Step, order: Order) -> None:
        intents = self._provider.v1.payment_intents
        if step.on == "AuthorisePayment":
            new = await intents.create_async(
                {
                    "amount": 250,
                    "currency": "gbp",
                    "payment_method": "pm_card_visa",
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "capture_method": "manual",
                }
            )
            order.intent = new.id
            await intents.confirm_async(order.intent)
        elif step.provider:
            await intents.capture_async(order.intent)

    async def _batch(self, context: str, pk: str, operations: list[Any]) -> None:
        await self._containers[context].execute_item_batch(operations, partition_key=pk)

    async def _send(self, name: str, destination: str, order: Order) -> None:
        context = destination.removesuffix("-events")
        message = ServiceBusMessage(
            json.dumps({"name": name, "order": order.id, "padding": MESSAGE}),
            message_id=str(uuid4()),
            correlation_id=order.id,
            application_properties={"cloudEvents_type": f"orderflow.{context}.{name}.v1"},
        )
        sender, lock = self._senders[destination]
        async with lock:
            await sender.send_messages(message)


@asynccontextmanager
async def bare_orders(state: Path) -> AsyncIterator[BareOrders]:
    """On the stand-ins of this state folder, where nobody else receives."""
    of = read_stack(state)
    queues = [queue for queue in (*CONTEXTS, LISTENER) for _ in range(RECEIVERS)]
    async with (
        clients.cosmos(of) as database,
        clients.links(of, map(sending, paper.sent())) as senders,
        clients.links(of, map(receiving, queues)) as receivers,
        aclosing(BareOrders(database, dict(zip(paper.sent(), senders, strict=True)), of)) as found,
    ):
        await found.stock_up()
        async with asyncio.TaskGroup() as group:
            draining = [group.create_task(found.drain(*each_one)) for each_one in zip(receivers, queues, strict=True)]
            try:
                yield found
            finally:
                for each_one in draining:
                    each_one.cancel()


def sending(destination: str) -> Callable[[ServiceBusClient], ServiceBusSender]:
    """A link to send over."""
    is_topic = destination.endswith("-events")
    return lambda of: of.get_topic_sender(destination) if is_topic else of.get_queue_sender(destination)


def receiving(queue: str) -> Callable[[ServiceBusClient], ServiceBusReceiver]:
    """A link to receive over, with a few messages at hand: the SDK waits 0.2 s for others of several asked for."""
    return lambda of: of.get_queue_receiver(queue, prefetch_count=AT_HAND)
