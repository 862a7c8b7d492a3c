"""Places the planned orders, cancels some, and follows each until it is settled."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from local.replay.client import Api, explain
from local.replay.plan import PlannedOrder
from local.replay.progress import Gauge
from local.replay.warehouse import dispatch_all, moment

_FOLLOWERS = 8
_FIRST_LOOK = 1.0
_LONGEST_CANCEL = 2.0
_PATIENCE = 600.0

type Document = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What became of the orders: each placed one as the API told it last, by invoice; every refusal in words."""

    orders: dict[str, Document] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unsettled(self) -> list[str]:
        """The ids of orders that have come to no end."""
        return [order["orderId"] for order in self.orders.values() if order.get("settledAt") is None]


class Journey:
    """One replay under way. `remember` is told the id of every order that the API has confirmed to have taken."""

    def __init__(self, api: Api, seed: int, gauge: Gauge, remember: Callable[[str], None]) -> None:
        self._api = api
        self._seed = seed
        self._gauge = gauge
        self._remember = remember
        self._outcome = Outcome()
        self._to_follow: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()

    async def make(self, orders: list[PlannedOrder], concurrency: int) -> Outcome:
        """Runs until every order is settled, or none has been for ten minutes."""
        started = time.monotonic()
        self._gauge.begin("placed", len(orders))
        self._gauge.begin("settled", len(orders))
        async with asyncio.TaskGroup() as group:
            warehouse = group.create_task(dispatch_all(self._api, self._seed, self._outcome.complaints.append))
            async with asyncio.TaskGroup() as followers:
                for _ in range(_FOLLOWERS):
                    followers.create_task(self._follow())
                async with asyncio.TaskGroup() as placers:
                    remaining = iter(orders)
                    for _ in range(concurrency):
                        placers.create_task(self._place(remaining, group))
                for _ in range(_FOLLOWERS):
                    self._to_follow.put_nowait(None)
            warehouse.cancel()
        self._outcome.seconds = time.monotonic() - started
        return self._outcome

    async def _place(self, orders: Iterator[PlannedOrder], group: asyncio.TaskGroup) -> None:
        for order in orders:
            key = {"Idempotency-Key": quote(order.invoice, safe=" ")}
            response = await self._api.send("POST", "orders", order.body, key)
            self._gauge.step("placed")
            if response.status_code != 201:
                self._outcome.refused.append(f"Invoice {order.invoice}: {explain(response)}")
                self._gauge.step("settled")
                continue
            placed = response.json()
            self._remember(placed["orderId"])
            self._outcome.orders[order.invoice] = placed
            if placed.get("settledAt") is not None:
                self._gauge.step("settled")
                continue
            if order.cancel == "at once":
                await self._cancel(order.invoice, 0.0)
            elif order.cancel == "later":
                group.create_task(self._cancel(order.invoice, moment(self._seed, order.invoice, _LONGEST_CANCEL)))
            self._to_follow.put_nowait((time.monotonic() + _FIRST_LOOK, order.invoice))

    async def _cancel(self, invoice: str, wait: float) -> None:
        await asyncio.sleep(wait)
        response = await self._api.send("POST", f"orders/{self._outcome.orders[invoice]['orderId']}/cancel")
        if response.status_code not in (202, 409):
            self._outcome.complaints.append(f"Cancelling invoice {invoice}: {explain(response)}")

    async def _follow(self) -> None:
        """Follows one order after the other, the oldest first, so that few are asked for before they are settled."""
        while (following := await self._to_follow.get()) is not None:
            first_look, invoice = following
            await asyncio.sleep(first_look - time.monotonic())
            pause = 0.5
            while not await self._is_settled(invoice) and self._gauge.idle("settled") < _PATIENCE:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 4.0)

    async def _is_settled(self, invoice: str) -> bool:
        response = await self._api.send("GET", f"orders/{self._outcome.orders[invoice]['orderId']}")
        if response.status_code != 200:
            self._outcome.complaints.append(f"Looking at invoice {invoice}: {explain(response)}")
            return False
        self._outcome.orders[invoice] = response.json()
        if self._outcome.orders[invoice].get("settledAt") is None:
            return False
        self._gauge.step("settled")
        return True
