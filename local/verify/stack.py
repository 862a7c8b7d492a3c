"""Where the parts of a running stack are, as `stack.json` of its state folder says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NoStackError(Exception):
    """No stack has told in this folder where it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack; `control` is where it is asked about itself."""

    name: str
    pid: int
    address: str
    control: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's address for clients, the currency that it sells in, its parts by name, its keys."""

    api: str
    currency: str
    parts: dict[str, Part]
    keys: dict[str, Any]


def read_stack(state: Path) -> Stack:
    """What the supervisor wrote last; NoStackError where there is nothing."""
    try:
        told = json.loads((state / "stack.json").read_text())
        keys = json.loads((state / "keys.json").read_text())
    except FileNotFoundError as error:
        raise NoStackError(f"No stack runs with the state folder {state}: start one with scripts/run") from error
    parts = [
        Part(part["name"], part["pid"], part["address"], part.get("control", part["address"])) for part in told["parts"]
    ]
    return Stack(told["api"], told["currency"], {part.name: part for part in parts}, keys)
