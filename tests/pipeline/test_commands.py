"""What the workflows call besides, with stand-ins for GitHub's and Azure's command lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    """Azure's command line, which says what it is asked, and what it is told of our parameters."""
    az = tmp_path / "az"
    az.write_text('#!/bin/sh\necho "$@"\nenv | grep ^ORDERFLOW_ | sort\n')
    az.chmod(0o755)
    return tmp_path


def deploy_infra(azure: Path, variables: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    told = {"RESOURCE_GROUP": "rg", "ENVIRONMENT": "staging", "VARIABLES": variables}
    return subprocess.run(
        [ROOT / "scripts" / "deploy_infra", *arguments],
        env=ours | told | {"PATH": f"{azure}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_infra_is_deployed_with_the_environments_parameters_and_no_other_variables(azure: Path) -> None:
    variables = {"ORDERFLOW_B": "two words & $more", "AZURE_CLIENT_ID": "x", "ORDERFLOW_A": "1", "PATH": "/nowhere"}

    done = deploy_infra(azure, json.dumps(variables), "what-if", "--validation-level", "ProviderNoRbac")

    assert done.stdout.splitlines() == [
        "deployment group what-if --resource-group rg --parameters infra/staging.bicepparam "
        "--validation-level ProviderNoRbac",
        "ORDERFLOW_A=1",
        "ORDERFLOW_B=two words & $more",
    ]


def test_an_environment_without_parameters_of_its_own_is_deployed_too(azure: Path) -> None:
    done = deploy_infra(azure, "{}", "create", "--name", "orderflow-1")

    assert done.stdout == (
        "deployment group create --resource-group rg --parameters infra/staging.bicepparam --name orderflow-1\n"
    )


def test_parameters_that_cannot_be_read_stop_the_deployment(azure: Path) -> None:
    done = deploy_infra(azure, "no JSON", "create")

    assert done.returncode != 0
    assert done.stdout == ""


def test_the_list_of_packages_names_all_that_the_lock_file_does_and_is_always_the_same() -> None:
    first, second = (
        subprocess.run([ROOT / "scripts" / "sbom"], capture_output=True, text=True, check=True).stdout for _ in "ab"
    )

    assert first == second
    listed = {component["name"]: component["version"] for component in json.loads(first)["components"]}
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    assert listed == locked
