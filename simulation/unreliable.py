"""Stores, broker, provider and clocks that the adversary stands behind, with the witness beside it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from services.payments.domain import Intent, Listed
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.errors import Unavailable
from shared.ports import Create, Document, Replace, System, WireMessage
from simulation.adversary import Adversary
from simulation.faults import Fault
from simulation.incarnation import INCARNATION
from simulation.provider import MemoryProvider
from simulation.witness import Witness
from simulation.witness.notes import name_of

SEEN: ContextVar[str | None] = ContextVar("seen", default=None)
"""The ETag that the request under way names: its caller meets no instance that is older than what they have seen."""
_REPLAYED_FOR = 60.0


class UnreliableContainer(MemoryContainer):
    """A container behind the adversary."""

    context = ""

    def __init__(self, adversary: Adversary, wrote: Callable[..., None]) -> None:
        super().__init__()
        self._adversary = adversary
        self._wrote = wrote
        self._history: dict[tuple[str, str], list[Document | None]] = defaultdict(lambda: [None])

    async def read(self, pk: str, id: str) -> Any:
        return await self._adversary(
            self.context,
            "read",
            f"{pk}/{id}",
            lambda: MemoryContainer.read(self, pk, id),
            lambda: self._older(pk, id),
        )

    async def read_many(self, keys: Any) -> Any:
        about = ", ".join(f"{pk}/{id}" for pk, id in keys)
        return await self._adversary(self.context, "query", about, lambda: MemoryContainer.read_many(self, keys))

    async def find(self, query: Any) -> Any:
        return await self._adversary(self.context, "query", query.kind, lambda: MemoryContainer.find(self, query))

    async def write(self, pk: str, operations: Any) -> list[str]:
        about = f"{pk}: {', '.join(f'{type(each).__name__.lower()} {_id(each)}' for each in operations)}"
        return await self._adversary(self.context, "batch", about, lambda: self._write(pk, operations))

    def _older(self, pk: str, id: str) -> list[Document | None]:
        """What another instance may still have of it."""
        history = self._history.get((pk, id), [])
        since = next((at for at, each in enumerate(history) if each and each["_etag"] == SEEN.get()), 0)
        older = history[since:-1]
        return older[-1:] if id == "stock" else older

    async def _write(self, pk: str, operations: Any) -> list[str]:
        etags = await MemoryContainer.write(self, pk, operations)
        ids = [_id(each) for each in operations]
        before = [self._history[pk, id][-1] for id in ids]
        for id in ids:
            self._history[pk, id].append(self.partition(pk).get(id))
        self._wrote(self.context, pk, operations, before)
        return etags


def _id(operation: Any) -> str:
    return str(operation.document["id"] if isinstance(operation, Create | Replace) else operation.id)


class UnreliableBroker(MemoryBroker):
    """The broker behind the adversary; `arrived` takes what comes into a queue, and when it is visible there."""

    def __init__(
        self,
        topology: Any,
        system: System,
        adversary: Adversary,
        witness: Witness,
        arrived: Callable[[str, WireMessage, datetime], None],
    ) -> None:
        super().__init__(topology, system)
        self._adversary = adversary
        self._witness = witness
        self._arrived = arrived

    async def send(self, destination: str, messages: Any, at: datetime | None = None) -> None:
        who = INCARNATION.get()
        told = (f"{name_of(each)} of {each.correlation_id} ({each.id})" for each in messages)
        about = f"{destination}: {', '.join(told)}"
        context = who.context if who else ""
        await self._adversary(context, "publish", about, lambda: self._send(destination, messages, at))

    async def _send(self, destination: str, messages: Any, at: datetime | None) -> None:
        for message in messages:
            self._witness.sent(message, later=at is not None)
        await MemoryBroker.send(self, destination, messages, at)

    def _route(self, destination: str, message: WireMessage, at: datetime) -> None:
        if destination in self._queues:
            self._arrived(destination, message, at)
        else:
            super()._route(destination, message, at)


class UnreliableProvider(MemoryProvider):
    """The payment provider behind the adversary."""

    def __init__(self, adversary: Adversary, witness: Witness) -> None:
        super().__init__()
        self._adversary = adversary
        self._witness = witness
        self._replays: dict[tuple[str, str], float] = {}
        """Until when a call is answered with the 500 that it was answered with before."""

    async def create(self, order_id: str, *arguments: Any) -> Intent:
        self._witness.money.to_create(order_id)
        intent = await self._ask("create", order_id, lambda: MemoryProvider.create(self, order_id, *arguments))
        self._witness.money.told_of(intent.id)
        return intent

    async def look(self, intent_id: str) -> Intent:
        intent = await self._ask("look", intent_id, lambda: MemoryProvider.look(self, intent_id))
        self._witness.money.told_of(intent_id)
        return intent

    async def created(self, *asked: Any) -> list[Listed]:
        return await self._adversary("payments", "list", "", lambda: MemoryProvider.created(self, *asked))

    async def confirm(self, intent_id: str) -> Intent:
        self._witness.money.to_change("confirm", intent_id)
        return await self._ask("confirm", intent_id, lambda: MemoryProvider.confirm(self, intent_id))

    async def capture(self, intent_id: str, amount: int) -> Intent:
        self._witness.money.to_change("capture", intent_id)
        return await self._ask("capture", intent_id, lambda: MemoryProvider.capture(self, intent_id, amount))

    async def cancel(self, intent_id: str) -> Intent:
        self._witness.money.to_change("cancel", intent_id)
        return await self._ask("cancel", intent_id, lambda: MemoryProvider.cancel(self, intent_id))

    async def _ask(self, act: str, id: str, call: Callable[[], Awaitable[Intent]]) -> Intent:
        now = asyncio.get_running_loop().time()

        async def answered() -> Intent:
            if self._replays.get((act, id), 0) > now and not self._adversary.calm:
                self._adversary.meets("a 500 replayed")
                if who := INCARNATION.get():
                    who.was_struck = True
                raise Unavailable("the same 500")
            return await call()

        about = id if act == "create" else f"{id} of {self.intents[id]['order']}"
        try:
            return await self._adversary("payments", act, about, answered)
        except Unavailable as failure:
            if str(failure) == Fault.REPLAYED:
                self._replays[act, id] = now + _REPLAYED_FOR
            raise
