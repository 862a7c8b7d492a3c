"""Places the planned orders, cancels some, and follows each until it is settled."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from local.identity.issuer import Caller
from local.replay.client import SUPPORT, Api, each, explain, problem_of
from local.replay.plan import PlannedOrder
from local.replay.progress import Gauge
from local.replay.warehouse import dispatch_all, moment

_FOLLOWERS = 8
_FIRST_LOOK = 1.0
_LONGEST_CANCEL = 2.0
_PATIENCE = 600.0

type Document = dict[str, Any]


_SHOPS_RULES = {
    ("invalid-body", "/lines"): "total_outside_limits",
    ("invalid-body", "/lines/sku"): "product_not_for_sale",
}
"""What a file of sales may hold and the shop doesn't take, by the problem's type and its field."""


@dataclass(slots=True)
class Outcome:
    """What became of the orders: each that is there as the API told it last, by invoice; refusals by reason; in words
    what fails the replay, and what else went wrong. `earlier` are the invoices whose orders were there already."""

    orders: dict[str, Document] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    placing_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def placed(self) -> list[Document]:
        """The orders that this replay has placed."""
        return [order for invoice, order in self.orders.items() if invoice not in self.earlier]

    @property
    def unsettled(self) -> list[str]:
        """The ids of orders that have come to no end."""
        return [order["orderId"] for order in self.orders.values() if order.get("settledAt") is None]


@dataclass(frozen=True, slots=True)
class Load:
    """How orders are placed: so many at a time, or, with a `rate`, so many a second whatever becomes of them."""

    at_a_time: int = 8
    rate: float | None = None

    def __str__(self) -> str:
        return f"{self.at_a_time} at a time" if self.rate is None else f"{self.rate:g} a second (open loop)"


class Journey:
    """One replay under way. `remember` is told the id of every order that the API has confirmed to have taken."""

    def __init__(self, api: Api, seed: int, gauge: Gauge, remember: Callable[[str], None]) -> None:
        self._api = api
        self._seed = seed
        self._gauge = gauge
        self._remember = remember
        self._outcome = Outcome()
        self._began = datetime.now(UTC)
        self._to_follow: asyncio.Queue[tuple[float, PlannedOrder] | None] = asyncio.Queue()

    async def make(self, orders: list[PlannedOrder], load: Load) -> Outcome:
        """Runs until every order is settled, or none has been for ten minutes."""
        started, self._began = time.monotonic(), datetime.now(UTC)
        self._gauge.begin("placed", len(orders))
        self._gauge.begin("settled", len(orders))
        async with asyncio.TaskGroup() as group:
            warehouse = group.create_task(dispatch_all(self._api, self._seed, self._outcome.complaints.append))
            async with asyncio.TaskGroup() as followers:
                for _ in range(_FOLLOWERS):
                    followers.create_task(self._follow())
                await self._place_all(orders, load, group)
                self._outcome.placing_seconds = time.monotonic() - started
                for _ in range(_FOLLOWERS):
                    self._to_follow.put_nowait(None)
            warehouse.cancel()
        self._outcome.seconds = time.monotonic() - started
        return self._outcome

    async def _place_all(self, orders: list[PlannedOrder], load: Load, group: asyncio.TaskGroup) -> None:
        if load.rate is None:
            await each(orders, load.at_a_time, lambda order: self._place(order, group))
            return
        async with asyncio.TaskGroup() as placers:
            due = time.monotonic()
            for order in orders:
                await asyncio.sleep(due - time.monotonic())
                placers.create_task(self._place(order, group))
                due += 1 / load.rate

    async def _place(self, order: PlannedOrder, group: asyncio.TaskGroup) -> None:
        key = {"Idempotency-Key": quote(order.invoice, safe=" ")}
        response = await self._api.call(order.caller, "POST", "orders", order.body, key)
        self._gauge.step("placed")
        if response.status_code != 201:
            self._refuse(order.invoice, response)
            self._gauge.step("settled")
            return
        placed = response.json()
        self._remember(placed["orderId"])
        self._outcome.orders[order.invoice] = placed
        if datetime.fromisoformat(placed["placedAt"]) < self._began:
            self._outcome.earlier.add(order.invoice)
        if placed.get("settledAt") is not None:
            self._gauge.step("settled")
            return
        if order.cancel == "at once":
            await self._cancel(order, order.caller, 0.0)
        elif order.cancel == "later":
            # Who has second thoughts later rings the shop up.
            group.create_task(self._cancel(order, SUPPORT, moment(self._seed, order.invoice, _LONGEST_CANCEL)))
        self._to_follow.put_nowait((time.monotonic() + _FIRST_LOOK, order))

    def _refuse(self, invoice: str, response: httpx.Response) -> None:
        problem = problem_of(response)
        kind = str(problem.get("type", response.status_code)).rpartition(":")[2]
        fields = {re.sub(r"/\d+", "", str(error.get("pointer"))) for error in problem.get("errors") or []}
        reason = _SHOPS_RULES.get((kind, fields.pop())) if len(fields) == 1 else None
        self._outcome.refused[reason or kind] += 1
        if reason is None:
            self._outcome.failures.append(f"Invoice {invoice}: {explain(response)}")

    async def _cancel(self, order: PlannedOrder, by: Caller, wait: float) -> None:
        await asyncio.sleep(wait)
        order_id = self._outcome.orders[order.invoice]["orderId"]
        response = await self._api.call(by, "POST", f"orders/{order_id}/cancel")
        if response.status_code not in (202, 409):
            self._outcome.complaints.append(f"Cancelling invoice {order.invoice}: {explain(response)}")

    async def _follow(self) -> None:
        """Follows one order after the other, the oldest first, so that few are asked for before they are settled."""
        while (following := await self._to_follow.get()) is not None:
            first_look, order = following
            await asyncio.sleep(first_look - time.monotonic())
            pause = 0.5
            while not await self._is_settled(order) and self._gauge.idle("settled") < _PATIENCE:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 4.0)

    async def _is_settled(self, order: PlannedOrder) -> bool:
        order_id = self._outcome.orders[order.invoice]["orderId"]
        response = await self._api.call(order.caller, "GET", f"orders/{order_id}")
        if response.status_code != 200:
            self._outcome.complaints.append(f"Looking at invoice {order.invoice}: {explain(response)}")
            return False
        self._outcome.orders[order.invoice] = response.json()
        if self._outcome.orders[order.invoice].get("settledAt") is None:
            return False
        self._gauge.step("settled")
        return True
