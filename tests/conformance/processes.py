"""Starts and ends a stand-in for a test run."""

import base64
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).parents[2]
HOLDERS = ("operator", "catalog", "inventory", "orders", "payments", "shipping")
_DEADLINE = 30.0


def write_keys(state: Path) -> dict[str, dict[str, str]]:
    """Write fresh keys into a state folder, as the supervisor does; the keys by service and holder."""
    keys = {
        service: {holder: base64.b64encode(secrets.token_bytes(32)).decode() for holder in HOLDERS}
        for service in ("cosmos", "serviceBus")
    }
    (state / "keys.json").write_text(json.dumps(keys | {"paymentProvider": "sk_test_local_tests"}))
    return keys


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(part: str, state: Path, http_port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The part as a process, ready; ended at the end. `http_port` is where it answers `/_health`."""
    command = [sys.executable, "-m", f"local.{part}", "--state", str(state), *arguments]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        _await_health(process, http_port)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=_DEADLINE)


def _await_health(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_health", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} wasn't ready in time")
