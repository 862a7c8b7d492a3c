"""Many customers of a running stack, and its warehouse, which sends each parcel as soon as there is one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import processor
from benchmarks.comparison import percentile
from benchmarks.events import Events, Journey
from local.identity.issuer import Caller, Role, Tokens
from local.replay.client import WAREHOUSE, Api, each
from local.verify.stack import read_stack
from scripts.measure_orders import STOCKED, stock_up

CUSTOMERS, PRODUCTS = 100, 100
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 300.0
ADDRESS = {"name": "Ada Lovelace", "line1": "12 St James Square", "city": "London", "country": "GB"}
PARCEL = {"carrier": "Royal Mail", "trackingNumber": "RM1"}


@dataclass(frozen=True, slots=True)
class Run:
    """Orders that were placed and have come to their end, in so many seconds; and what processor time each part took of
    them, in milliseconds."""

    journeys: Sequence[Journey]
    seconds: float
    spent: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Orders a second."""
        return len(self.journeys) / self.seconds

    @property
    def application(self) -> float:
        """Milliseconds of processor time that the Functions hosts took of an order."""
        hosts = (spent for part, spent in self.spent.items() if part.startswith("functions_host"))
        return sum(hosts) / len(self.journeys)

    def confirmed(self, share: float) -> float:
        """Milliseconds to the confirmation, of so great a share of orders at most."""
        return percentile([journey.confirmed for journey in self.journeys], share)

    def completed(self, share: float) -> float:
        """Milliseconds to the end."""
        return percentile([journey.completed for journey in self.journeys], share)

    def document(self) -> dict[str, Any]:
        """As samples."""
        times = [[round(journey.confirmed, 1), round(journey.completed, 1)] for journey in self.journeys]
        return {"seconds": self.seconds, "spent": self.spent, "confirmedAndCompleted": times}


class Crowd:
    """Places orders, and hears what becomes of them."""

    def __init__(self, api: Api, events: Events, parts: Mapping[str, int]) -> None:
        self._api, self._events, self._parts = api, events, parts
        self._journeys: dict[str, Journey] = {}
        self._over: dict[str, asyncio.Event] = {}
        self._numbers = count()

    async def listen(self, group: asyncio.TaskGroup) -> None:
        """Follow the orders, and send what is to be sent."""
        while True:
            for event in self._events.new():
                journey = self._journeys.setdefault(event.order_id, Journey(event.order_id))
                journey.times[event.name] = event.at
                if event.name == "ShipmentCreated":
                    group.create_task(self._send(event.order_id))
                if journey.is_over:
                    self._end_of(event.order_id).set()
            await asyncio.sleep(LOOK_SECONDS)

    async def closed(self, number: int, at_a_time: int, lines: int) -> Run:
        """So many orders, the next of each caller when its last is completed."""
        return await self._run(lambda done: each(range(number), at_a_time, lambda _: self._order(lines, done)))

    async def mostly_rejected(self, number: int, at_a_time: int) -> Run:
        """So many orders of one line, of which two in three ask for more than there is."""
        quantities = [1 + STOCKED * (index % 3 > 0) for index in range(number)]
        return await self._run(lambda done: each(quantities, at_a_time, lambda many: self._order(1, done, many)))

    async def open(self, rate: float, seconds: float, lines: int) -> Run:
        """So many orders a second, whatever becomes of them."""

        async def place(done: list[Journey]) -> None:
            start = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for number in range(round(rate * seconds)):
                    await asyncio.sleep(start + number / rate - time.monotonic())
                    group.create_task(self._order(lines, done))

        return await self._run(place)

    async def _run(self, place: Callable[[list[Journey]], Any]) -> Run:
        done: list[Journey] = []
        before = {name: processor.spent([pid]) for name, pid in self._parts.items()}
        start = time.monotonic()
        await place(done)
        seconds = time.monotonic() - start
        spent = {name: processor.spent([pid]) - before[name] for name, pid in self._parts.items()}
        return Run(done, seconds, spent)

    async def _order(self, lines: int, done: list[Journey], quantity: int = 1) -> None:
        number = next(self._numbers)
        skus = [f"MUG-{(number * lines + line) % PRODUCTS}" for line in range(lines)]
        body = {
            "email": "ada@example.com",
            "currency": "GBP",
            "paymentMethod": "pm_card_visa",
            "shippingAddress": ADDRESS,
            "lines": [{"sku": sku, "quantity": quantity} for sku in skus],
        }
        response = await self._api.call(customer(number), "POST", "orders", body)
        order_id = response.raise_for_status().json()["orderId"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._end_of(order_id).wait()
        done.append(self._journeys[order_id])

    async def _send(self, order_id: str) -> None:
        response = await self._api.call(WAREHOUSE, "POST", f"shipments/shp_{order_id}/dispatch", PARCEL)
        response.raise_for_status()

    def _end_of(self, order_id: str) -> asyncio.Event:
        return self._over.setdefault(order_id, asyncio.Event())


def customer(number: int) -> Caller:
    """One of the customers, in turns."""
    return Caller(Role.CUSTOMER, f"customer-{number % CUSTOMERS}")


@asynccontextmanager
async def crowd(state: Path, *, stocked: bool = False) -> AsyncIterator[Crowd]:
    """The customers of a stack, who have their tokens, with goods on sale, if they aren't yet."""
    stack = read_stack(state)
    tokens = Tokens(state)
    for number in range(CUSTOMERS):
        tokens.of(customer(number))
    parts = {name: part.pid for name, part in stack.parts.items()}
    with Events(state) as events:
        async with aclosing(Api(stack.api, tokens.of)) as api, asyncio.TaskGroup() as group:
            if not stocked:
                await stock_up(api, state, PRODUCTS)
            found = Crowd(api, events, parts)
            listening = group.create_task(found.listen(group))
            try:
                yield found
            finally:
                listening.cancel()
