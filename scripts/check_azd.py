"""Holds `azure.yaml` to the topology, to what `infra/` deploys and to the scripts that its hooks call.

Run by the checks' tools (`.tools/bin/python -m scripts.check_azd [CHECKOUT]`), which bring along what reads YAML.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.deployment_plan import in_order

PACKAGE = "dist/orderflow.zip"
SERVICE = {"project": ".", "host": "function", "remoteBuild": False}
"""With a language besides, azd would install requirements and pack the folder in its own way."""

COMMANDS = ("provision", "package", "deploy", "up", "down")
CALLS = re.compile(r"exec (?P<script>\S+)|-m (?P<module>\S+)")


def faults(root: Path) -> Iterator[str]:
    """What is wrong with it, one line each."""
    azure = yaml.safe_load((root / "azure.yaml").read_text())
    topology = json.loads((root / "infra" / "topology.json").read_text())
    snapshot = root / azure["infra"]["path"] / f"{azure['infra']['module']}.snapshot.json"
    yield from service_faults(azure["services"], topology["contexts"])
    for name in azure["services"]:
        if not (root / "services" / name / "bootstrap.py").is_file():
            yield f"services: {name} has no services/{name}/bootstrap.py"
    yield from order_faults(azure["workflows"]["up"]["steps"], topology)
    for name, hook in azure["hooks"].items():
        yield from (f"hooks.{name}: {fault}" for fault in hook_faults(name, hook["run"], root))
    if not snapshot.is_file():
        yield f"infra.module: there is no {snapshot.relative_to(root)}, so that nothing tells what it deploys"
    else:
        yield from deployment_faults(azure, json.loads(snapshot.read_text()))


def service_faults(services: Mapping[str, Any], contexts: list[str]) -> Iterator[str]:
    """Contexts that are no service, services that are no context, and services of another form."""
    for context in contexts:
        if context not in services:
            yield f"services: {context} of infra/topology.json is missing"
    for name, service in services.items():
        if name not in contexts:
            yield f"services: {name} is not among the contexts of infra/topology.json"
        if service != SERVICE:
            yield f"services.{name}: should be {json.dumps(SERVICE)}"


def order_faults(steps: list[Mapping[str, str]], topology: Mapping[str, Any]) -> Iterator[str]:
    """Steps of `azd up` other than the pipeline's."""
    wanted = ["provision", *(f"deploy {context} --from-package {PACKAGE}" for context in in_order(topology))]
    if [step["azd"] for step in steps] != wanted:
        yield f"workflows.up: the steps should be, in this order: {'; '.join(wanted)}"


def hook_faults(name: str, run: str, root: Path) -> Iterator[str]:
    """A hook that azd never calls, or that calls what isn't there."""
    if name not in {f"{when}{command}" for when in ("pre", "post") for command in COMMANDS}:
        yield f"azd has no such hook; there are pre… and post… of {', '.join(COMMANDS)}"
    call = CALLS.search(run)
    if call is None:
        yield "should call a script (`exec scripts/…`) or a module (`-m scripts.…`)"
    elif call["script"] and not os.access(root / call["script"], os.X_OK):
        yield f"{call['script']} is not there, or can't be run"
    elif call["module"] and not (root / f"{call['module'].replace('.', '/')}.py").is_file():
        yield f"there is no module {call['module']}"


def deployment_faults(azure: Mapping[str, Any], snapshot: Mapping[str, Any]) -> Iterator[str]:
    """Services without an app that bears their name, and outputs that a hook reads and nothing gives."""
    sites = [each for each in snapshot["predictedResources"] if each["type"] == "Microsoft.Web/sites"]
    named = {site["tags"].get("azd-service-name") for site in sites}
    for name in azure["services"]:
        if name not in named:
            yield f"services.{name}: no app is tagged with `azd-service-name: {name}`"
    for name, hook in azure["hooks"].items():
        for output in re.findall(r'"\$(\w+)"', hook["run"]):
            if output not in snapshot["outputs"]:
                yield f"hooks.{name}: infra/ has no output {output}"


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()))
    sys.exit("\n".join(f"azure.yaml: {fault}" for fault in found) or 0)
