"""Does to a running stack what the schedule says."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import aclosing, suppress
from pathlib import Path

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from chaos.schedule import HOST, Event, Fault, Freeze, Kill, Poison, Wish, contexts_of, fault
from chaos.tally import STAND_INS, Tally
from local.replay.client import Client
from local.verify.stack import read_stack

_PAUSE = 0.2
_GLANCE = 3.0
_LAST = 60

type Locked = Mapping[tuple[str, int], int]
"""How often each locked message has been delivered in vain, by its queue and its number there."""


class Inflicting:
    """One run against the stack of this state folder; what it does to processes, it says in a line each."""

    def __init__(self, state: Path, tally: Tally, say: Callable[[str], None]) -> None:
        self._state, self._tally, self._say = state, tally, say

    async def run(self, events: Sequence[Event]) -> None:
        """All of it, each at its time. Kinds of faults that have struck nothing, since their part was killed first, or
        nobody asked for what they were about, are drawn anew. Then every fault ends, and every lock, so that nobody
        waits for one that the dead held. However it ends, nothing stays frozen."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for event in events:
                await asyncio.sleep(began + event.at - loop.time())
                group.create_task(self._do(event))
        await self._make_up({event.kind for event in events if isinstance(event, Fault)})
        for part in STAND_INS:
            await self._ask(part, "DELETE")
        await self._ask("service_bus", "POST", {"kind": "expire-locks"})

    async def _make_up(self, kinds: Set[str]) -> None:
        contexts = contexts_of([*read_stack(self._state).parts])
        for last in range(_LAST):
            await self._tally.look(self._state)
            missing, chance = kinds - self._tally.struck.keys(), random.Random(last)
            if not missing:
                break
            drawn = [fault(chance, kind, chance.choice(contexts), 0.0) for kind in sorted(missing)]
            await asyncio.gather(*map(self._do, drawn))
            await asyncio.sleep(1)

    async def _do(self, event: Event) -> None:
        match event:
            case Kill():
                self._say(f"{event.at:7.1f} s  kill -9 {event.part}")
                await self._kill(event)
            case Freeze():
                self._say(f"{event.at:7.1f} s  {event.part} frozen for {event.seconds:.1f} s")
                await self._freeze(event)
            case Fault():
                await self._ask(event.part, "POST", event.wish)
                self._tally.asked[event.kind] += 1
            case Poison():
                await self._send(event)

    async def _kill(self, kill: Kill) -> None:
        await self._signalled(kill.part, signal.SIGKILL)
        self._tally.kills[kill.part] += 1

    async def _freeze(self, freeze: Freeze) -> None:
        process = await self._signalled(freeze.part, signal.SIGSTOP)
        try:
            before = await self._locked_by(freeze.part)
            await asyncio.sleep(freeze.seconds)
            after = await self._locked_by(freeze.part)
        finally:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self._tally.freezes[freeze.part] += 1
        self._tally.long_freezes += freeze.outlasts_locks
        self._tally.locks_lost_by_freezing += sum(after.get(each, count) > count for each, count in before.items())

    async def _signalled(self, part: str, what: signal.Signals) -> int:
        """The part's process, which has got the signal; one that is just being started again is waited for."""
        while True:
            process = read_stack(self._state).parts[part].pid
            with suppress(ProcessLookupError):
                os.kill(process, what)
                return process
            await asyncio.sleep(_PAUSE)

    async def _locked_by(self, part: str) -> Locked:
        """What the host of a context has locked, in so far as the broker can tell just now. While the host is frozen a
        lock ends by its time alone."""
        context, control = part.removeprefix(HOST), read_stack(self._state).parts["service_bus"].control
        try:
            async with httpx.AsyncClient(base_url=control, trust_env=False, timeout=_GLANCE) as broker:
                found = (await broker.get("_messages", params={"entity": context})).raise_for_status().json()
        except httpx.HTTPError:
            return {}
        return {(each["entity"], each["sequenceNumber"]): each["deliveryCount"] for each in found}

    async def _ask(self, part: str, method: str, wish: Wish | None = None) -> None:
        """Have a stand-in fail, or fail no more; one that is away is waited for."""
        async with aclosing(Client(read_stack(self._state).parts[part].control)) as control:
            (await control.send(method, "_faults", wish)).raise_for_status()

    async def _send(self, poison: Poison) -> None:
        stack = read_stack(self._state)
        connection = (
            f"Endpoint={stack.parts['service_bus'].address};SharedAccessKeyName=operator;"
            f"SharedAccessKey={stack.keys['serviceBus']['operator']};UseDevelopmentEmulator=true;"
        )
        message = ServiceBusMessage(b"\xff", message_id=poison.message_id)
        while True:
            with suppress(ServiceBusError):
                async with (
                    ServiceBusClient.from_connection_string(connection) as client,
                    client.get_queue_sender(poison.part.removeprefix(HOST)) as sender,
                ):
                    await sender.send_messages(message)
                return
            await asyncio.sleep(_PAUSE)
