"""The running system answers whatever is made of its description as the description says, for every role."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from local.identity.issuer import Role
from tests.e2e.stack import Stack, small_order, stack
from tests.processes import ROOT, until

pytestmark = pytest.mark.stack

TOOLS = ROOT / ".clients"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
SKU = "MUG-1"
"""That of the description's examples."""
ORDERS = 20
DESCRIPTION: Any = json.loads((ROOT / "openapi.json").read_text())


@pytest.fixture(scope="module")
def tool() -> Path:
    subprocess.run([ROOT / "scripts" / "setup", "--clients"], check=True)
    return TOOLS / "bin" / "schemathesis"


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack with a product and orders of ada's that the warehouse may dispatch, one of which it has."""
    with stack(tmp_path_factory.mktemp("description") / "state") as running:
        await open_shop(running)
        yield running


async def open_shop(running: Stack) -> None:
    async with running.client("admin") as admin, running.client("customer", "ada") as ada:
        products = [{"sku": SKU, "name": "Enamel mug", "price": {"amount": 250, "currency": "GBP"}}]
        (await admin.post("/products/import", json={"products": products})).raise_for_status()
        (await admin.put(f"/stock/{SKU}", json={"onHand": 1_000_000})).raise_for_status()

        async def placed() -> bool:
            return (await ada.post("/orders", json=small_order(SKU))).status_code == 201

        async def waiting() -> list[str]:
            page = (await admin.get("/shipments")).json()
            return [each["shipmentId"] for each in page["value"]]

        async def all_wait() -> bool:
            return len(await waiting()) == ORDERS

        for _ in range(ORDERS):
            await until(placed)
        await until(all_wait)
        note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
        first, *_ = await waiting()
        (await admin.post(f"/shipments/{first}/dispatch", json=note)).raise_for_status()


def of_this_shop(part: Any) -> Any:
    """The description, with what there is in place of any SKU and any currency: made-up ones are only ever refused."""
    match part:
        case {"type": "string", "pattern": str(pattern), "maxLength": 40}:
            return {"type": "string", "enum": [SKU, "NONE"], "pattern": pattern}
        case {"type": "string", "pattern": "^[A-Z]{3}$"}:
            return {"type": "string", "enum": ["GBP"]}
        case dict():
            return {name: of_this_shop(each) for name, each in part.items()}
        case list():
            return [of_this_shop(each) for each in part]
    return part


def made_of(description: Any, shop: Stack, tool: Path, role: Role, *options: str) -> subprocess.CompletedProcess[str]:
    """What the tool says of its calls, as somebody in this role."""
    file = shop.state / "openapi.json"
    file.write_text(json.dumps(of_this_shop(description)))
    token = shop.token(role, "ada" if role is Role.CUSTOMER else None)
    command: list[str | Path] = [
        tool,
        "run",
        file,
        f"--url={shop.api.removesuffix('/api')}",
        f"--header=Authorization: Bearer {token}",
    ]
    command += [f"--checks={','.join(CHECKS)}", "--generation-database=none", "--seed=1"]
    command += ["--workers=1", "--continue-on-failure", "--no-color"]
    return subprocess.run([*command, *options], cwd=shop.state, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("role", "examples"),
    [(Role.SUPPORT, 10), *(pytest.param(role, 25, marks=pytest.mark.long) for role in Role)],
)
def test_every_answer_is_one_that_the_description_knows(shop: Stack, tool: Path, role: Role, examples: int) -> None:
    done = made_of(DESCRIPTION, shop, tool, role, f"--max-examples={examples}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"([\d,]+) generated, \1 passed", done.stdout)


@pytest.mark.parametrize(
    ("role", "operations"),
    [
        (Role.CUSTOMER, ("list_orders", "get_order")),
        (Role.WAREHOUSE, ("list_shipments", "get_shipment")),
        (Role.SUPPORT, ("list_shipments", "get_shipment", "get_order", "get_timeline")),
    ],
)
def test_an_answer_leads_on_to_the_calls_that_its_ids_are_for(
    shop: Stack, tool: Path, role: Role, operations: tuple[str, ...]
) -> None:
    """Few operations at a time: among all of them, whether a made-up call is answered with an id is left to chance."""
    chosen = [f"--include-operation-id={each}" for each in operations]

    done = made_of(DESCRIPTION, shop, tool, role, "--max-examples=10", "--phases=stateful", *chosen)

    assert done.returncode == 0, done.stdout + done.stderr
    [followed] = map(int, re.findall(r"API Links: +(\d+) covered", done.stdout))
    assert followed >= len(operations) - 1


def test_an_answer_that_it_does_not_know_is_found(shop: Stack, tool: Path) -> None:
    lacking = deepcopy(DESCRIPTION)
    answers = lacking["paths"]["/api/products/{sku}"]["get"]["responses"]
    del answers["404"]
    answers["200"]["content"]["application/json"]["schema"] = {"type": "object", "required": ["colour"]}

    done = made_of(lacking, shop, tool, Role.ADMIN, "--include-operation-id=get_product", "--phases=examples,coverage")

    assert done.returncode == 1
    assert "Received: 404" in done.stdout
    assert '"colour" is a required property' in done.stdout
