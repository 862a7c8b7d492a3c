"""The real process, its control, and the real SDK as its client."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from azure.servicebus.aio import ServiceBusClient

from tests.processes import Process, connection_string, free_port, write_keys

TOPOLOGY = Path(__file__).with_name("topology.json")


class Running:
    """A broker on ports and a state folder of its own, which can be killed and started again."""

    def __init__(self, state: Path) -> None:
        self.state, self.port, self.control_port = state, free_port(), free_port()
        self.keys = write_keys(state)["serviceBus"]
        self.control = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.control_port}", timeout=10)

    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "local.service_bus", *self._arguments()]

    def _arguments(self) -> list[str]:
        ports = ["--port", str(self.port), "--control-port", str(self.control_port)]
        return ["--state", str(self.state), *ports, "--topology", str(TOPOLOGY)]

    async def start(self) -> None:
        """Start the process and wait until it serves."""
        health = f"http://127.0.0.1:{self.control_port}/_health"
        self._process = await asyncio.to_thread(Process, "local.service_bus", self._arguments(), health)
        await asyncio.to_thread(self._process.ready)

    def kill(self) -> None:
        """End the process at this very instant."""
        self._process.kill()

    async def close(self) -> None:
        """End the process in an orderly way, which it confirms."""
        await self.control.aclose()
        assert await asyncio.to_thread(self._process.stop) == 0

    def connection(self, holder: str = "operator") -> str:
        """How to reach it with the key of one context."""
        return connection_string(self.port, holder, self.keys[holder])

    def client(self, holder: str = "operator", retries: int = 0) -> ServiceBusClient:
        """The SDK, with the key of one context."""
        connection = self.connection(holder)
        return ServiceBusClient.from_connection_string(connection, retry_total=retries, retry_backoff_factor=0.1)

    async def inject(self, **fault: Any) -> None:
        """Put a fault in force, once unless told otherwise."""
        once = {} if fault["kind"] in ("outage", "expire-locks", "detach") else {"count": 1}
        answer = await self.control.post("/_faults", json=once | fault)
        assert answer.status_code == 201, answer.text

    async def entity(self, name: str) -> dict[str, Any]:
        """How many messages an entity holds in which state, without the zeros."""
        (found,) = [entity for entity in await self.get("/_entities") if entity["name"] == name]
        return {key: value for key, value in found.items() if isinstance(value, int) and value}

    async def get(self, path: str) -> Any:
        """What the control answers."""
        return json.loads((await self.control.get(path)).raise_for_status().text)
