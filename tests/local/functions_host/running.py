"""The real processes: a host, a gateway, the Service Bus stand-in; and what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from tests.processes import Process, connection_string, free_port

APPS = Path(__file__).parent / "apps"
_KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="


class Logging(Process):
    """A process of the host's kind; `lines` are the lines of JSON that it has logged."""

    def __init__(
        self, module: str, arguments: Sequence[str], health: str, log: Path, settings: Mapping[str, str] = {}
    ) -> None:
        self.log = log
        super().__init__(module, arguments, health, log, settings)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far, in whole lines."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The lines with this in their message."""
        return [line for line in self.lines if message in line["message"]]


class Host(Logging):
    """A functions host with one of the apps beside this file, or that in a folder."""

    def __init__(self, app: str | Path, state: Path, settings: Mapping[str, str] = {}, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._started_with = app, state, settings, self.port
        arguments = ["--state", str(state), "--port", str(self.port), "--app", str(APPS / app)]
        health = f"{self.address}/admin/host/status"
        super().__init__("local.functions_host", arguments, health, state / "host.log", settings)

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
        self.connection = connection_string(self.port, "operator", _KEY)

    def start(self) -> None:
        arguments = ["--state", str(self._state), *self._ports, "--topology", str(self._state / "topology.json")]
        log = self._state / "bus.log"
        self.process = Process("local.service_bus", arguments, f"{self.control}/_health", log).ready()

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
