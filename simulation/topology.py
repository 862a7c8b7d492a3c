"""Which contexts there are, with their queues and topics, and what each answers for."""

import json
from pathlib import Path
from typing import Any

TOPOLOGY: dict[str, Any] = json.loads((Path(__file__).parents[1] / "infra" / "topology.json").read_text())
CONTEXTS: tuple[str, ...] = tuple(TOPOLOGY["contexts"])


def context_of(path: str) -> str:
    """Whose function answers there."""
    [context] = [
        app["context"]
        for app in TOPOLOGY["apps"]
        if any(path == area or path.startswith(f"{area}/") for area in (f"health/{app['context']}", *app["paths"]))
    ]
    return str(context)
