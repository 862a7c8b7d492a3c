"""Operations asks the contexts over HTTP, as itself: one that stops is shown so, and so is its coming back."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack, stack
from tests.processes import until

pytestmark = [pytest.mark.stack, pytest.mark.long]

CONTEXTS = {"catalog", "inventory", "orders", "payments", "shipping", "operations"}


async def health(support: httpx.AsyncClient) -> dict[str, str]:
    """How each context is, by the registry."""
    registry: dict[str, Any] = (await support.get("operations/registry")).raise_for_status().json()
    return {each["name"]: each["health"] for each in registry["contexts"]}


def tell(running: Stack, part: str, what: signal.Signals) -> None:
    os.kill(int(running.parts()[part]["pid"]), what)


async def test_a_context_that_stops_and_a_store_that_fails_are_shown_until_they_are_back(tmp_path: Path) -> None:
    with stack(tmp_path / "state", "--split") as running:
        async with running.client("support") as support:

            async def is_so(**but: str) -> bool:
                return await health(support) == dict.fromkeys(CONTEXTS, "ready") | but

            await until(is_so)
            tell(running, "functions_host_shipping", signal.SIGSTOP)
            await until(lambda: is_so(shipping="unknown"))
            assert (await support.get("operations/orders", params={"over": "PT1S"})).json() == {"value": []}
            tell(running, "functions_host_shipping", signal.SIGCONT)
            await until(is_so)

            await running.fail("cosmos", kind="status", status=503, path="/colls/payments")
            await until(lambda: is_so(payments="not_ready"))
            await running.mend("cosmos")
            await until(is_so)


async def test_one_host_for_all_asks_itself(tmp_path: Path) -> None:
    with stack(tmp_path / "state") as running:
        async with running.client("support") as support:

            async def is_ready() -> bool:
                return await health(support) == dict.fromkeys(CONTEXTS, "ready")

            await until(is_ready)
