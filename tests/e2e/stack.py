"""The local stack as a user starts it, and what the tests do to it."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from local.identity.issuer import Caller, Role, mint
from tests.processes import ROOT, free_port, until

EXAMPLE = ROOT / "examples" / "online_retail.csv"
AT_REST = {
    "SWEEP_SCHEDULE": "0 0 0 29 2 *",
    "ORDERS_FIRST_RESEND_SECONDS": "100000",
    "ORDERS_LONGEST_RESEND_SECONDS": "100000",
    "ORDERS_DISPATCH_RESEND_SECONDS": "100000",
}
"""Settings with which nothing goes on by itself: what a stand-in is asked, it is asked for a call that was made."""


class Stack:
    """A running stack with a state folder of its own."""

    def __init__(self, state: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.state = state
        self.process = process
        self.api = f"http://127.0.0.1:{port}/api"

    def token(self, role: str, subject: str | None = None) -> str:
        """What a caller proves with who they are; staff without a subject have their role's name."""
        return mint(self.state, Caller(Role(role), subject or role))

    def client(self, role: str, subject: str | None = None) -> httpx.AsyncClient:
        """The API, as this caller uses it."""
        headers = {"Authorization": f"Bearer {self.token(role, subject)}"}
        return httpx.AsyncClient(base_url=self.api, headers=headers, timeout=30)

    def parts(self) -> dict[str, dict[str, Any]]:
        """Every part by name, as stack.json says now."""
        return {part["name"]: part for part in json.loads((self.state / "stack.json").read_text())["parts"]}

    async def kill(self, part: str) -> None:
        """kill -9; a part that is just being started again is waited for."""

        async def killed() -> bool:
            try:
                os.kill(int(self.parts()[part]["pid"]), signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True

        await until(killed)

    def control(self, part: str) -> str:
        """Where the part is told to fail."""
        found = self.parts()[part]
        return str(found.get("control") or found["address"]).rstrip("/")

    async def fail(self, part: str, **fault: Any) -> None:
        """Have a stand-in fail in this way from now on."""
        async with httpx.AsyncClient(base_url=self.control(part), timeout=10) as client:
            (await client.post("/_faults", json=fault)).raise_for_status()

    async def mend(self, part: str) -> None:
        """No more failures."""
        async with httpx.AsyncClient(base_url=self.control(part), timeout=10) as client:
            (await client.delete("/_faults")).raise_for_status()

    def command(self, *arguments: str) -> list[str]:
        """`scripts/local` with this stack's state, in this environment."""
        return [sys.executable, "-m", "local", *arguments, "--state", str(self.state)]

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end: its exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


@contextmanager
def stack(state: Path, *options: str) -> Iterator[Stack]:
    """A stack that is ready; ended at the end."""
    port = free_port()
    command = [sys.executable, "-m", "local", "up", "--state", str(state), "--port", str(port), *options]
    log = (state.parent / f"{state.name}.log").open("wb")
    with log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
        try:
            _await_ready(process, Path(log.name))
            yield Stack(state, process, port)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if "Ready: " in log.read_text():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the stack did not start:\n{log.read_text()}")


def first_invoices(number: int, path: Path) -> Path:
    """The first so many sales of the example, as a file of their own."""
    kept: set[str] = set()
    with EXAMPLE.open(newline="", encoding="utf-8") as source, path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.reader(source)
        writer = csv.writer(target)
        writer.writerow(next(rows))
        for row in rows:
            sold = not row[0].startswith("C") and row[2] and not row[3].startswith("-") and float(row[5]) > 0
            if row[0] in kept or (sold and len(kept) < number):
                kept.add(row[0])
                writer.writerow(row)
    return path


def small_order(sku: str, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    """A good request for one product."""
    return {
        "email": "ada@example.com",
        "currency": "GBP",
        "paymentMethod": "pm_card_visa",
        "shippingAddress": {"name": "Ada", "line1": "12 St James's Square", "city": "London", "country": "GB"},
        "lines": [{"sku": sku, "quantity": quantity}],
    } | changes
