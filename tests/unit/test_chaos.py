"""Whatever crashes, repeats or arrives out of order: the invariants of the whole system, under every fault at once.

One thread, a seed, and an adversary at every I/O call: it lets others run first, for short or long (a frozen copy),
lets the call fail before or after its effect, shows an old state, or kills the handler. Messages are delivered in any
order, some twice at a time, and some are lost. Authorisations lapse.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from local.verify.invariants import Snapshot, examine
from services.payments.adapters import STATUSES
from services.payments.domain import Intent
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Throttled, Unavailable
from shared.ports import WireMessage
from tests.unit.world import TOPOLOGY, MemoryProvider, World

ORDERS = 12
SKUS = {"MUG": 25, "TRAY": 20, "BOWL": 15}


class Died(BaseException):
    """The process died here."""


class Adversary:
    """What happens around each I/O call."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.calm = False
        self.faults: Counter[str] = Counter()

    async def __call__[T](self, call: Callable[[], Awaitable[T]]) -> T:
        if self.calm:
            return await call()
        for _ in range(self.random.choice((0, 0, 1, 2, 3, 5, 8, 60))):
            await asyncio.sleep(0)
        self._fail("before")
        result = await call()
        self._fail("after")
        return result

    def shows_an_old_state(self) -> bool:
        """Whether a read is answered with the state before the last write."""
        return self._befalls("old read", 0.03)

    def loses_a_message(self) -> bool:
        """Whether the broker forgets a message; the resend must repair that."""
        return self._befalls("lost message", 0.02)

    def lapses(self) -> bool:
        """Whether all that the provider holds now lapses."""
        return self._befalls("lapse", 0.002)

    def _befalls(self, what: str, probability: float) -> bool:
        befalls = not self.calm and self.random.random() < probability
        self.faults[what] += befalls
        return befalls

    def _fail(self, when: str) -> None:
        fate = self.random.random()
        for probability, failure in ((0.02, Died), (0.04, Unavailable), (0.05, Throttled)):
            if fate < probability:
                self.faults[f"{failure.__name__} {when}"] += 1
                raise failure(when)


def chaotic(seed: int) -> tuple[World, Adversary]:
    """A world with the adversary between every context and its container, the broker and the provider."""
    adversary = Adversary(seed)

    class Container(MemoryContainer):
        def __init__(self) -> None:
            super().__init__()
            self.before: dict[tuple[str, str], Any] = {}

        async def read(self, pk: str, id: str) -> Any:
            if adversary.shows_an_old_state() and (pk, id) in self.before:
                return self.before[pk, id]
            return await adversary(lambda: MemoryContainer.read(self, pk, id))

        async def read_many(self, keys: Any) -> Any:
            return await adversary(lambda: MemoryContainer.read_many(self, keys))

        async def find(self, query: Any) -> Any:
            return await adversary(lambda: MemoryContainer.find(self, query))

        async def write(self, pk: str, operations: Any) -> list[str]:
            ids = [each.document["id"] if hasattr(each, "document") else each.id for each in operations]
            before = {(pk, id): await MemoryContainer.read(self, pk, id) for id in ids}
            etags = await adversary(lambda: MemoryContainer.write(self, pk, operations))
            self.before |= before
            return etags

    class Broker(MemoryBroker):
        async def send(self, destination: str, messages: Any, at: Any = None) -> None:
            await adversary(lambda: MemoryBroker.send(self, destination, messages, at))

    class Provider(MemoryProvider):
        async def create(self, *arguments: Any) -> Intent:
            return await adversary(lambda: MemoryProvider.create(self, *arguments))

        async def look(self, intent_id: str) -> Intent:
            return await adversary(lambda: MemoryProvider.look(self, intent_id))

        async def confirm(self, intent_id: str) -> Intent:
            return await adversary(lambda: MemoryProvider.confirm(self, intent_id))

        async def capture(self, intent_id: str, amount: int) -> Intent:
            return await adversary(lambda: MemoryProvider.capture(self, intent_id, amount))

        async def cancel(self, intent_id: str) -> Intent:
            return await adversary(lambda: MemoryProvider.cancel(self, intent_id))

    return World(seed, Container, Broker, Provider), adversary


