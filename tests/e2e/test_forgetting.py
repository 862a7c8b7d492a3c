"""A customer is forgotten by every context, each with a process, keys and a right to send and receive of its own."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.verify.looking import look
from local.verify.reading import reader
from tests.e2e.stack import small_order, stack
from tests.processes import until

pytestmark = [pytest.mark.stack, pytest.mark.long]

SKU = "MUG-1"
SUBJECT = "https://id.example/canary|é"
TOLD: dict[str, Any] = {
    "email": "canary@example.com",
    "shippingAddress": {"name": "Canary", "line1": "Canary Street", "city": "Canaria", "country": "ES"},
}


async def test_nothing_that_a_customer_told_is_stored_anywhere_once_they_are_forgotten(tmp_path: Path) -> None:
    path = f"customers/{quote(SUBJECT, safe='')}/data"
    with stack(tmp_path / "state", "--split") as running:
        async with (
            running.client("admin") as admin,
            running.client("customer", SUBJECT) as buyer,
            reader(running.state) as stored,
        ):

            async def told() -> list[str]:
                every = [each for context in stored.contexts for each in await stored.query(context)]
                return [f"{each['kind']} {each['id']}" for each in every if "Canar" in json.dumps(each)]

            product = {"sku": SKU, "name": "A mug", "price": {"amount": 250, "currency": "GBP"}}
            (await admin.post("products/import", json={"products": [product]})).raise_for_status()
            (await admin.put(f"stock/{SKU}", json={"onHand": 5})).raise_for_status()

            async def priced() -> bool:
                return (await buyer.get(f"prices/{SKU}")).status_code == 200

            await until(priced)
            placed = (await buyer.post("orders", json=small_order(SKU, **TOLD))).raise_for_status().json()
            note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}

            async def dispatched() -> bool:
                answer = await admin.post(f"shipments/shp_{placed['orderId']}/dispatch", json=note)
                return answer.status_code == 200

            await until(dispatched)
            assert await told()
            wish = await admin.delete(path)
            assert (wish.status_code, wish.json()["due"]) == (202, [placed["orderId"]])

            async def forgotten() -> bool:
                return not await told()

            await until(forgotten)
            [known] = (await admin.get(path)).raise_for_status().json()["value"]

        findings = await look(running.state, wait=30)
    assert (known["orderId"], known["status"], known["email"]) == (placed["orderId"], "completed", "[forgotten]")
    assert known["shippingAddress"]["country"] == "ES"
    assert all(finding.holds for finding in findings)
