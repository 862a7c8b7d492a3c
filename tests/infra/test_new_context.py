"""docs/new-context.md, followed in a copy of the repository, makes a context that works, and changes nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.git import commit_all, git
from tests.infra.compiler import needs_compiler

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "new-context.md"
CONTEXT = "giftcards"
ENVIRONMENTS = ("dev", "small", "staging", "prod")
SHARED = {"Microsoft.Network/virtualNetworks", "Microsoft.ApiManagement/service/apis/policies"}
"""Types of resources that grow with each context, where there are any: by a subnet, by the app's address."""

IN_THE_END = (
    "PATH=$PWD/.venv/bin:$PATH; ruff check . && ruff format --check . && lint-imports",
    ".venv/bin/mypy services shared tests/unit",
    ".venv/bin/python -m scripts.bicep check",
    "scripts/test -x tests/unit tests/infra tests/pipeline/test_azd.py tests/pipeline/test_deployment_plan.py"
    " --ignore tests/unit/test_simulation.py --ignore tests/unit/test_defects.py"
    " --ignore tests/infra/test_new_context.py",
)
"""What a context concerns of `scripts/check` and of the tests: the whole would take too long once more."""

type Resources = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One thing that the page says to do: a file to write, entries to add, a text to put before another, commands."""

    kind: str
    target: str
    text: str


def steps(page: str) -> Iterator[Step]:
    """What the page says to do, in its order: each block of code, with the names in the line that introduces it."""
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        introduction = page[: block.start()].rstrip().splitlines()[-1]
        names = re.findall("`([^`]+)`", introduction)
        match block[1]:
            case "python":
                yield Step("file", names[0], block[2])
            case "json":
                yield Step("lists", names[0], block[2])
            case "markdown" | "yaml":
                yield Step(names[0], names[1], block[2])
            case "bash":
                yield Step("commands", "", block[2])


class Copy:
    """The repository as it is here, with an environment that says that it is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(None, listed):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy2(ROOT / name, root / name)
        self._lend(".venv", "requirements-dev.txt")
        git(root, "init", "-q")
        commit_all(root, "as it is")

    def follow(self, step: Step) -> None:
        """Do what a step says."""
        path = self.root / step.target
        if step.kind == "file":
            assert not path.exists(), f"{step.target} is there already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(step.text)
        elif step.kind == "lists":
            for name, entries in json.loads(step.text).items():
                path.write_text(extended(path.read_text(), name, entries))
        elif step.kind == "commands":
            for command in IN_THE_END if "scripts/check\n" in step.text else [step.text]:
                self.run(command)
        else:
            before, found, after = path.read_text().partition(f"\n{step.kind}\n")
            assert found, f"{step.target} has no {step.kind}"
            goes_on = step.text[0] in "| "  # with the table or the list that is there
            path.write_text(f"{before.rstrip() if goes_on else before}\n{step.text}{found[1:]}{after}")

    def run(self, script: str) -> None:
        """Commands as a person gives them."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.root,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    def changed(self) -> set[str]:
        """The paths of every file that differs from what it was."""
        return {line[3:] for line in git(self.root, "status", "--porcelain", "-uall").splitlines()}

    def resources(self, environment: str) -> Resources:
        """What the environment's snapshot would deploy, by id."""
        snapshot = json.loads((self.root / "infra" / f"{environment}.snapshot.json").read_text())
        return {each["id"]: each for each in snapshot["predictedResources"]}

    def _lend(self, environment: str, packages: str) -> None:
        folder = self.root / environment
        folder.mkdir()
        for each in Path(sys.prefix).iterdir():
            if each.name != "stamp":
                (folder / each.name).symlink_to(each)
        with (self.root / packages).open() as file:
            sum = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True).stdout
        (folder / "stamp").write_text(f"{self.root} {sum}")


def extended(text: str, name: str, entries: list[Any]) -> str:
    """JSON with so many more entries at the end of one of its lists, and otherwise as it is written."""
    begin = text.index(f'"{name}": [') + len(f'"{name}": ')
    _, end = json.JSONDecoder().raw_decode(text, begin)
    kept, closing = text[: end - 1].rstrip(), text[len(text[: end - 1].rstrip()) : end]
    added = "".join(f",\n    {json.dumps(entry)}" for entry in entries)
    return f"{kept}{added}{closing}{text[end:]}"


@pytest.mark.long
@needs_compiler
def test_the_page_followed_as_it_stands_makes_a_context_and_touches_nothing_else(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "orderflow")
    before = {environment: copy.resources(environment) for environment in ENVIRONMENTS}

    for step in steps(PAGE.read_text()):
        copy.follow(step)

    own = {
        "infra/topology.json",
        "infra/README.md",
        "benchmarks/README.md",
        "azure.yaml",
        "local.settings.example.json",
        "openapi.json",
        "asyncapi.json",
        "examples/orderflow.http",
        *(f"infra/{environment}.snapshot.json" for environment in ENVIRONMENTS),
        *(f"docs/{page}.md" for page in ("api", "access", "settings", "cost", "events")),
    }
    others = {path for path in copy.changed() - own if CONTEXT not in path}
    assert others == set()
    for environment in ENVIRONMENTS:
        after = copy.resources(environment)
        new = after.keys() - before[environment].keys()
        assert not [id for id in new if CONTEXT not in json.dumps(after[id])]
        changed = {id for id, resource in before[environment].items() if after.get(id) != resource}
        # Operations' settings have the address of every context.
        of_others = {id for id in changed if "/sites/func-operations-" not in id}
        assert {before[environment][id]["type"] for id in of_others} <= SHARED
        assert len([id for id in new if "/Microsoft.Web/sites/" in id and "/" not in id.rpartition("/sites/")[2]]) == 1
