"""The real process, its control, and the real SDK as its client."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import stripe

from tests.processes import Process, free_port

KEY = "sk_test_local_0123456789abcdef"


class Running:
    """A provider on a port and a state folder of its own, which can be killed and started again."""

    def __init__(self, state: Path) -> None:
        self.port = free_port()
        self._state = state
        (state / "keys.json").write_text(json.dumps({"paymentProvider": KEY}))
        self.address = f"http://127.0.0.1:{self.port}"
        self._clients: list[stripe.HTTPXClient] = []
        self.control = httpx.AsyncClient(base_url=self.address, timeout=10)

    async def start(self) -> None:
        """Start the process and wait until it serves."""
        arguments = ["--state", str(self._state), "--port", str(self.port)]
        self._process = Process("local.payment_provider", arguments, f"{self.address}/_health")
        await asyncio.to_thread(self._process.ready)

    def kill(self) -> None:
        """End the process at this very instant."""
        self._process.kill()

    async def close(self) -> None:
        """End the process in an orderly way, which it confirms."""
        for client in self._clients:
            await client.close_async()  # untyped in the SDK
        await self.control.aclose()
        assert await asyncio.to_thread(self._process.stop) == 0

    async def inject(self, **fault: Any) -> None:
        """Put a fault in force, once unless told otherwise."""
        answer = await self.control.post("/_faults", json={"count": 1} | fault)
        assert answer.status_code == 201, answer.text

    async def ledger_of(self, intent_id: str) -> list[tuple[str, int]]:
        """The movements of one intent's money, in order."""
        intents = (await self.control.get("/_ledger")).json()["intents"]
        movements = next(intent["movements"] for intent in intents if intent["id"] == intent_id)
        return [(movement["kind"], movement["amount"]) for movement in movements]

    def client(self, key: str = KEY, timeout: float = 10) -> stripe.StripeClient:
        """The SDK, pointed at the provider; it never tries again by itself."""
        http = stripe.HTTPXClient(timeout=timeout)
        self._clients.append(http)
        return stripe.StripeClient(key, base_addresses={"api": self.address}, http_client=http, max_network_retries=0)


def asked(**changes: Any) -> Any:
    """What the payments context asks for when it creates an intent."""
    return {
        "amount": 1_999,
        "currency": "gbp",
        "capture_method": "manual",
        "payment_method": "pm_card_visa",
        "payment_method_types": ["card"],
        "metadata": {"order_id": "ord_1"},
    } | changes
