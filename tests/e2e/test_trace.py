"""`--traces`: the spans of hosts and application, through every context, as one tree."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.verify.trace import kept
from tests.e2e.stack import small_order, stack
from tests.processes import until

pytestmark = pytest.mark.stack

CONTEXTS = ("orders", "inventory", "payments", "shipping", "operations")
"""Those that an order's messages come to."""


async def test_an_orders_spans_make_one_tree_across_the_hosts_of_all_contexts(tmp_path: Path) -> None:
    with stack(tmp_path / "state", "--traces", "--split") as running:
        admin, warehouse, support = map(running.client, ("admin", "warehouse", "support"))
        async with admin, warehouse, support:
            product = {"sku": "MUG", "name": "A mug", "price": {"amount": 250, "currency": "GBP"}}
            (await admin.post("products/import", json={"products": [product]})).raise_for_status()
            (await warehouse.put("stock/MUG", json={"onHand": 1})).raise_for_status()
            await until(lambda: succeeds(admin, "prices/MUG"))
            placed = await support.post("orders", json=small_order("MUG", customerId="ada"))
            order_id = placed.raise_for_status().json()["orderId"]
            await until(lambda: succeeds(warehouse, f"shipments/shp_{order_id}"))
            sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
            (await warehouse.post(f"shipments/shp_{order_id}/dispatch", json=sent)).raise_for_status()

        text = ""

        async def is_told() -> bool:
            nonlocal text
            _, text = await running.run("order", order_id)
            return "send OrderCompleted" in text

        await until(is_told)

    order = next(each for each in kept(running.state) if each["fields"].get("order_id") == order_id)
    spans = {each["id"]: each for each in kept(running.state) if each["trace"] == order["trace"]}
    [root] = [each for each in spans.values() if each["parent"] not in spans]
    assert (root["name"], root["service"], root["parent"]) == ("POST orders", "host", "")
    services = {f"functions_host_{context}" for context in CONTEXTS}
    assert {each["service"] for each in spans.values()} == {"host"} | services
    for each in spans.values():
        queue, _, contract = each["name"].partition(" ")
        if queue in CONTEXTS:
            above: Any = spans[each["parent"]]
            assert above["name"] == "ServiceBusProcessor.ProcessMessage"
            assert spans[above["parent"]]["name"] == f"send {contract}"
    assert {"Cosmos DB write", "payment provider confirm"} <= {each["name"] for each in spans.values()}
    assert re.search(r"\n +\d+\.\d ms +\d+\.\d ms +send ShipmentDispatched .*  for dispatch_shipment\n", text)


async def succeeds(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code == 200
