"""Stores, broker, provider and clocks that the adversary stands behind, with the witness beside it."""

from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from services.payments.domain import Intent, Listed
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Contended
from shared.ports import Create, Document, Replace, System
from simulation.adversary import Adversary
from simulation.provider import MemoryProvider
from simulation.witness import Witness

SEEN: ContextVar[str | None] = ContextVar("seen", default=None)
"""The ETag that the request under way names: its caller meets no instance that is older than what they have seen."""


class UnreliableContainer(MemoryContainer):
    """A container behind the adversary."""

    def __init__(self, adversary: Adversary, wrote: Callable[..., None]) -> None:
        super().__init__()
        self._adversary = adversary
        self._wrote = wrote
        self._history: dict[tuple[str, str], list[Document | None]] = defaultdict(lambda: [None])

    async def read(self, pk: str, id: str) -> Any:
        if (pk, id) in self._history and self._adversary.befalls("old_read"):
            history = self._history[pk, id]
            since = next((at for at, each in enumerate(history) if each and each["_etag"] == SEEN.get()), 0)
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


class UnreliableBroker(MemoryBroker):
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


class UnreliableProvider(MemoryProvider):
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