class Run:
    """One history: orders, cancellations, dispatches and deliveries, all at once."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed + 1)
        self.world, self.adversary = chaotic(seed)
        self.tasks: set[asyncio.Task[None]] = set()
        self.placed: set[str] = set()
        self.locked: list[tuple[str, WireMessage]] = []

    async def play(self) -> None:
        self.adversary.calm = True
        await self.world.stocked(**SKUS)
        self.adversary.calm = False
        wishes = [self._customer(number) for number in range(ORDERS)] + [self._warehouse()]
        customers = [asyncio.create_task(wish) for wish in wishes]
        ticks = 0
        while ticks < 1000 or not all(task.done() for task in customers):
            ticks += 1
            self._deliver_some()
            if self.adversary.lapses():
                self.world.provider.lapse()
            if ticks % 50 == 0:
                self._start(self._timers())
            await self.world.system.sleep(0.05)
            await asyncio.sleep(0)
        await asyncio.gather(*customers)
        self.adversary.calm = True
        await self._settle()

    async def _customer(self, number: int) -> None:
        """Places an order under a key until it is answered for, and may cancel it."""
        skus = self.random.sample(list(SKUS), self.random.randint(1, 3))
        lines = [(sku, self.random.randint(1, 5)) for sku in skus]
        method = self.random.choice(["pm_card_visa"] * 4 + ["pm_card_visa_chargeDeclined", "pm_flaky", "pm_unknown"])
        while True:
            answer = await self._alive(lambda: self.world.placed(*lines, key=str(number), paymentMethod=method))
            if answer:
                self.placed.add(answer)
                break
        if self.random.random() < 0.5:
            for _ in range(self.random.randint(0, 1000)):
                await asyncio.sleep(0)
            await self._alive(lambda: self.world.call("cancel_order", route={"orderId": answer}))

    async def _warehouse(self) -> None:
        """Dispatches what it sees, now and then."""
        for _ in range(100):
            for _ in range(10):
                await asyncio.sleep(0)
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending" and self.random.random() < 0.1:
                    order_id = shipment["orderId"]
                    await self._alive(lambda order_id=order_id: self.world.dispatched(order_id))  # type: ignore[misc]

    async def _alive(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What the call answers, or None where it was refused, or its process died."""
        try:
            return await call()
        except (Died, AssertionError):
            return None

    def _deliver_some(self) -> None:
        for queue in self.world.queues:
            if self.random.random() < 0.5 and (message := self.world.broker.receive(queue)):
                if queue != "orders-prices" and self.adversary.loses_a_message():
                    continue
                copies = 2 if self.random.random() < 0.2 else 1
                for _ in range(copies):
                    self._spawn(queue, message)
        if self.locked and self.random.random() < 0.3:
            self._spawn(*self.locked.pop(self.random.randrange(len(self.locked))))

    async def _timers(self) -> None:
        """Every context's sweep, each for itself: what fails is logged, and done again the next time."""
        for name, function in self.world.functions.items():
            if name.endswith("_sweep"):
                with suppress(Died, Unavailable, Throttled):
                    await function(None)

    def _spawn(self, queue: str, message: WireMessage) -> None:
        async def deliver() -> None:
            try:
                await self.world.deliver(queue, message)
            except (Died, Unavailable, Throttled):
                # The lock expires, and the broker delivers again.
                self.locked.append((queue, message))

        self._start(deliver())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _settle(self) -> None:
        """The faults are over: frozen copies wake, locks expire, timers sweep and resend, the warehouse catches up."""
        for _ in range(400):
            await asyncio.gather(*self.tasks)
            while self.locked:
                await self.world.deliver(*self.locked.pop())
            await self.world.drain(timedelta(minutes=2))
            await self.world.sweep()
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending":
                    await self.world.dispatched(shipment["orderId"])
            open_orders = [o for o in self.world.documents("orders", "order") if o["settledAt"] is None]
            if not open_orders and self.world.broker.next_due() is None:
                break
            await self.world.system.sleep(600)
        await self.world.system.sleep(60)
        await self.world.sweep()
        await self.world.drain()

    def snapshot(self) -> Snapshot:
        """Everything that the system holds, as `verify` reads it."""
        world = self.world
        status_of = {ours: theirs for theirs, ours in STATUSES.items()}
        kinds = ("order", "price", "payment", "shipment", "stock", "reservation", "decision", "product")
        documents = {
            name: [d for kind in (*kinds, "outbox", "parked") for d in world.documents(name, kind)]
            for name in world.containers
        }
        intents = [
            {
                "id": id,
                "status": status_of[intent["status"]],
                "amount": intent["amount"],
                "amount_received": intent.get("captured", 0),
                "metadata": {"order_id": intent["order"]},
                "movements": intent["movements"],
            }
            for id, intent in world.provider.intents.items()
        ]
        states = ("active", "locked", "scheduled", "deferred", "deadLettered")
        entities = [{"name": queue["name"], **dict.fromkeys(states, 0)} for queue in TOPOLOGY["queues"]]
        return Snapshot(placed=frozenset(self.placed), intents=intents, entities=entities, **documents)


@pytest.mark.parametrize("seed", range(20))
async def test_every_invariant_holds_after_chaos(seed: int) -> None:
    run = Run(seed)
    await run.play()

    findings = examine(run.snapshot())

    assert len(run.placed) == ORDERS
    assert {finding.name: finding.violations for finding in findings if not finding.holds} == {}
    assert all(finding.checked for finding in findings)
    assert run.world.broker.next_due() is None
    assert sum(run.adversary.faults.values()) > 10


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1300))
async def test_every_invariant_holds_after_more_chaos(seed: int) -> None:
    await test_every_invariant_holds_after_chaos(seed)
