"""Whatever happens while a list is read, what fits it all the time is in it, and nothing comes twice."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import chain
from random import Random

import pytest

from services.orders.process import STATUS
from services.shipping.domain import State
from shared.contracts.orders import Status
from shared.ports import Document
from simulation.callers import SUPPORT
from tests.unit.test_lists import Interrupted
from tests.unit.world import World

type Fits = Callable[[Document], object]
"""Whether it fits, and if so, as what: None where it doesn't."""

CARRIERS = ("Royal Mail", "DHL", "UPS")
HAPPENINGS = ("place", "place", *["deliver"] * 4, "dispatch", "cancel", "correct")
MOST = 12
"""After so many interruptions a list is left alone, or it would grow faster than it's read."""


class Shop:
    """A world in which something happens now and then, and more so while a container is asked."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.world = World(seed, container=Interrupted)
        self.read_through = 0

    async def happens(self) -> None:
        """An order is placed or cancelled, messages arrive, goods leave, or what was typed is put right."""
        world, chance = self.world, self.chance
        match chance.choice(HAPPENINGS):
            case "place":
                await world.placed(("MUG", 1), customerId=chance.choice(["ada", "bob"]))
            case "deliver":
                for queue in chance.choices([*world.queues], k=8):
                    if message := world.broker.receive(queue):
                        await world.deliver(queue, message)
            case "dispatch":
                for order in self._one_of("pending"):
                    await world.dispatched(order, chance.choice(CARRIERS))
            case "correct":
                for order in self._one_of("dispatched"):
                    route, right = {"shipmentId": f"shp_{order}"}, {"carrier": chance.choice(CARRIERS)}
                    await world.call("correct_shipment", right, route=route, headers={"if-match": "*"})
            case "cancel":
                for order in self._one_of("pending"):
                    await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)
        await world.system.sleep(chance.choice([0, 0, 1]))

    def _one_of(self, state: str) -> list[str]:
        """An order whose shipment is in that state, if there is one."""
        found = [each["orderId"] for each in self.world.documents("shipping", "shipment") if each["state"] == state]
        return self.chance.sample(found, min(1, len(found)))

    async def read(self, context: str, kind: str, query: dict[str, str], fits: Fits) -> None:
        """Read a list to its end, and hold it to what fitted meanwhile."""
        container = self.world.containers[context]
        assert isinstance(container, Interrupted)

        def fitting() -> dict[str, object]:
            found = {each["pk"]: fits(each) for each in container.documents(kind)}
            return {order: what for order, what in found.items() if what is not None}

        throughout, ever = fitting(), fitting()
        interruptions = iter(range(MOST))

        async def meanwhile() -> None:
            for _ in range(self.chance.randint(0, 4)):
                await self.happens()
            now = fitting()
            ever.update(now)
            for order in [order for order, what in throughout.items() if now.get(order) != what]:
                del throughout[order]
            container.meanwhile = meanwhile if next(interruptions, None) is not None else None

        container.meanwhile = meanwhile
        listed = partial(self.world.orders_listed, SUPPORT) if kind == "order" else self.world.shipments
        found = [*chain(*await listed(limit=str(self.chance.choice([2, 10, 100, 100])), **query))]
        container.meanwhile = None

        assert len(set(found)) == len(found), query
        assert throughout.keys() - set(found) == set(), query
        assert set(found) - ever.keys() == set(), query
        self.read_through += len(throughout)


def orders_with(statuses: Collection[str], owner: str | None) -> Fits:
    """Of one of the statuses, and of the owner, where there are any."""

    def fits(order: Document) -> object:
        is_so = not statuses or STATUS[order["step"]] in statuses
        return True if is_so and owner in (None, order["customerId"]) else None

    return fits


def shipments_with(states: Collection[str], carriers: Collection[str]) -> Fits:
    """In one of the states and, where there are any, with one of the carriers. Corrected from one of them to another it
    fits as something else, and may be missed (docs/adr/0019)."""

    def fits(shipment: Document) -> object:
        if not carriers:
            return True if shipment["state"] in states else None
        return shipment["carrier"] if shipment["state"] in states and shipment["carrier"] in carriers else None

    return fits


@pytest.mark.parametrize("seed", range(12))
async def test_what_fits_a_list_throughout_is_in_it_and_nothing_comes_twice(seed: int) -> None:
    shop = Shop(seed)
    chance = shop.chance

    def some(values: Iterable[str]) -> list[str]:
        return chance.sample([*values], chance.randint(2, 3))

    await shop.world.stocked(MUG=10_000)
    for _ in range(70):
        await shop.happens()

    for _ in range(8):
        statuses, owner = some(Status) if chance.random() < 0.8 else [], chance.choice([None, "ada"])
        query = ({"status": ",".join(statuses)} if statuses else {}) | ({"customerId": owner} if owner else {})
        await shop.read("orders", "order", query, orders_with(statuses, owner))

        states, carriers = some(State), some(CARRIERS) if chance.random() < 0.5 else []
        query = {"status": ",".join(states)} | ({"carrier": ",".join(carriers)} if carriers else {})
        await shop.read("shipping", "shipment", query, shipments_with(states, carriers))
    assert shop.read_through
