"""The stand-ins that the real adapters are held to the abstract suites against."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from services.payments.adapters import StripeProvider
from shared.settings import Connection
from tests.processes import connection_string, free_port, running, write_keys


@dataclass(frozen=True, slots=True)
class StandIns:
    """Where they are."""

    state: Path
    keys: dict[str, dict[str, str]]
    cosmos_port: int
    service_bus_port: int
    service_bus_control: str
    provider: str

    def stripe(self, key: str = "sk_test_local_tests") -> StripeProvider:
        """The payment provider's adapter, to its stand-in."""
        return StripeProvider(self.provider, key, timedelta(seconds=2))

    def cosmos(self, context: str) -> Connection:
        """A context's connection."""
        text = f"AccountEndpoint=http://127.0.0.1:{self.cosmos_port}/;AccountKey={self.keys['cosmos'][context]};"
        return Connection.read({"COSMOS_X": text}, "COSMOS_X", "accountEndpoint")

    def service_bus(self, holder: str) -> Connection:
        """A context's connection, or the operator's."""
        text = connection_string(self.service_bus_port, holder, self.keys["serviceBus"][holder])
        return Connection.read({"SERVICEBUS_X": text}, "SERVICEBUS_X", "fullyQualifiedNamespace")


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    """Cosmos DB's and Service Bus's stand-in, for the whole run."""
    state = tmp_path_factory.mktemp("contract")
    keys = write_keys(state)
    cosmos, amqp, control, provider = free_port(), free_port(), free_port(), free_port()
    with (
        running("cosmos", state, cosmos, "--port", str(cosmos)),
        running("service_bus", state, control, "--port", str(amqp), "--control-port", str(control)),
        running("payment_provider", state, provider, "--port", str(provider)),
    ):
        yield StandIns(state, keys, cosmos, amqp, f"http://127.0.0.1:{control}", f"http://127.0.0.1:{provider}")
