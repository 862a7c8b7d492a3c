"""The real processes: a host, a gateway, the Service Bus stand-in; and what they say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from azure.servicebus import ServiceBusClient, ServiceBusMessage

APPS = Path(__file__).parent / "apps"
_REPOSITORY = Path(__file__).parents[3]
_KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="


def until[Result](found: Callable[[], Result], seconds: float = 60) -> Result:
    """What `found` returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it didn't come about in time"
        time.sleep(0.02)
    return result


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A part of the stack as a process; `lines` are the lines of JSON that it has logged."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path, settings: Mapping[str, str] = {}) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=_REPOSITORY,
                env={**os.environ, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far, in whole lines."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The lines with this in their message."""
        return [line for line in self.lines if message in line["message"]]

    def serves(self, url: str) -> bool:
        """Whether an address of it answers with 200; it must not have ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End it orderly; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


class Host(Process):
    """A functions host with one of the apps beside this file, or that in a folder."""

    def __init__(self, app: str | Path, state: Path, settings: Mapping[str, str] = {}, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._started_with = app, state, settings, self.port
        arguments = ["--state", str(state), "--port", str(self.port), "--app", str(APPS / app)]
        super().__init__("local.functions_host", arguments, state / "host.log", settings)

    def running(self) -> Host:
        """This host, when it runs."""
        until(lambda: self.serves(f"{self.address}/admin/host/status"))
        return self

    def again(self) -> Host:
        """Another like this one, which has ended, on its port."""
        return Host(*self._started_with)


class Bus:
    """The Service Bus stand-in, with some queues and topics."""

    def __init__(self, state: Path, topology: Mapping[str, Any]) -> None:
        self.port, control_port, self._state = free_port(), free_port(), state
        self.control = f"http://127.0.0.1:{control_port}"
        self._ports = ["--port", str(self.port), "--control-port", str(control_port)]
        (state / "keys.json").write_text(json.dumps({"serviceBus": {"operator": _KEY}}))
        (state / "topology.json").write_text(json.dumps(topology))
        self.connection = (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=operator;SharedAccessKey={_KEY};"
            "UseDevelopmentEmulator=true;"
        )

    def start(self) -> None:
        arguments = ["--state", str(self._state), *self._ports, "--topology", str(self._state / "topology.json")]
        self.process = Process("local.service_bus", arguments, self._state / "bus.log")
        until(lambda: self.process.serves(f"{self.control}/_health"))

    def send(self, queue: str, *messages: ServiceBusMessage | bytes) -> None:
        with ServiceBusClient.from_connection_string(self.connection) as client, client.get_queue_sender(queue) as to:
            for message in messages:
                to.send_messages(message if isinstance(message, ServiceBusMessage) else ServiceBusMessage(message))

    def publish(self, topic: str, message: ServiceBusMessage) -> None:
        with ServiceBusClient.from_connection_string(self.connection) as client, client.get_topic_sender(topic) as to:
            to.send_messages(message)

    def messages(self, entity: str) -> list[dict[str, Any]]:
        """The messages in a queue or subscription: `state`, `deliveryCount`, `body`, …"""
        answer = httpx.get(f"{self.control}/_messages", params={"entity": entity})
        found: list[dict[str, Any]] = answer.json()
        return found

    def disturb(self, **fault: Any) -> None:
        """Inject a fault."""
        httpx.post(f"{self.control}/_faults", json=fault).raise_for_status()
