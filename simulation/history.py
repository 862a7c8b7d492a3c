"""One history: people, faults and messages, from a seed to its end."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from services.orders.erasure import SURELY_STORED
from shared.errors import Contended, Throttled, Unavailable
from shared.ports import Document, WireMessage
from shared.telemetry import log
from simulation.adversary import Adversary, Died
from simulation.faults import Scenario
from simulation.people import GONE, PLENTY, SCARCE, People
from simulation.unreliable_world import UnreliableWorld
from simulation.witness import SWEEP_BEGAN

_LOCK_TICKS = 150
"""How long a message stays locked by a copy that froze."""


class Told(logging.Handler):
    """Hears what operations says that the contexts don't agree about, but while a read may be an old one."""

    def __init__(self, adversary: Adversary) -> None:
        super().__init__()
        self._adversary = adversary
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line.startswith("disagreement:") and (self._adversary.calm or not self._adversary.faults.old_read):
            self.lines.append(line)


class History:
    """Orders, cancellations, dispatches, counts, imports and deliveries, all at once, and then all that is due."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = Random(seed + 1)
        self.world = UnreliableWorld(seed, scenario)
        self.adversary = self.world.adversary
        self.people = People(self.world, self.random)
        self.claims = self.people.claims
        self.told = Told(self.adversary)
        self.tasks: set[asyncio.Task[None]] = set()
        self.locked: list[tuple[str, WireMessage]] = []
        self.ticks = 0
        self._frozen: list[tuple[int, asyncio.Task[None], str, WireMessage]] = []

    async def play(self) -> None:
        """To its end. Of what is logged, nothing is shown."""
        level, log.propagate = log.level, False
        log.setLevel(logging.ERROR)
        log.addHandler(self.told)
        try:
            await self._play()
        finally:
            log.removeHandler(self.told)
            log.setLevel(level)
            log.propagate = True

    async def _play(self) -> None:
        await self.world.stocked(**SCARCE, **GONE, **PLENTY)
        self.adversary.calm = False
        everybody = [asyncio.create_task(wish) for wish in self.people.wishes()]
        while self.ticks < 1000 or not all(task.done() for task in everybody):
            self.ticks += 1
            self._deliver_some()
            if self.adversary.befalls("lapse"):
                self.world.provider.lapse()
            if self.adversary.befalls("forget"):
                self.world.broker.forget()
            if self.ticks % 50 == 0:
                self._start(self._timers())
            await self.world.system.sleep(0.05)
            self.adversary.next_turn()
            await asyncio.sleep(0)
        await asyncio.gather(*everybody)
        self.adversary.relent()
        await self._settle()

    def _deliver_some(self) -> None:
        for queue in self.world.queues:
            if self.random.random() < 0.5 and (message := self.world.broker.receive(queue)):
                if self.adversary.befalls("lost"):
                    continue
                is_dead = not queue.endswith("-dead") and self.adversary.befalls("dead")
                to = f"{queue.partition('-')[0]}-dead" if is_dead else queue
                copies = 2 if self.random.random() < 0.2 else 1
                for _ in range(copies):
                    self._spawn(to, message)
        if self.locked and self.random.random() < 0.3:
            self._spawn(*self.locked.pop(self.random.randrange(len(self.locked))))
        while self._frozen and self._frozen[0][0] < self.ticks - _LOCK_TICKS:
            _, task, queue, message = self._frozen.pop(0)
            if not task.done():
                self.adversary.met["delivered again while a copy was frozen"] += 1
                self._spawn(queue, message)

    async def _timers(self) -> None:
        """Every context's sweep, each for itself: what fails is logged, and done again the next time."""
        SWEEP_BEGAN.set(self.world.witness.writes)
        for name, function in self.world.functions.items():
            if name.endswith("_sweep"):
                with suppress(Died, Unavailable, Throttled, Contended):
                    await function(None)

    def _spawn(self, queue: str, message: WireMessage) -> None:
        async def deliver() -> None:
            try:
                await self.world.deliver(queue, message)
            except (Died, Unavailable, Throttled):
                # The lock expires, and the broker delivers again.
                self.locked.append((queue, message))

        self._frozen.append((self.ticks, self._start(deliver()), queue, message))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _settle(self) -> None:
        """The faults are over: frozen copies wake, locks expire, timers sweep and resend, the warehouse catches up."""
        for _ in range(400):
            await asyncio.gather(*self.tasks)
            while self.locked:
                await self.world.deliver(*self.locked.pop())
            await self.world.drain(timedelta(seconds=15))
            await self.world.sweep()
            await self.people.see_to_parked()
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending":
                    await self.world.dispatched(shipment["orderId"])
            open_orders = [o for o in self.orders if o["settledAt"] is None]
            if not open_orders and self.world.broker.next_due() is None:
                break
            await self.world.system.sleep(15)
        await self.world.system.sleep(90)
        await self.world.sweep()
        await self._import_all_again()
        await self.world.system.sleep(2 * SURELY_STORED.total_seconds())
        await self.world.sweep()
        for guest in self.claims.forgotten:
            # Once more, without faults: the broker has lost messages that tell of it, which only that sends again.
            assert (await self.world.call("forget_customer", route={"customerId": guest})).status == 202
        await self.world.sweep()
        await self.world.drain()
        await self._compare()

    async def _compare(self) -> None:
        """Every order has been looked at, and what wasn't heard is announced again."""
        for _ in range(3):
            await self.world.system.sleep(60)
            await self.world.sweep()
            await self.world.drain()

    async def _import_all_again(self) -> None:
        """Unchanged, so that it puts right what price events were lost."""
        products = [
            {"sku": each["sku"], "name": each["name"], "price": {"amount": each["price"], "currency": "GBP"}}
            for each in self.world.documents("catalog", "product")
        ]
        assert (await self.world.call("import_products", {"products": products})).status == 200

    @property
    def resends(self) -> list[WireMessage]:
        """The commands that an order sent once more: under a message id of their own, and not tried later by others."""
        commands = ("inventory", "payments", "shipping")
        sent = [message for destination, message in self.world.broker.sent if destination in commands]
        of = [(message, message.properties or {}) for message in sent]
        return [m for m, wire in of if m.id != wire["cloudEvents_id"] and "orderflow_attempt" not in wire]

    @property
    def orders(self) -> list[Document]:
        """Every order as it is stored."""
        return self.world.documents("orders", "order")
