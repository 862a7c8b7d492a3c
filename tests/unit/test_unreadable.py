"""One stored document that can't be read holds up no other."""

import logging
from itertools import chain

import pytest

from shared.ports import Create
from simulation.callers import SUPPORT
from tests.unit.world import World


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_the_warehouse_sees_every_shipment_but_the_one_that_cannot_be_read(
    limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    await world.stocked(MUG=10)
    orders = await world.confirmed(4)
    [document] = [each for each in world.documents("shipping", "shipment") if each["orderId"] == orders[1]]
    for number in range(3):
        strange = document | {"id": f"shp_strange{number}", "pk": "strange", "lines": "of a later version"}
        await world.containers["shipping"].write("strange", [Create(strange)])

    pages = await world.shipments(status="pending", limit=str(limit))

    assert list(chain(*pages)) == orders
    said = {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR}
    assert {line.partition(":")[0] for line in said} == {"unreadable_document"}


@pytest.mark.parametrize("query", [{}, {"customerId": "ada"}, {"customerId": "ada", "status": "pending,confirmed"}])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_every_order_is_listed_but_the_one_that_cannot_be_read(
    limit: int, query: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    await world.stocked(MUG=10)
    orders: list[str] = []
    for _ in range(4):
        orders.insert(0, await world.placed(("MUG", 1), customerId="ada"))
        await world.drain()
        await world.system.sleep(1)
    [document] = [each for each in world.documents("orders", "order") if each["id"] == orders[1]]
    for number in range(3):
        strange = document | {"id": f"ord_strange{number}", "pk": "strange", "lines": "of a later version"}
        await world.containers["orders"].write("strange", [Create(strange)])

    pages = await world.orders_listed(SUPPORT, limit=str(limit), **query)

    assert list(chain(*pages)) == orders
    assert {len(page) for page in pages[:-1]} <= {limit}
    said = {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR}
    assert {line.partition(":")[0] for line in said} == {"unreadable_document"}


async def test_a_due_order_that_cannot_be_read_holds_up_no_other() -> None:
    world = World()
    await world.stocked(MUG=10)
    order = await world.placed(("MUG", 1))
    [document] = world.documents("orders", "order")
    strange = document | {"id": "ord_0", "pk": "ord_0", "lines": "of a later version"}
    await world.containers["orders"].write("ord_0", [Create(strange)])
    await world.system.sleep(61)

    await world.functions["orders_sweep"](None)

    sent = [wire.correlation_id for destination, wire in world.broker.sent if destination == "inventory"]
    assert sent == [order, order]
