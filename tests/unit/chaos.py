"""An adversary between the contexts and everything around them; and what was true, whatever they believed."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.payments.domain import Intent
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Contended, Throttled, Unavailable
from shared.ports import Create, Document, Replace, System, WireMessage
from tests.unit.world import ENVIRONMENT, MemoryProvider, World

_TURNS = (0, 0, 1, 2, 3, 5, 8, 60)
_FROZEN_TURNS = 2000


class Died(BaseException):
    """The process died here."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How probable each fault is: of a call (die, unavailable … freeze), of a message (lost), of a moment (lapse,
    forget); and how far the contexts' clocks may be apart, in seconds."""

    die: float = 0.0
    unavailable: float = 0.0
    throttled: float = 0.0
    sent_again: float = 0.0
    """The SDK lost the answer to a batch and sent it once more: the caller hears what the store says of that one."""
    contended: float = 0.0
    """The batch was written, and its answer is 449."""
    old_read: float = 0.0
    freeze: float = 0.0
    lost: float = 0.0
    lapse: float = 0.0
    forget: float = 0.0
    """The broker's window of duplicate detection ends."""
    apart: float = 0.0


class Adversary:
    """What happens around each I/O call."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.calm = False
        self.met: Counter[str] = Counter()

    async def __call__[T](self, call: Callable[[], Awaitable[T]]) -> T:
        if self.calm:
            return await call()
        for _ in range(_FROZEN_TURNS if self.befalls("freeze") else self.random.choice(_TURNS)):
            await asyncio.sleep(0)
        self._fail()
        result = await call()
        self._fail()
        return result

    def befalls(self, fault: str) -> bool:
        """Whether this fault strikes now."""
        strikes = not self.calm and self.random.random() < getattr(self.faults, fault)
        self.met[fault] += strikes
        return strikes

    def _fail(self) -> None:
        for fault, failure in (("die", Died), ("unavailable", Unavailable), ("throttled", Throttled)):
            if self.befalls(fault):
                raise failure(fault)


class Truth:
    """What was true of the stock, from the writes themselves."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        """How often each count of stock was applied."""
        self.short: set[str] = set()
        """The orders of which a line was short at some moment: fewer available than it wants, and none set aside."""
        self.waiting: set[str] = set()
        """Those of them that could have had it, once others gave back what they had set aside."""
        self._wanted: dict[str, dict[str, int]] = defaultdict(dict)

    def saw_order(self, order: Document, stock: MemoryContainer) -> None:
        """An order was placed."""
        for line in order["lines"]:
            self._wanted[line["sku"]][order["id"]] = line["quantity"]
            self._look(line["sku"], stock)

    def saw_stock(self, pk: str, operations: Any, stock: MemoryContainer) -> None:
        """A batch was written to inventory's container."""
        for each in operations:
            if isinstance(each, Create | Replace) and each.document["kind"] == "stock":
                self.counts[each.document["onHand"]] += 1
        if pk.startswith("sku:"):
            self._look(pk.removeprefix("sku:"), stock)

    def _look(self, sku: str, stock: MemoryContainer) -> None:
        partition = stock.partition(f"sku:{sku}")
        stock_item = partition.get("stock", {"onHand": 0, "available": 0})
        for order_id, quantity in self._wanted[sku].items():
            reservation = partition.get(f"res:{order_id}")
            if stock_item["available"] < quantity and (reservation is None or reservation["state"] != "active"):
                self.short.add(order_id)
                if stock_item["onHand"] >= quantity:
                    self.waiting.add(order_id)


