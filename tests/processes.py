"""Starts parts of the local stack as processes, waits for what they do, and ends them."""

import asyncio
import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).parents[1]
HOLDERS = ("operator", *json.loads((ROOT / "infra" / "topology.json").read_text())["contexts"])
_DEADLINE = 60.0


def write_keys(state: Path) -> dict[str, dict[str, str]]:
    """Write fresh keys into a state folder, as the supervisor does; the keys by service and holder."""
    keys = {
        service: {holder: base64.b64encode(secrets.token_bytes(32)).decode() for holder in HOLDERS}
        for service in ("cosmos", "serviceBus")
    }
    others = {"paymentProvider": "sk_test_local_tests", "operationsClient": "s3cret"}
    (state / "keys.json").write_text(json.dumps(keys | others))
    return keys


def connection_string(port: int, holder: str, key: str) -> str:
    """How the SDKs reach the Service Bus at this port, with somebody's key."""
    return (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName={holder};SharedAccessKey={key};"
        "UseDevelopmentEmulator=true;"
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = _DEADLINE) -> None:
    """Wait until something in another process is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is about another process
            await asyncio.sleep(0.02)


def wait_until[Result](found: Callable[[], Result], seconds: float = _DEADLINE) -> Result:
    """What `found` returns as soon as that is true, where no event loop runs. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it didn't come about in {seconds:g} s")
        time.sleep(0.02)
    return result


class Process:
    """`python -m MODULE ARGUMENTS`, started; at `health` it answers with 200 once it serves. What it prints goes to
    `log`, or where the tests' own output goes."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        health: str,
        log: Path | None = None,
        settings: Mapping[str, str] = {},
    ) -> None:
        self._health = health
        self._log = log
        command = [sys.executable, "-m", module, *arguments]
        output = log.open("ab") if log else None
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT if log else None
        )
        if output:
            output.close()

    def ready(self) -> Self:
        """This process, once it serves. AssertionError where it ended instead."""
        wait_until(self._serves)
        return self

    def _serves(self) -> bool:
        assert self.process.poll() is None, self._log.read_text() if self._log else f"{self.process.args!r} ended"
        try:
            return httpx.get(self._health, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End it orderly; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        """End it at this very instant."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(part: str, state: Path, http_port: int, *arguments: str) -> Iterator[Process]:
    """The part as a process, ready; ended at the end. `http_port` is where it answers `/_health`."""
    process = Process(f"local.{part}", ["--state", str(state), *arguments], f"http://127.0.0.1:{http_port}/_health")
    try:
        yield process.ready()
    finally:
        process.stop()
