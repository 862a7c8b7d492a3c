"""`azure.yaml` deploys every context of the topology, as the pipeline would."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from scripts.deployment_plan import in_order
from tests.pipeline.reading import read_yaml

ROOT = Path(__file__).parents[2]
AZURE = read_yaml(ROOT / "azure.yaml")
TOPOLOGY: dict[str, Any] = json.loads((ROOT / "infra" / "topology.json").read_text())


def sites(environment: str) -> list[dict[str, Any]]:
    """The Function Apps of an environment's snapshot."""
    snapshot = json.loads((ROOT / "infra" / f"{environment}.snapshot.json").read_text())
    return [each for each in snapshot["predictedResources"] if each["type"] == "Microsoft.Web/sites"]


def test_every_context_is_a_service_whose_app_bears_its_name() -> None:
    assert list(AZURE["services"]) == TOPOLOGY["contexts"]
    assert {site["tags"]["azd-service-name"] for site in sites(AZURE["infra"]["module"])} == AZURE["services"].keys()


def test_a_service_is_sent_its_package_as_it_is() -> None:
    for name, service in AZURE["services"].items():
        # With a language azd would install requirements and pack the folder in its own way.
        assert service == {"project": ".", "host": "function", "remoteBuild": False}, name


def test_up_deploys_infra_and_then_the_contexts_as_the_pipeline_orders_them() -> None:
    assert [step["azd"] for step in AZURE["workflows"]["up"]["steps"]] == [
        "provision",
        *(f"deploy {context} --from-package dist/orderflow.zip" for context in in_order(TOPOLOGY)),
    ]


def test_the_package_is_where_it_is_looked_for() -> None:
    assert 'PACKAGE = Path("dist/orderflow.zip")' in (ROOT / "scripts" / "make_package.py").read_text()


def test_the_parameter_file_is_there() -> None:
    assert (ROOT / AZURE["infra"]["path"] / f"{AZURE['infra']['module']}.bicepparam").is_file()


def test_hooks_call_what_is_there() -> None:
    events = {"provision", "up", "deploy", "package", "down", "restore", "publish"}
    for name, hook in AZURE["hooks"].items():
        assert name.removeprefix("pre").removeprefix("post") in events, name
        script = re.search(r"exec (\S+)|-m (\S+)", hook["run"])
        assert script, name
        path = ROOT / (script[1] or f"{script[2].replace('.', '/')}.py")
        assert os.access(path, os.X_OK if script[1] else os.R_OK), path
        subprocess.run(["sh", "-nc", hook["run"]], check=True)


def test_the_pipeline_and_the_hook_read_an_output_that_names_every_app() -> None:
    (output,) = re.findall(r'"\$(\w+)"', AZURE["hooks"]["postup"]["run"])
    workflow = (ROOT / ".github" / "workflows" / "deploy-environment.yml").read_text()
    assert f"properties.outputs.{output}.value" in workflow

    for snapshot in (ROOT / "infra").glob("*.snapshot.json"):
        # The compiler leaves it as an expression: Azure alone knows the apps' addresses.
        expression = json.loads(snapshot.read_text())["outputs"][output]
        apps = re.findall(r"createObject\('context', '([^']+)', 'name', '([^']+)', 'url', ", expression)
        named = {site["tags"]["azd-service-name"]: site["name"] for site in sites(snapshot.name.partition(".")[0])}
        assert list(dict(apps)) == TOPOLOGY["contexts"], snapshot.name
        assert dict(apps) == named, snapshot.name
