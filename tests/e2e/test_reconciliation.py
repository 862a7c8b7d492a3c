"""What a hand has done to the stores of a running stack is found, told, and over when it is put right."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient

from tests.e2e.stack import Stack, small_order, stack
from tests.processes import until

pytestmark = [pytest.mark.stack, pytest.mark.long]

SKU = "MUG-1"
FOUND = 120
"""Seconds: more than a window and a few runs of the timer."""


@asynccontextmanager
async def container(running: Stack, context: str) -> AsyncIterator[ContainerProxy]:
    """A context's container, in the hands of whoever has its key."""
    key = json.loads((running.state / "keys.json").read_text())["cosmos"][context]
    async with CosmosClient(running.parts()["cosmos"]["address"], key) as client:
        yield client.get_database_client("orderflow").get_container_client(context)


async def completed(admin: httpx.AsyncClient, buyer: httpx.AsyncClient) -> str:
    """An order that went its way."""
    order = str((await buyer.post("orders", json=small_order(SKU))).raise_for_status().json()["orderId"])
    note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}

    async def is_dispatched() -> bool:
        return (await admin.post(f"shipments/shp_{order}/dispatch", json=note)).status_code == 200

    async def is_completed() -> bool:
        return bool((await admin.get(f"orders/{order}")).json()["status"] == "completed")

    async def is_heard() -> bool:
        answer = await admin.get(f"operations/orders/{order}")
        return answer.status_code == 200 and answer.json().get("state") == "completed"

    for condition in (is_dispatched, is_completed, is_heard):
        await until(condition, FOUND)
    return order


async def test_a_hand_in_a_store_is_found_and_what_was_not_heard_is_announced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATIONS_RECONCILE_WINDOW_SECONDS", "60")
    with stack(tmp_path / "state") as running:
        async with running.client("admin") as admin, running.client("customer") as buyer:

            async def differing() -> dict[str, list[str]]:
                page: dict[str, Any] = (await admin.get("operations/disagreements")).raise_for_status().json()
                return {each["id"]: [one["code"] for one in each["differences"]] for each in page["value"]}

            product = {"sku": SKU, "name": "A mug", "price": {"amount": 250, "currency": "GBP"}}
            (await admin.post("products/import", json={"products": [product]})).raise_for_status()
            (await admin.put(f"stock/{SKU}", json={"onHand": 5})).raise_for_status()

            async def is_priced() -> bool:
                return (await buyer.get(f"prices/{SKU}")).status_code == 200

            await until(is_priced, FOUND)
            changed, unheard, _ = [await completed(admin, buyer) for _ in range(3)]

            async def is_found() -> bool:
                return (await differing()).get(changed) == ["payment_differs"]

            async def is_heard_again() -> bool:
                timeline = (await admin.get(f"operations/orders/{unheard}")).json()
                return "OrderCompleted" in [each["name"] for each in timeline["events"]]

            async def all_agree() -> bool:
                return await differing() == {}

            async with container(running, "payments") as payments, container(running, "operations") as operations:
                state = [{"op": "set", "path": "/state", "value": "voided"}]
                await payments.patch_item("payment", changed, state)
                events = operations.query_items("SELECT * FROM c", partition_key=unheard)
                [lost] = [each["id"] async for each in events if each["name"] == "OrderCompleted"]
                await operations.delete_item(lost, unheard)
                await until(is_found, FOUND)
                await until(is_heard_again, FOUND)
                await payments.patch_item("payment", changed, [{"op": "set", "path": "/state", "value": "captured"}])
            await until(all_agree, FOUND)
