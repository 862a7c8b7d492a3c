"""Who says what to whom: every version of every message, on the way that infra/topology.json gives it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts import Command, Contract
from shared.messaging import catalogue, contract_name, destination

ROOT = Path(__file__).parents[1]
TOPOLOGY: dict[str, Any] = json.loads((ROOT / "infra" / "topology.json").read_text())


@dataclass(frozen=True, slots=True)
class Way:
    """How a message comes to one who takes it."""

    context: str
    queue: str


@dataclass(frozen=True, slots=True)
class Travelling:
    """One version of one message: where it is sent, by whom, if they send that version, and who takes it there."""

    type_name: str
    contract: type[Contract]
    channel: str
    senders: tuple[str, ...]
    takers: tuple[Way, ...]

    @property
    def name(self) -> str:
        """What it says, in whichever version."""
        return contract_name(self.contract)

    @property
    def version(self) -> int:
        """Of its shape, from 1 on."""
        return int(self.type_name.rpartition(".v")[2])

    @property
    def is_command(self) -> bool:
        """Or else an event."""
        return issubclass(self.contract, Command)


def messages() -> Sequence[Travelling]:
    """All of them: by whose they are, in the order of their declaration."""
    return [_travelling(type, contract) for type, contract in catalogue().items()]


def _travelling(type: str, contract: type[Contract]) -> Travelling:
    channel = destination(contract)
    receivers = {queue: grant["context"] for grant in TOPOLOGY["grants"] for queue in grant["receive"]}
    # Whoever takes from a queue sends to it, too, but only what it could not do at once.
    senders = [each["context"] for each in TOPOLOGY["grants"] if channel in each["send"]]
    queues = [each["forwardTo"] for each in TOPOLOGY["subscriptions"] if type in each["types"]]
    takers = [Way(receivers[queue], queue) for queue in ([channel] if channel in receivers else queues)]
    return Travelling(
        type, contract, channel, tuple(each for each in senders if each != receivers.get(channel)), tuple(takers)
    )
