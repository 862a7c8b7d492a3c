"""Where the parts of a running stack are, as `stack.json` of its state folder says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.state import read_kept


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
    told, keys = read_kept(state, "stack.json", "api", "currency", "parts"), read_kept(state, "keys.json")
    parts = {part["name"]: Part(**{"control": part["address"], **part}) for part in told["parts"]}
    return Stack(told["api"], told["currency"], parts, keys)
