"""One history: people, faults and messages, from a seed to its end."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from random import Random

from services.orders.erasure import SURELY_STORED
from shared.ports import Document, WireMessage
from shared.telemetry import log
from simulation.adversary import Adversary
from simulation.faults import Scenario
from simulation.people import People
from simulation.topology import CONTEXTS
from simulation.unreliable_world import UnreliableWorld

_PAUSES = (60, 240, *[900] * 8, *[3600] * 10, *[6 * 3600] * 6)
"""Once the faults are over: how long things are left to themselves before somebody looks whether all is done; in
all longer than the day after which a shipment is asked for again."""


class Told(logging.Handler):
    """Hears what operations says that the contexts don't agree about, but while a read may be an old one."""

    def __init__(self, adversary: Adversary) -> None:
        super().__init__()
        self._adversary = adversary
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line.startswith("disagreement:") and (self._adversary.calm or not self._adversary.reads_old):
            self.lines.append(line)


class History:
    """Orders, cancellations, dispatches, counts, imports and deliveries, all at once, and then all that is due. It
    lives in the loop that it is made in."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = Random(f"{seed} history")
        self.world = UnreliableWorld(seed, scenario)
        self.adversary = self.world.adversary
        self.people = People(self.world, Random(f"{seed} people"), scenario)
        self.claims = self.people.claims
        self.told = Told(self.adversary)

    async def play(self) -> None:
        """To its end."""
        log.addHandler(self.told)
        try:
            await self._faults()
            await self._settle()
        finally:
            log.removeHandler(self.told)

    async def _faults(self) -> None:
        """Everything at once, for as long as the scenario says."""
        world, scenario = self.world, self.scenario
        await world.stocked(**self.people.stock())
        self.adversary.calm = False
        everybody = [asyncio.create_task(wish) for wish in self.people.wishes()]
        meanwhile = [asyncio.create_task(world.host.run_timer(context, scenario.span)) for context in CONTEXTS]
        meanwhile += [asyncio.create_task(self._outage(seconds)) for seconds in scenario.outages]
        for rate, happens in (
            (scenario.lapses, self._lapse),
            (scenario.forgets, self._forget),
            (scenario.jumps, self._jump),
        ):
            if rate:
                meanwhile.append(asyncio.create_task(self._now_and_then(rate, happens)))
        await asyncio.sleep(scenario.span)
        for each in meanwhile:
            each.cancel()
        self.adversary.relent()
        await asyncio.gather(*everybody)

    async def _settle(self) -> None:
        """The faults are over: frozen copies wake, locks expire, timers sweep and resend, the warehouse catches up."""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            await self._sweep()
            if self.world.witness.wrong:
                return
            await self.people.see_to_parked()
            await self.people.mend()
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending":
                    await self.world.dispatched(shipment["orderId"])
            if self.is_over:
                break
        await self._import_all_again()
        await asyncio.sleep(2 * SURELY_STORED.total_seconds())
        for guest in sorted(self.claims.forgotten):
            # Once more, without faults: the broker has lost messages that tell of it, which only that sends again.
            assert (await self.world.call("forget_customer", route={"customerId": guest})).status == 202
        # Every order is looked at before it leaves the window, and what wasn't heard is announced again.
        for _ in range(4):
            await self._sweep()
            await self.world.host.all_settled()
            await asyncio.sleep(self.world.operations.window.total_seconds() + self.scenario.apart + 60)
        # Once more after the last announcement: then it is seen that all agree.
        await self._sweep()
        await self.world.host.all_settled()

    @property
    def is_over(self) -> bool:
        """Whether every order has come to its end, and nothing is on its way or at work."""
        host = self.world.host
        return not host.on_the_way and not host.at_work and all(each["settledAt"] for each in self.orders)

    async def _sweep(self) -> None:
        for context in CONTEXTS:
            await self.world.host.sweep(context)

    async def _outage(self, seconds: float) -> None:
        await asyncio.sleep(self.random.uniform(0, self.scenario.span - seconds))
        await self.adversary.black_out(seconds)

    async def _now_and_then(self, rate: float, happens: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(rate))
            happens()

    def _lapse(self) -> None:
        self.adversary.meets("authorisations lapsed")
        self.world.provider.lapse()

    def _forget(self) -> None:
        self.adversary.meets("duplicate detection ended")
        self.world.broker.forget()

    def _jump(self) -> None:
        self.adversary.meets("clock jumped")
        apart = self.scenario.apart / 2
        self.random.choice(self.world.clocks).ahead = timedelta(seconds=self.random.uniform(-apart, apart))

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