class ChaoticContainer(MemoryContainer):
    """A container behind the adversary."""

    def __init__(self, adversary: Adversary, applied: Callable[[str, Any, MemoryContainer], None]) -> None:
        super().__init__()
        self._adversary = adversary
        self._applied = applied
        self._before: dict[tuple[str, str], Any] = {}

    async def read(self, pk: str, id: str) -> Any:
        if (pk, id) in self._before and self._adversary.befalls("old_read"):
            return self._before[pk, id]
        return await self._adversary(lambda: MemoryContainer.read(self, pk, id))

    async def read_many(self, keys: Any) -> Any:
        return await self._adversary(lambda: MemoryContainer.read_many(self, keys))

    async def find(self, query: Any) -> Any:
        return await self._adversary(lambda: MemoryContainer.find(self, query))

    async def write(self, pk: str, operations: Any) -> list[str]:
        return await self._adversary(lambda: self._write(pk, operations))

    async def _write(self, pk: str, operations: Any) -> list[str]:
        etags = await self._apply_all(pk, operations)
        if self._adversary.befalls("sent_again"):
            etags = await self._apply_all(pk, operations)
        if self._adversary.befalls("contended"):
            raise Contended("449, though it was written")
        return etags

    async def _apply_all(self, pk: str, operations: Any) -> list[str]:
        ids = [each.document["id"] if isinstance(each, Create | Replace) else each.id for each in operations]
        before = {(pk, id): await MemoryContainer.read(self, pk, id) for id in ids}
        etags = await MemoryContainer.write(self, pk, operations)
        self._before |= before
        self._applied(pk, operations, self)
        return etags


class ChaoticBroker(MemoryBroker):
    """The broker behind the adversary; it remembers what was to be tried later."""

    def __init__(self, topology: Any, system: System, adversary: Adversary) -> None:
        super().__init__(topology, system)
        self._adversary = adversary
        self.later: list[WireMessage] = []

    async def send(self, destination: str, messages: Any, at: datetime | None = None) -> None:
        await self._adversary(lambda: MemoryBroker.send(self, destination, messages, at))
        if at:
            self.later += messages


class ChaoticProvider(MemoryProvider):
    """The payment provider behind the adversary."""

    def __init__(self, adversary: Adversary) -> None:
        super().__init__()
        self._adversary = adversary

    async def create(self, *arguments: Any) -> Intent:
        return await self._adversary(lambda: MemoryProvider.create(self, *arguments))

    async def look(self, intent_id: str) -> Intent:
        return await self._adversary(lambda: MemoryProvider.look(self, intent_id))

    async def confirm(self, intent_id: str) -> Intent:
        return await self._adversary(lambda: MemoryProvider.confirm(self, intent_id))

    async def capture(self, intent_id: str, amount: int) -> Intent:
        return await self._adversary(lambda: MemoryProvider.capture(self, intent_id, amount))

    async def cancel(self, intent_id: str) -> Intent:
        return await self._adversary(lambda: MemoryProvider.cancel(self, intent_id))


class OffsetSystem:
    """shared.ports.System of a machine whose clock goes ahead or behind."""

    def __init__(self, system: System, ahead: timedelta) -> None:
        self._system = system
        self._ahead = ahead
        self.sleep = system.sleep
        self.random = system.random
        self.new_id = system.new_id

    def now(self) -> datetime:
        return self._system.now() + self._ahead


class ChaoticWorld(World):
    """Five contexts with the adversary all around them."""

    def __init__(self, seed: int, faults: Faults, environment: dict[str, str]) -> None:
        self.adversary = adversary = Adversary(seed, faults)
        self.truth = truth = Truth()
        chance = Random(seed + 2)

        def applied(pk: str, operations: Any, container: MemoryContainer) -> None:
            if container is self.containers["inventory"]:
                truth.saw_stock(pk, operations, container)
            for each in operations:
                if isinstance(each, Create) and each.document["kind"] == "order":
                    truth.saw_order(each.document, self.containers["inventory"])

        super().__init__(
            seed,
            container=lambda: ChaoticContainer(adversary, applied),
            broker=lambda topology, system: ChaoticBroker(topology, system, adversary),
            provider=lambda: ChaoticProvider(adversary),
            environment=ENVIRONMENT | environment,
            clock=lambda system: OffsetSystem(system, timedelta(seconds=chance.uniform(-1, 1) * faults.apart / 2)),
        )
