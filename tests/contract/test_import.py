"""An import into a container that is good for 400 request units a second, Azure's least."""

import time
from collections import Counter
from datetime import timedelta

import httpx
import pytest

from services.catalog.domain import Product
from services.catalog.handlers import Failure, Outcome, import_products
from services.catalog.repositories import Products
from shared.access import Role
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.memory import MemoryBroker
from shared.adapters.system import RealSystem
from shared.audit import Actor
from shared.outbox import Outbox, OutboxTimes
from simulation.topology import TOPOLOGY
from tests.contract.conftest import StandIns


@pytest.mark.long
async def test_an_import_of_5000_products_waits_for_a_throttled_store_and_reports_the_rest(stand_ins: StandIns) -> None:
    system = RealSystem()
    container = CosmosContainer(stand_ins.cosmos("catalog"), "orderflow", "catalog", timedelta(seconds=5))
    imports = [Product(f"IMPORT {number}", "Thing", 100, "GBP", listed=True) for number in range(5000)]
    faults = f"http://127.0.0.1:{stand_ins.cosmos_port}/_faults"

    async def outcomes(seconds: float) -> Counter[Outcome | Failure]:
        by = Actor("admin", Role.ADMIN, "import_products", system.new_id())
        products = Products(container, Outbox(container, MemoryBroker(TOPOLOGY, system), system, OutboxTimes()))
        return Counter(await import_products(imports, products, by, system, timedelta(seconds=seconds)))

    async with httpx.AsyncClient(trust_env=False) as operator:
        throttle = {"kind": "throttle", "requestUnits": 400, "path": "/colls/catalog/"}
        (await operator.post(faults, json=throttle)).raise_for_status()
        began = time.monotonic()
        first = await outcomes(30)
        took = time.monotonic() - began
        (await operator.delete(faults)).raise_for_status()
    second = await outcomes(300)
    await container.close()

    assert took < 45
    assert first[Outcome.CREATED] > 100
    assert first.keys() <= {Outcome.CREATED, Failure.THROTTLED, Failure.OUT_OF_TIME, Failure.UNAVAILABLE}
    assert first.total() == second.total() == 5000
    assert second.keys() == {Outcome.CREATED, Outcome.UNCHANGED}
