"""Every context with the adversary all around them."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

from shared.adapters.memory import MemoryContainer
from shared.ports import WireMessage
from simulation.adversary import Adversary
from simulation.faults import Scenario
from simulation.unreliable import SEEN, OffsetSystem, UnreliableBroker, UnreliableContainer, UnreliableProvider
from simulation.witness import DELIVERY, SWEEP_BEGAN, Delivery, Witness
from simulation.world import ENVIRONMENT, Answer, World


class UnreliableWorld(World):
    """Every context on unreliable stores, broker and provider, and a witness that sees what they do."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.adversary = adversary = Adversary(seed, scenario.faults)
        self.witness = witness = Witness(self)
        chance = Random(seed + 2)

        def wrote(container: MemoryContainer, *written: Any) -> None:
            [context] = [name for name, each in self.containers.items() if each is container]
            witness.wrote(context, *written)

        super().__init__(
            seed,
            container=lambda: UnreliableContainer(adversary, wrote),
            broker=lambda topology, system: UnreliableBroker(topology, system, adversary, witness),
            provider=lambda: UnreliableProvider(adversary, witness),
            environment=ENVIRONMENT | dict(scenario.settings),
            clock=lambda system: OffsetSystem(
                system, timedelta(seconds=chance.uniform(-1, 1) * scenario.faults.apart / 2)
            ),
        )

    async def call(
        self, operation: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> Answer:
        seen = SEEN.set((headers or {}).get("if-match"))
        try:
            return await super().call(operation, body, headers=headers, **rest)
        finally:
            SEEN.reset(seen)

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
