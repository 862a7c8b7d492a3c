"""An adversary between the contexts and everything around them, with a witness beside it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.payments.domain import Intent, Listed
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Contended, Throttled, Unavailable
from shared.ports import Create, Document, Replace, System, WireMessage
from tests.unit.witness import DELIVERY, SWEEP_BEGAN, Delivery, Witness
from tests.unit.world import ENVIRONMENT, Answer, MemoryProvider, World

_TURNS = (0, 0, 1, 2, 3, 5, 8, 60)
_FROZEN_TURNS = 2000
_LONG = 10


_SEEN: ContextVar[str | None] = ContextVar("seen", default=None)
"""The ETag that the request under way names: its caller meets no instance that is older than what they have seen."""


class Died(BaseException):
    """The process died here."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How probable each fault is: of a call (die, unavailable … freeze), of a message (lost, dead), of a moment (lapse,
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
    dead: float = 0.0
    """The broker gave up on it, and so it is parked, for a person to replay."""
    lapse: float = 0.0
    forget: float = 0.0
    """The broker's window of duplicate detection ends."""
    apart: float = 0.0


class Adversary:
    """What happens around each I/O call."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.calm = True
        self.met: Counter[str] = Counter()
        self._turn = 0
        self._asleep: dict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def __call__[T](self, call: Callable[[], Awaitable[T]]) -> T:
        if self.calm:
            return await call()
        await self.others_first(_FROZEN_TURNS if self.befalls("freeze") else self.random.choice(_TURNS))
        self._fail()
        result = await call()
        self._fail()
        return result

    async def others_first(self, turns: int) -> None:
        """Let everybody else go on for so many turns."""
        if turns < _LONG:
            for _ in range(turns):
                await asyncio.sleep(0)
        else:
            wake = asyncio.get_running_loop().create_future()
            self._asleep[self._turn + turns].append(wake)
            await wake

    def next_turn(self) -> None:
        """A turn is over: those wake whose time it is."""
        self._turn += 1
        for wake in self._asleep.pop(self._turn, ()):
            wake.set_result(None)

    def relent(self) -> None:
        """The faults are over, and those that froze wake."""
        self.calm = True
        while self._asleep:
            self.next_turn()

    def befalls(self, fault: str) -> bool:
        """Whether this fault strikes now."""
        strikes = not self.calm and self.random.random() < getattr(self.faults, fault)
        self.met[fault] += strikes
        return strikes

    def _fail(self) -> None:
        chance = 1.0 if self.calm else self.random.random()
        for fault, failure in (("die", Died), ("unavailable", Unavailable), ("throttled", Throttled)):
            chance -= getattr(self.faults, fault)
            if chance < 0:
                self.met[fault] += 1
                raise failure(fault)


class ChaoticContainer(MemoryContainer):
    """A container behind the adversary."""

    def __init__(self, adversary: Adversary, wrote: Callable[..., None]) -> None:
        super().__init__()
        self._adversary = adversary
        self._wrote = wrote
        self._history: dict[tuple[str, str], list[Document | None]] = defaultdict(lambda: [None])

    async def read(self, pk: str, id: str) -> Any:
        if (pk, id) in self._history and self._adversary.befalls("old_read"):
            history = self._history[pk, id]
            since = next((at for at, each in enumerate(history) if each and each["_etag"] == _SEEN.get()), 0)
            if older := history[since:-1]:
                return older[-1] if id == "stock" else self._adversary.random.choice(older)
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
            try:
                etags = await self._apply_all(pk, operations)
            except Contended as refused:
                self._adversary.met[f"{type(refused).__name__} of a batch that was written"] += 1
                raise
        if self._adversary.befalls("contended"):
            raise Contended("449, though it was written")
        return etags

    async def _apply_all(self, pk: str, operations: Any) -> list[str]:
        etags = await MemoryContainer.write(self, pk, operations)
        ids = [each.document["id"] if isinstance(each, Create | Replace) else each.id for each in operations]
        before = [self._history[pk, id][-1] for id in ids]
        for id in ids:
            self._history[pk, id].append(self.partition(pk).get(id))
        self._wrote(self, pk, operations, before)
        return etags


class ChaoticBroker(MemoryBroker):
    """The broker behind the adversary."""

    def __init__(self, topology: Any, system: System, adversary: Adversary, witness: Witness) -> None:
        super().__init__(topology, system)
        self._adversary = adversary
        self._witness = witness

    async def send(self, destination: str, messages: Any, at: datetime | None = None) -> None:
        await self._adversary(lambda: self._send(destination, messages, at))

    async def _send(self, destination: str, messages: Any, at: datetime | None) -> None:
        for message in messages:
            self._witness.sent(message, later=at is not None)
        await MemoryBroker.send(self, destination, messages, at)


class ChaoticProvider(MemoryProvider):
    """The payment provider behind the adversary."""

    def __init__(self, adversary: Adversary, witness: Witness) -> None:
        super().__init__()
        self._adversary = adversary
        self._witness = witness

    async def create(self, order_id: str, *arguments: Any) -> Intent:
        self._witness.money.to_create(order_id)
        intent = await self._adversary(lambda: MemoryProvider.create(self, order_id, *arguments))
        self._witness.money.told_of(intent.id)
        return intent

    async def look(self, intent_id: str) -> Intent:
        intent = await self._adversary(lambda: MemoryProvider.look(self, intent_id))
        self._witness.money.told_of(intent_id)
        return intent

    async def created(self, *asked: Any) -> list[Listed]:
        return await self._adversary(lambda: MemoryProvider.created(self, *asked))

    async def confirm(self, intent_id: str) -> Intent:
        self._witness.money.to_change("confirm", intent_id)
        return await self._adversary(lambda: MemoryProvider.confirm(self, intent_id))

    async def capture(self, intent_id: str, amount: int) -> Intent:
        self._witness.money.to_change("capture", intent_id)
        return await self._adversary(lambda: MemoryProvider.capture(self, intent_id, amount))

    async def cancel(self, intent_id: str) -> Intent:
        self._witness.money.to_change("cancel", intent_id)
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
    """Every context with the adversary all around them."""

    def __init__(self, seed: int, faults: Faults, environment: dict[str, str]) -> None:
        self.adversary = adversary = Adversary(seed, faults)
        self.witness = witness = Witness(self)
        chance = Random(seed + 2)

        def wrote(container: MemoryContainer, *written: Any) -> None:
            [context] = [name for name, each in self.containers.items() if each is container]
            witness.wrote(context, *written)

        super().__init__(
            seed,
            container=lambda: ChaoticContainer(adversary, wrote),
            broker=lambda topology, system: ChaoticBroker(topology, system, adversary, witness),
            provider=lambda: ChaoticProvider(adversary, witness),
            environment=ENVIRONMENT | environment,
            clock=lambda system: OffsetSystem(system, timedelta(seconds=chance.uniform(-1, 1) * faults.apart / 2)),
        )

    async def call(
        self, operation: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> Answer:
        seen = _SEEN.set((headers or {}).get("if-match"))
        try:
            return await super().call(operation, body, headers=headers, **rest)
        finally:
            _SEEN.reset(seen)

    async def sweep(self) -> None:
        SWEEP_BEGAN.set(self.witness.writes)
        await super().sweep()

    async def deliver(self, queue: str, wire: WireMessage) -> None:
        now = self.contexts[queue.partition("-")[0]].system.now()
        began = DELIVERY.set(delivery := Delivery(wire, self.witness.writes, now))
        self.adversary.met["handled after its order had given up"] += delivery.is_past_its_time
        try:
            await super().deliver(queue, wire)
        finally:
            DELIVERY.reset(began)
        self.witness.completed(queue, delivery)
