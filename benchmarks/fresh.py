"""Code run in a fresh interpreter, as a new instance in Azure runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.comparison import Way

ROOT = Path(__file__).parents[1]
CONTEXTS: tuple[str, ...] = tuple(json.loads((ROOT / "infra" / "topology.json").read_text())["contexts"])


def as_in_azure(contexts: Sequence[str]) -> dict[str, str]:
    """The settings of an app of these contexts that knows its stores by their addresses; nothing is connected to."""
    settings = {
        "ORDERFLOW_SERVICES": ",".join(contexts),
        "IDENTITY_ISSUER": "https://id.example",
        "IDENTITY_AUDIENCE": "orderflow",
        "PAYMENT_PROVIDER_KEY": "sk_test_1",
    }
    for context in contexts:
        settings[f"COSMOS_{context.upper()}__accountEndpoint"] = "https://shop.documents.azure.com/"
        settings[f"SERVICEBUS_{context.upper()}__fullyQualifiedNamespace"] = "shop.servicebus.windows.net"
    return settings


class Fresh:
    """Code that one fresh interpreter after the other runs, of the tree in a folder; the first, which compiles it,
    before anything is measured."""

    def __init__(self, code: str, tree: Path, settings: Mapping[str, str]) -> None:
        self._code = f"{code}\nimport sys, time\nsys.stdout.write(str(time.process_time()))"
        self._tree, self._settings = tree, settings
        self._spent = 0.0
        self._work()

    def way(self) -> Way:
        """To run it; the interpreters tell what processor time they took, their own start with it."""
        return Way(self._work, lambda: self._spent)

    def _work(self) -> None:
        self._spent += float(run(self._code, self._tree, self._settings).stdout) * 1000


def run(code: str, tree: Path, settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run it once; what it printed. `options` are the interpreter's."""
    environment = {**os.environ, **settings, "PYTHONPATH": str(tree)}
    command = [sys.executable, *options, "-P", "-c", code]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=True)
