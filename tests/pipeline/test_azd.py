"""`azure.yaml` is held to the topology, the deployment and the scripts, and what is wrong with it is said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `azure.yaml` is held to, with it."""
    subprocess.run([ROOT / "scripts" / "setup", "--tools"], check=True)
    for folder in ("infra", "scripts", "services"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "azure.yaml", tmp_path)
    return tmp_path


def check(checkout: Path) -> str:
    """What is said of it; nothing where all is well."""
    python = ROOT / ".tools" / "bin" / "python"
    return subprocess.run(
        [python, "-m", "scripts.check_azd", checkout], cwd=ROOT, capture_output=True, text=True, check=False
    ).stderr


def test_ours_is_in_order(checkout: Path) -> None:
    assert check(checkout) == ""


SERVICE = "  catalog:\n    project: .\n    host: function\n    remoteBuild: false\n"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (SERVICE, "", "services: catalog of infra/topology.json is missing"),
        ("  catalog:\n", "  katalog:\n", "services: katalog is not among the contexts of infra/topology.json"),
        ("  catalog:\n", "  katalog:\n", "services.katalog: no app is tagged with `azd-service-name: katalog`"),
        ("host: function\n", "host: function\n    language: python\n", 'services.catalog: should be {"project": ".", '),
        ("deploy orders ", "deploy catalog ", "workflows.up: the steps should be, in this order: provision; deploy "),
        ("module: small", "module: large", "infra.module: there is no infra/large.snapshot.json"),
        ("preprovision", "preprovide", "hooks.preprovide: azd has no such hook"),
        ("scripts/package", "scripts/pack", "hooks.postprovision: scripts/pack is not there, or can't be run"),
        ("scripts/package", "scripts/live.py", "hooks.postprovision: scripts/live.py is not there, or can't be run"),
        ("-m scripts.live", "-m scripts.alive", "hooks.postup: there is no module scripts.alive"),
        ("exec scripts/setup", "echo done", "hooks.preprovision: should call a script"),
        ('"$apps"', '"$sites"', "hooks.postup: infra/ has no output sites"),
    ],
)
def test_what_does_not_fit_is_named(checkout: Path, old: str, new: str, complaint: str) -> None:
    azure = checkout / "azure.yaml"
    assert old in azure.read_text()
    azure.write_text(azure.read_text().replace(old, new, 1))

    assert f"azure.yaml: {complaint}" in check(checkout)


def test_a_service_without_a_folder_is_named(checkout: Path) -> None:
    shutil.rmtree(checkout / "services" / "catalog")

    assert check(checkout) == "azure.yaml: services: catalog has no services/catalog/bootstrap.py\n"


def test_a_context_that_is_new_in_the_topology_is_missed(checkout: Path) -> None:
    file = checkout / "infra" / "topology.json"
    topology = json.loads(file.read_text())
    topology["contexts"].append("gifts")
    topology["grants"].append({"context": "gifts", "send": [], "receive": []})
    file.write_text(json.dumps(topology))

    assert check(checkout).splitlines()[0] == "azure.yaml: services: gifts of infra/topology.json is missing"
    assert "; deploy gifts --from-package dist/orderflow.zip" in check(checkout)


def test_the_package_is_where_the_hook_puts_it() -> None:
    assert 'PACKAGE = Path("dist/orderflow.zip")' in (ROOT / "scripts" / "make_package.py").read_text()


def test_the_pipeline_and_the_hook_read_an_output_that_names_every_app() -> None:
    (output,) = re.findall(r'"\$(\w+)"', (ROOT / "azure.yaml").read_text())
    contexts = json.loads((ROOT / "infra" / "topology.json").read_text())["contexts"]
    workflow = (ROOT / ".github" / "workflows" / "deploy-environment.yml").read_text()
    assert f"properties.outputs.{output}.value" in workflow

    for path in (ROOT / "infra").glob("*.snapshot.json"):
        snapshot = json.loads(path.read_text())
        sites = [each for each in snapshot["predictedResources"] if each["type"] == "Microsoft.Web/sites"]
        # The compiler leaves it as an expression: Azure alone knows the apps' addresses.
        apps = re.findall(
            r"createObject\('context', '([^']+)', 'name', '([^']+)', 'url', ", snapshot["outputs"][output]
        )
        assert [context for context, _ in apps] == contexts, path.name
        assert dict(apps) == {site["tags"]["azd-service-name"]: site["name"] for site in sites}, path.name
