"""The Bicep sources in a folder of a test's own, to be broken there and compiled."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import bicep
from tests.infra.deployment import CONTEXTS, INFRA, Deployment

needs_compiler = pytest.mark.skipif(bicep.compiler() is None and not os.environ.get("CI"), reason=bicep.NO_COMPILER)


@dataclass(frozen=True)
class Sources:
    """A repository with `infra/` for one environment, and folders for the contexts."""

    root: Path

    @property
    def infra(self) -> Path:
        """Where the sources are."""
        return self.root / "infra"

    def change(self, file: str, old: str, new: str) -> None:
        """Put `new` for each `old` in a file below `infra/`, which must have some."""
        path = self.infra / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def add_parameter(self, text: str) -> None:
        """One more line of the environment's parameters."""
        path = next(self.infra.glob("*.bicepparam"))
        path.write_text(f"{path.read_text()}{text}\n")

    def snapshot(self) -> Deployment:
        """What they would deploy."""
        assert list(bicep.snapshot(self.infra)) == []
        (path,) = self.infra.glob("*.snapshot.json")
        resources: list[dict[str, Any]] = json.loads(path.read_text())["predictedResources"]
        return Deployment(path.name.partition(".")[0], resources)

    def faults(self) -> str:
        """What `scripts/check` says of them."""
        return "\n".join(bicep.faults(self.root))


def sources(root: Path, environment: str = "dev") -> Sources:
    """A copy of what is committed."""
    shutil.copytree(INFRA, root / "infra", ignore=_all_but(environment))
    for context in CONTEXTS:
        folder = root / "services" / context
        folder.mkdir(parents=True)
        (folder / "bootstrap.py").touch()
    return Sources(root)


def _all_but(environment: str) -> Callable[[str, list[str]], set[str]]:
    def others(_: str, names: list[str]) -> set[str]:
        of_one = {name for name in names if name.endswith((".bicepparam", ".snapshot.json"))}
        return {name for name in of_one if not name.startswith(f"{environment}.")}

    return others
