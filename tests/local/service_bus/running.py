"""The real process, its control, and the real SDK as its client."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from azure.servicebus.aio import ServiceBusClient

from tests.conformance.processes import ROOT, free_port, write_keys

TOPOLOGY = Path(__file__).with_name("topology.json")


class Running:
    """A broker on ports and a state folder of its own, which can be killed and started again."""

    def __init__(self, state: Path) -> None:
        self.state, self.port, self.control_port = state, free_port(), free_port()
        self.keys = write_keys(state)["serviceBus"]
        self.control = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.control_port}", timeout=10)

    def command(self, *more: str) -> list[str]:
        """The command line."""
        ports = ["--port", str(self.port), "--control-port", str(self.control_port)]
        options = ["--state", str(self.state), *ports, "--topology", str(TOPOLOGY), *more]
        return [sys.executable, "-m", "local.service_bus", *options]

    async def start(self) -> None:
        """Start the process and wait until it serves."""
        self.process = await asyncio.to_thread(subprocess.Popen, self.command(), cwd=ROOT)
        await until(self._serves)

    async def _serves(self) -> bool:
        assert self.process.poll() is None
        try:
            return (await self.control.get("/_health")).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End the process at this very instant."""
        self.process.kill()
        self.process.wait()

    async def close(self) -> None:
        """End the process in an orderly way, which it confirms."""
        await self.control.aclose()
        self.process.terminate()
        assert self.process.wait(20) == 0

    def client(self, holder: str = "operator", retries: int = 0) -> ServiceBusClient:
        """The SDK, with the key of one context."""
        connection = (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName={holder};"
            f"SharedAccessKey={self.keys[holder]};UseDevelopmentEmulator=true;"
        )
        return ServiceBusClient.from_connection_string(connection, retry_total=retries, retry_backoff_factor=0.1)

    async def inject(self, **fault: Any) -> None:
        """Put a fault in force, once unless told otherwise."""
        once = {} if fault["kind"] in ("outage", "expire-locks") else {"count": 1}
        answer = await self.control.post("/_faults", json=once | fault)
        assert answer.status_code == 201, answer.text

    async def entity(self, name: str) -> dict[str, Any]:
        """How many messages an entity holds in which state, without the zeros."""
        (found,) = [entity for entity in await self.get("/_entities") if entity["name"] == name]
        return {key: value for key, value in found.items() if isinstance(value, int) and value}

    async def get(self, path: str) -> Any:
        """What the control answers."""
        return json.loads((await self.control.get(path)).raise_for_status().text)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until something in another process is so."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)
