"""The functions host: it hands every message to its function until that has settled it, and runs the timers."""

import asyncio
from collections import defaultdict
from datetime import datetime
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from shared.errors import Contended, Throttled, Unavailable
from shared.ports import WireMessage
from simulation.faults import Fault
from simulation.incarnation import NoAnswer, begin
from simulation.witness import SWEEP_BEGAN
from simulation.witness.notes import name_of

if TYPE_CHECKING:
    from simulation.unreliable_world import UnreliableWorld

_LOCK = 60.0
_MOST_DELIVERIES = 10
_TRANSITS = (0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 3.0)
_DELAYS = (30.0, 120.0, 600.0)
_INTERVALS = (0.004, 0.03, 0.08, 0.12, 0.2)
"""Between two runs of a timer, as a share of the time that faults last."""


class Host:
    """Delivers at least once, in any order, and again when a lock has expired, while whoever held it goes on."""

    def __init__(self, world: "UnreliableWorld", random: Random) -> None:
        self._world = world
        self._random = random
        self._arrivals = count()
        self._latest: dict[str, dict[str, int]] = defaultdict(dict)
        self.on_the_way = 0
        """Messages that nobody has settled."""
        self.at_work = 0
        """Processes that are at work, or frozen."""
        self.lost: set[tuple[str, str]] = set()
        """In which queue a message got lost, and of which event it told."""
        self.wrong: list[str] = []
        """Failures that no function may end with."""

    def arrived(self, queue: str, message: WireMessage, visible: datetime) -> None:
        """A message is in a queue."""
        self.on_the_way += 1
        delay = (visible - self._world.system.now()).total_seconds()
        asyncio.create_task(self._carry(queue, message, max(0.0, delay), next(self._arrivals)))  # noqa: RUF006

    async def all_settled(self) -> None:
        """Wait until nothing is on its way."""
        while self.on_the_way:  # noqa: ASYNC110 - waiting costs nothing here
            await asyncio.sleep(1)

    async def sweep(self, context: str) -> None:
        """Run its timer: what fails is logged, and done again the next time."""

        async def swept() -> None:
            SWEEP_BEGAN.set(self._world.witness.writes)
            await self._world.functions[f"{context}_sweep"](None)

        try:
            await self.within(_LOCK, begin(context, "sweep", swept))
        except (NoAnswer, Unavailable, Throttled, Contended):
            self._world.adversary.meets("sweep that failed")

    async def run_timer(self, context: str, span: float) -> None:
        """Sweep at any moment, for ever."""
        while True:
            await asyncio.sleep(span * self._random.choice(_INTERVALS))
            await self.sweep(context)

    async def within[T](self, seconds: float, work: asyncio.Future[T]) -> T:
        """What comes of it. Raises NoAnswer where that takes longer: then it goes on alone."""
        self.at_work += 1
        work.add_done_callback(self._ended)
        done, _ = await asyncio.wait({work}, timeout=seconds)
        if not done:
            raise NoAnswer
        return work.result()

    def _ended(self, _: Any) -> None:
        self.at_work -= 1

    async def _carry(self, queue: str, message: WireMessage, delay: float, number: int) -> None:
        adversary, context = self._world.adversary, queue.partition("-")[0]
        await asyncio.sleep(delay + self._random.choice(_TRANSITS))
        fate = None if queue.endswith("-dead") else adversary.draw("message")
        if fate:
            adversary.meets(fate, f"{context} message")
            self._world.trace.tell(fate, f"{name_of(message)} of {message.correlation_id} ({message.id})")
        if fate is Fault.LOST:
            self.lost.add((queue, str((message.properties or {}).get("cloudEvents_id"))))
        if fate is Fault.LATE:
            await asyncio.sleep(self._random.choice(_DELAYS))
        self._note_order(queue, message, number)
        if fate is Fault.DEAD:
            queue = f"{context}-dead"
        try:
            if fate is not Fault.LOST:
                await asyncio.gather(*(self._deliver(queue, message) for _ in range(2 if fate is Fault.TWICE else 1)))
        except Exception as failure:  # noqa: BLE001 - it is told of in the end
            self.wrong.append(f"{name_of(message)} of {message.correlation_id} failed: {failure!r}")
        finally:
            self.on_the_way -= 1

    async def _deliver(self, queue: str, message: WireMessage) -> None:
        """Until it is settled."""
        adversary, context = self._world.adversary, queue.partition("-")[0]
        settled, deliveries = False, 0
        while not settled:
            while "broker" in adversary.out:  # noqa: ASYNC110 - waiting costs nothing here
                await asyncio.sleep(_LOCK)
            if deliveries == _MOST_DELIVERIES and not queue.endswith("-dead"):
                adversary.meets("delivered too often")
                queue = f"{context}-dead"
            deliveries += 1
            handling = _Handling(self._world, queue, message)
            work = begin(context, handling.work, handling)
            try:
                await self.within(_LOCK, work)
            except NoAnswer:
                if not work.done():
                    adversary.meets("delivered again while a copy went on")
                elif not handling.is_settled:
                    await handling.lock_expires()
            except (Unavailable, Throttled):
                adversary.meets("abandoned")
            settled = handling.is_settled

    def _note_order(self, queue: str, message: WireMessage, number: int) -> None:
        """Whether one that arrived later was faster, of the same order or of another."""
        if self._world.adversary.calm:
            return
        latest = self._latest[queue]
        for of, what in ((message.correlation_id, "overtaken within an order"), ("", "overtaken across orders")):
            if number < latest.get(of, 0):
                self._world.adversary.meets(what)
            latest[of] = max(number, latest.get(of, 0))


class _Handling:
    """One delivery: the function, and then the settling, for which the lock may be lost."""

    def __init__(self, world: "UnreliableWorld", queue: str, message: WireMessage) -> None:
        self._world = world
        self._queue = queue
        self._message = message
        self._locked_until = asyncio.get_running_loop().time() + _LOCK
        self.work = f"{name_of(message)} of {message.correlation_id}"
        self.is_settled = False

    async def lock_expires(self) -> None:
        """Wait until then: the broker doesn't know that whoever held it is gone."""
        await asyncio.sleep(self._locked_until - asyncio.get_running_loop().time())

    async def __call__(self) -> None:
        context = self._queue.partition("-")[0]
        await self._world.deliver(self._queue, self._message)
        await self._world.adversary(context, "settle", f"{self.work} ({self._message.id})", self._settle)

    async def _settle(self) -> None:
        if asyncio.get_running_loop().time() > self._locked_until:
            self._world.adversary.meets("settled too late")
        else:
            self.is_settled = True
