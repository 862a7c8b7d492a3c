"""Every context on unreliable stores, broker and provider, and the host that runs their functions."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from services.operations.ports import Said
from shared.ports import System, WireMessage
from simulation.adversary import Adversary
from simulation.clock import LoopSystem
from simulation.faults import Scenario
from simulation.host import Host
from simulation.incarnation import INCARNATION, NoAnswer, begin
from simulation.neighbours import Neighbours
from simulation.topology import context_of
from simulation.trace import Trace
from simulation.unreliable import SEEN, UnreliableBroker, UnreliableContainer, UnreliableProvider
from simulation.witness import DELIVERY, Delivery, Witness
from simulation.world import ENVIRONMENT, Answer, World

_PATIENCE = 60.0
"""How long whoever asks waits for an answer."""


class UnreliableWorld(World):
    """The world through which the adversary goes, and a witness that sees what is done."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.trace = Trace()
        self.adversary = adversary = Adversary(seed, scenario, self.trace)
        self.witness = witness = Witness(self)
        self.host = Host(self, Random(f"{seed} host"))
        self.clocks: list[LoopSystem] = []
        chance, apart = Random(f"{seed} clocks"), scenario.apart / 2

        def clock(_: System) -> System:
            self.clocks.append(LoopSystem(chance, timedelta(seconds=chance.uniform(-apart, apart))))
            return self.clocks[-1]

        super().__init__(
            container=lambda: UnreliableContainer(adversary, witness.wrote),
            broker=lambda topology, system: UnreliableBroker(topology, system, adversary, witness, self.host.arrived),
            provider=lambda: UnreliableProvider(adversary, witness),
            environment=ENVIRONMENT | dict(scenario.settings),
            clock=clock,
            system=LoopSystem(chance),
            neighbours=UnreliableNeighbours,
        )
        for name, container in self.containers.items():
            assert isinstance(container, UnreliableContainer)
            container.context = name

    async def call(
        self, operation: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> Answer:
        """In a process of its own. Raises NoAnswer."""

        async def called() -> Answer:
            SEEN.set((headers or {}).get("if-match"))
            return await super(UnreliableWorld, self).call(operation, body, headers=headers, **rest)

        route = self.functions[operation].operation.route
        work = f"{operation} {' '.join((rest.get('route') or {}).values())}"
        answer = await self.host.within(_PATIENCE, begin(context_of(route), work, called))
        if answer.status == 500:
            self.host.wrong.append(f"{work} was answered {answer.body}")
        return answer

    async def drain(self, until: timedelta = timedelta(0)) -> None:
        await asyncio.sleep(until.total_seconds())
        await self.host.all_settled()

    async def deliver(self, queue: str, wire: WireMessage) -> None:
        now = self.contexts[queue.partition("-")[0]].system.now()
        DELIVERY.set(delivery := Delivery(wire, self.witness.writes, now))
        if delivery.is_past_its_time:
            self.adversary.meets("handled after its order had given up")
        await super().deliver(queue, wire)
        self.witness.completed(queue, delivery)


class UnreliableNeighbours(Neighbours):
    """The contexts that operations asks, of which none may answer."""

    async def ask(self, context: str, path: str, method: str = "GET") -> Said | None:
        said = None
        with suppress(NoAnswer):
            said = await super().ask(context, path, method)
        if who := INCARNATION.get():
            await who.go_on()
        return said
