"""What an order takes is what benchmarks/paper.py derives, step by step, and what docs/cost.md reckons with."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import page, paper
from scripts import cost_inputs
from shared.adapters.memory import MemoryContainer
from shared.ports import Document, Operation, Query, WireMessage
from simulation.world import ENVIRONMENT
from tests.unit.world import World

CONTEXTS = {step.context for step in paper.STEPS}
"""Those without which no order is fulfilled; others may hear of it."""


class Counting(MemoryContainer):
    """Counts its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    async def read(self, pk: str, id: str) -> Document | None:
        self.requests += 1
        return await super().read(pk, id)

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        self.requests += 1
        return await super().read_many(keys)

    async def find(self, query: Query) -> list[Document]:
        self.requests += 1
        return await super().find(query)

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.requests += 1
        return await super().write(pk, operations)


class Watched(World):
    """Tells what each step of an order takes: requests of the store, and what is sent where."""

    def __init__(self) -> None:
        super().__init__(container=Counting, environment=ENVIRONMENT | {"ORDERS_PER_CUSTOMER_PER_MINUTE": "60"})
        self.steps: dict[str, tuple[int, Counter[str]]] = {}
        self._requests, self._sent = 0, 0

    async def deliver(self, queue: str, wire: WireMessage) -> None:
        await super().deliver(queue, wire)
        _, context, name, _ = str((wire.properties or {})["cloudEvents_type"]).split(".")
        self.done(name if queue in CONTEXTS else f"{name} of {context}, heard by {queue}")

    def done(self, step: str) -> None:
        """All since the last step was this one's."""
        containers = [each for each in self.containers.values() if isinstance(each, Counting)]
        requests, sent = sum(each.requests for each in containers), self.broker.sent
        destinations = Counter(destination for destination, _ in sent[self._sent :])
        self.steps[step] = requests - self._requests, destinations
        self._requests, self._sent = requests, len(sent)


async def steps_of(lines: int) -> dict[str, tuple[int, Counter[str]]]:
    """Each step of an order of so many lines, in its order."""
    world = Watched()
    skus = [f"MUG-{number}" for number in range(lines)]
    await world.stocked(**dict.fromkeys(skus, 10_000))
    world.done("everything before")
    world.steps.clear()
    order_id = await world.placed(*((sku, 2) for sku in skus))
    world.done("POST /api/orders")
    await world.drain()
    assert (await world.dispatched(order_id)).status == 200
    world.done("POST /api/shipments/{id}/dispatch")
    await world.drain()
    assert (await world.order(order_id))["status"] == "completed"
    return world.steps


@pytest.mark.parametrize("lines", [1, 10, 100])
async def test_each_step_of_an_order_takes_what_is_derived_on_paper(lines: int) -> None:
    found = await steps_of(lines)

    of_order = {name: took for name, took in found.items() if ", heard by " not in name}
    events = tuple(f" of {context}, heard by operations" for context in CONTEXTS)
    kept = [took for name, took in found.items() if name.endswith(events)]
    derived = {step.on: (step.requests(lines), Counter(step.sends.values())) for step in paper.STEPS}
    assert of_order == derived
    assert kept == [(paper.KEPT_BY_OPERATIONS, Counter())] * paper.events()


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_what_the_page_on_costs_reckons_with_is_what_is_derived_on_paper(lines: int) -> None:
    order = cost_inputs.counts(lines)

    counted = {name: number for name, number in order.requests.items() if name != "operations"}
    assert counted == paper.requests(lines)
    assert order.requests["operations"] == paper.KEPT_BY_OPERATIONS * paper.events()
    assert order.sent == paper.sent()
    assert order.received == paper.received() | {"operations": paper.events()}


@pytest.mark.parametrize("shown", page.PAGES, ids=lambda shown: shown.name)
def test_the_page_shows_what_is_derived(shown: Path) -> None:
    text = shown.read_text()

    assert page.filled(text) == text, "run: python -m benchmarks.page"
