"""A product's stock in several buckets, each a logical partition of its own: simulated with inventory's own storage on
the in-memory adapters, to see what it would bring and what it would cost. The application has one bucket a product."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from random import Random

from benchmarks.charged import ChargedContainer
from benchmarks.fresh import ROOT
from local.cosmos.indexing import Index
from services.inventory.domain import StockItem
from services.inventory.repositories import Stock
from shared.adapters.memory import MemoryBroker
from shared.adapters.system import RealSystem
from shared.outbox import Outbox, OutboxTimes

AT_A_TIME = 64
QUANTITIES = (1, 1, 1, 2, 3)
"""What orders want, unless told, as often as each stands here."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What a sale-out of one product came to."""

    buckets: int
    sold: int
    """Orders that got what they wanted."""
    units_of_the_busiest: float
    """Request units that the busiest bucket's partition took."""
    looks: float
    """Buckets that an order tried, on average."""
    oversold: int
    """Units that were taken and weren't there."""

    def rate(self, partition_limit: float) -> float:
        """Orders a second, where a partition may use so many request units a second."""
        return self.sold * partition_limit / self.units_of_the_busiest


async def sale(buckets: int, quantities: Sequence[int] = QUANTITIES, stock: int = 1_000, seed: int = 1) -> Sale:
    """Offer so many of one product in so many buckets to as many orders, many at a time: more than can be had. Each
    order begins at a bucket that its number names, goes on to the next where that has too few, and uses up what it
    took."""
    topology = json.loads((ROOT / "infra" / "topology.json").read_text())
    [policy] = [each["indexingPolicy"] for each in topology["containers"] if each["name"] == "inventory"]
    container, system = ChargedContainer(), RealSystem()
    container.index = Index(policy)
    items = Stock(container, Outbox(container, MemoryBroker(topology, system), system, OutboxTimes()))
    names = [f"HOT-{number}" for number in range(buckets)]
    for number, name in enumerate(names):
        share = stock // buckets + (number < stock % buckets)
        await items.save(StockItem(name, share, share))
    container.by_partition.clear()
    looks, sold = 0, Counter[int]()

    async def order(number: int, quantity: int) -> None:
        nonlocal looks
        for each in range(buckets):
            name = names[(number + each) % buckets]
            looks += 1
            if await items.take(name, f"ord_{number}", quantity):
                await items.use_up(name, f"ord_{number}", quantity)
                sold[quantity] += 1
                return

    random = Random(seed)
    orders = [(number, random.choice(quantities)) for number in range(stock)]
    for some in batched(orders, AT_A_TIME, strict=False):
        await asyncio.gather(*(order(*each) for each in some))
    taken = sum(quantity * times for quantity, times in sold.items())
    busiest = max(container.by_partition[f"sku:{name}"] for name in names)
    left = [container.partition(f"sku:{name}")["stock"]["available"] for name in names]
    oversold = max(0, taken - stock) + sum(-each for each in left if each < 0)
    return Sale(buckets, sold.total(), busiest, looks / len(orders), oversold)
