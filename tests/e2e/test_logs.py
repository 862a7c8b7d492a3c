"""What the whole stack logs and traces, hosts, stand-ins and all, while orders go every way and every part fails."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from local.traces import spans_of
from tests.e2e.stack import Stack, small_order, stack
from tests.processes import until
from tests.unit.canaries import CANARY, Canaries

pytestmark = [pytest.mark.stack, pytest.mark.long]

ADDRESS = ("name", "company", "line1", "line2", "city", "state", "postalCode", "phone")
CARDS = ("visa", "visa_chargeDeclined", "visa_captureDeclined", "nobody_knows")
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("cosmos", {"kind": "status", "status": 429, "retryAfterMs": 100, "count": 20}),
    ("cosmos", {"kind": "status", "status": 400, "operation": "Batch", "count": 2}),
    ("cosmos", {"kind": "status", "status": 413, "operation": "Batch", "count": 2}),
    ("cosmos", {"kind": "status", "status": 503, "count": 20}),
    ("cosmos", {"kind": "cut", "when": "after", "operation": "Batch", "count": 4}),
    ("service_bus", {"kind": "outage", "seconds": 2}),
    ("service_bus", {"kind": "status", "status": 400, "operation": "Send", "count": 3}),
    ("payment_provider", {"kind": "stored500", "when": "after", "count": 3}),
    ("payment_provider", {"kind": "status", "status": 402, "code": "processing_error", "count": 2}),
]


def secrets(state: Path) -> Iterator[str]:
    """What opens the stand-ins, and what the issuer signs with."""

    def texts(value: Any) -> Iterator[str]:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from texts(each)
        if isinstance(value, str):
            yield value

    yield from texts(json.loads((state / "keys.json").read_text()))


async def test_no_line_tells_of_a_customer_or_tells_a_secret(tmp_path: Path) -> None:
    canaries = Canaries()
    with stack(tmp_path / "state", "--traces") as running:
        tokens = [running.token(role) for role in ("admin", "warehouse", "support")]
        async with (
            running.client("admin") as admin,
            running.client("warehouse") as warehouse,
            running.client("support") as support,
        ):
            product = {"sku": "MUG", "name": "A mug", "price": {"amount": 250, "currency": "GBP"}}
            (await admin.post("products/import", json={"products": [product]})).raise_for_status()
            (await warehouse.put("stock/MUG", json={"onHand": 1000})).raise_for_status()
            await until(lambda: answered(support, "prices/MUG"))

            for card in CARDS:
                await order(canaries, support, warehouse, f"pm_card_{card}")
            for part, fault in FAULTS:
                await running.fail(part, **fault)
                await order(canaries, support, warehouse, "pm_card_visa")
                await running.mend(part)
            await refused(canaries, support)
            await poison(canaries, running)
            await until(lambda: has_parked(running))
        opened = list(secrets(running.state))
        logs = [*(running.state / "logs").iterdir(), spans_of(running.state), tmp_path / "state.log"]
    text = {log.name: log.read_text(errors="replace") for log in logs}

    lines = sum(each.count("\n") for each in text.values())
    print(f"{len(canaries.planted)} canaries, {len(opened)} secrets, {lines} lines of {len(text)} logs")  # noqa: T201 - a figure that is reported
    assert any("message_parked" in each for each in text.values())
    assert [(name, told) for name, each in text.items() for told in CANARY.findall(each.lower())] == []
    signatures = [token.rpartition(".")[2] for token in tokens]
    assert [name for name, each in text.items() for told in (*opened, *signatures) if told in each] == []


async def order(canaries: Canaries, support: httpx.AsyncClient, warehouse: httpx.AsyncClient, card: str) -> None:
    """Place one whose every text is a canary, and see to its goods, or cancel it where it doesn't come to that."""
    address = {name: canaries.plant(name) for name in ADDRESS} | {"country": "GB"}
    who: dict[str, Any] = {
        "customerId": canaries.plant("customerId"),
        "email": f"{canaries.plant('email')}@example.com",
    }
    body = small_order("MUG", paymentMethod=card, shippingAddress=address, **who)
    key = {"Idempotency-Key": canaries.plant("Idempotency-Key")}
    answer = httpx.Response(503)

    async def is_placed() -> bool:
        nonlocal answer
        answer = await support.post("orders", json=body, headers=key)
        return answer.status_code == 201

    await until(is_placed)
    order_id = answer.json()["orderId"]
    note = {"carrier": canaries.plant("carrier"), "trackingNumber": canaries.plant("trackingNumber")}
    for _ in range(40):
        sent = await warehouse.post(f"shipments/shp_{order_id}/dispatch", json=note)
        if sent.status_code == 200:
            return
        await asyncio.sleep(0.05)
    await support.post(f"orders/{order_id}/cancel")


async def refused(canaries: Canaries, support: httpx.AsyncClient) -> None:
    """Requests that are no good."""
    told = canaries.plant("refused")
    for body in ({}, {"email": told}, [told], small_order("MUG", email=told, customerId=f"{told}\u202e")):
        assert (await support.post("orders", json=body)).status_code == 422
    for headers in ({"Authorization": f"Bearer {told}"}, {"Authorization": f"Basic {told}"}):
        assert (await support.get("orders", headers=headers)).status_code == 401
    assert (await support.get(f"orders?after={told}")).status_code == 400
    assert (await support.get(f"orders?email={told}")).status_code == 400


async def poison(canaries: Canaries, running: Stack) -> None:
    """A message that can't be read, to each queue."""
    address = str(running.parts()["service_bus"]["address"])
    key = json.loads((running.state / "keys.json").read_text())["serviceBus"]["operator"]
    text = f"Endpoint={address};SharedAccessKeyName=operator;SharedAccessKey={key};UseDevelopmentEmulator=true;"
    async with ServiceBusClient.from_connection_string(text) as client:
        for queue in ("inventory", "orders", "payments", "shipping"):
            async with client.get_queue_sender(queue) as sender:
                body = json.dumps({"shippingAddress": {"name": canaries.plant("poison")}})
                await sender.send_messages(ServiceBusMessage(body, message_id=f"poison-{queue}"))


async def answered(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code == 200


async def has_parked(running: Stack) -> bool:
    _, output = await running.run("parked")
    return all(f"poison-{queue}" in output for queue in ("inventory", "orders", "payments", "shipping"))
