"""How fast the stand-ins answer the SDKs, so that it is known what limits an order on this machine."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import uvloop
from azure.cosmos.aio import ContainerProxy
from azure.servicebus import ServiceBusMessage

from benchmarks import clients, processor
from benchmarks.comparison import percentile
from benchmarks.report import How, Report, Table
from local.verify.stack import Stack, read_stack
from scripts.measure_orders import stack

CALLERS = (1, 16)
STORED, PAGE = 1_000, 20
PADDING = "x" * 700
"""Makes a document about 1 KB."""
QUEUE, AHEAD = "operations", 2_000
"""So many messages wait there before any is received: receiving doesn't wait for sending."""
type Call = Callable[[int], Awaitable[object]]
"""Does it once, for the caller of this number."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How so many callers fared with one operation."""

    name: str
    callers: int
    milliseconds: tuple[float, ...]
    seconds: float
    server: float
    client: float
    """Milliseconds of processor time, of the stand-in and of who asks."""

    def row(self) -> list[str | float]:
        """Of the table."""
        done = len(self.milliseconds)
        times = [round(percentile(self.milliseconds, share), 2) for share in (0.5, 0.99)]
        spent = [round(each / done, 2) for each in (self.server, self.client)]
        return [self.name, f"{self.callers}", round(done / self.seconds), *times, *spent]


HEADING = ("operation", "callers", "a second", "p50, ms", "p99, ms", "ms of the stand-in", "ms of the client")


def measure(how: How) -> Report:
    """Cosmos DB's and Service Bus's stand-ins, with nobody else about. There is no target."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        with stack(state, {}, ("local", "up", "--stand-ins")):
            rates = asyncio.run(_measure(read_stack(state), how), loop_factory=uvloop.new_event_loop)
    samples = {
        f"{each.name}, {each.callers}": [round(percentile(each.milliseconds, at / 100), 3) for at in range(1, 101)]
        for each in rates
    }
    return Report(tables=[Table(HEADING, [each.row() for each in rates])], samples=samples)


async def _measure(of: Stack, how: How) -> list[Rate]:
    found, seconds, numbers = list[Rate](), how.of(1.5, 0.3), how.of(CALLERS, CALLERS[:1])
    async with clients.cosmos(of) as database:
        calls = await documents(database.get_container_client("orders"))
        for name, call in calls.items():
            found += [await rate(name, call, callers, seconds, of.parts["cosmos"].pid) for callers in numbers]
    for callers in numbers:
        async with messages(of, callers) as pair:
            for name, call in pair.items():
                found.append(await rate(name, call, callers, seconds, of.parts["service_bus"].pid))
    return found


async def documents(container: ContainerProxy) -> Mapping[str, Call]:
    """What can be asked of a container, which has some documents by now."""
    numbers = count()
    for number in range(STORED):
        await container.upsert_item(document(number))

    def fresh() -> dict[str, Any]:
        return document(STORED + next(numbers))

    async def read(_: int) -> object:
        id = f"doc-{next(numbers) % STORED}"
        return await container.read_item(id, id)

    async def batch(_: int) -> object:
        new = fresh()
        others = [{**new, "id": f"{new['id']}-{each}"} for each in "ab"]
        return await container.execute_item_batch([("create", (each,)) for each in (new, *others)], new["pk"])

    async def patch(caller: int) -> object:
        id = f"doc-{caller}"
        change = [{"op": "incr", "path": "/number", "value": -1}]
        options = {"filter_predicate": "from c where c.number >= 0"}
        return await container.execute_item_batch([("patch", (id, change), options)], id)

    async def query(_: int) -> object:
        text = f"SELECT TOP {PAGE} * FROM c WHERE c.kind = @kind ORDER BY c.kind ASC, c.placedAt ASC, c.id ASC"
        return [each async for each in container.query_items(text, parameters=[{"name": "@kind", "value": "order"}])]

    return {
        "point read": read,
        "create": lambda _: container.create_item(fresh()),
        "batch of three creates": batch,
        "patch under a condition": patch,
        f"query of {PAGE} in order": query,
    }


def document(number: int) -> dict[str, Any]:
    """One of about 1 KB, in a partition of its own, which every query of orders' container finds."""
    id = f"doc-{number}"
    times = {"placedAt": f"2026-11-26T12:00:00.{number:06}Z"}
    return {"id": id, "pk": id, "kind": "order", "number": 10**9, **times, "padding": PADDING}


@asynccontextmanager
async def messages(of: Stack, callers: int) -> AsyncIterator[Mapping[str, Call]]:
    """Sending one, and receiving and completing one; each caller has links of its own, since they can't be shared."""
    sending = [lambda namespace: namespace.get_queue_sender(QUEUE)] * callers
    receiving = [lambda namespace: namespace.get_queue_receiver(QUEUE)] * callers
    async with clients.links(of, sending) as senders, clients.links(of, receiving) as receivers:
        for _ in range(AHEAD // 100):
            await senders[0].send_messages([ServiceBusMessage(PADDING) for _ in range(100)])

        async def receive(caller: int) -> None:
            [message] = await receivers[caller].receive_messages(1, max_wait_time=30)
            await receivers[caller].complete_message(message)

        yield {
            "send": lambda caller: senders[caller].send_messages(ServiceBusMessage(PADDING)),
            "receive and complete": receive,
        }


async def rate(name: str, call: Call, callers: int, seconds: float, server: int) -> Rate:
    """So many callers at once, each one after the other, for a while."""
    now = time.perf_counter  # the loop's clock stands still for a millisecond
    took: list[float] = []
    before, start = (processor.spent([server]), processor.spent([os.getpid()])), now()

    async def caller(number: int) -> None:
        while (began := now()) < start + seconds:
            await call(number)
            took.append((now() - began) * 1000)

    await asyncio.gather(*map(caller, range(callers)))
    lasted = now() - start
    after = processor.spent([server]), processor.spent([os.getpid()])
    return Rate(name, callers, tuple(took), lasted, after[0] - before[0], after[1] - before[1])
