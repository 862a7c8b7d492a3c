"""The container and the editor that come with the repository have what the scripts need, and debug a function."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import stack
from tests.processes import ROOT, free_port, wait_until

CONTAINER: dict[str, Any] = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
EXTENSIONS = json.loads((ROOT / ".vscode" / "extensions.json").read_text())["recommendations"]
LAUNCH = {each["name"]: each for each in json.loads((ROOT / ".vscode" / "launch.json").read_text())["configurations"]}
TASKS = {each["label"]: each for each in json.loads((ROOT / ".vscode" / "tasks.json").read_text())["tasks"]}


def test_the_container_has_the_python_that_the_project_needs_and_sets_itself_up() -> None:
    needed = (ROOT / "pyproject.toml").read_text().partition('requires-python = ">=')[2].partition('"')[0]

    assert f"/python:{needed}-" in CONTAINER["image"]
    scripts = [command.split() for command in CONTAINER["postCreateCommand"].split(" && ")]
    assert scripts[:2] == [["scripts/setup"], ["scripts/setup", "--tools"]]


def test_the_container_and_the_workflows_have_the_same_bicep() -> None:
    versions = {
        version
        for workflow in (ROOT / ".github" / "workflows").glob("*.yml")
        for version in re.findall(r"az bicep install --version (\S+)", workflow.read_text())
    }

    assert {CONTAINER["features"]["ghcr.io/devcontainers/features/azure-cli:1"]["bicepVersion"]} == versions


def test_the_container_brings_the_extensions_that_are_recommended() -> None:
    assert CONTAINER["customizations"]["vscode"]["extensions"] == EXTENSIONS


def test_every_task_runs_a_script_that_is_there() -> None:
    for label, task in TASKS.items():
        assert os.access(ROOT / task["command"].split()[0], os.X_OK), label
        assert task.get("dependsOn", label) in TASKS


def answers(url: str, token: str) -> bool:
    """Whether something answers there as the functions do about what there isn't."""
    try:
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == httpx.codes.NOT_FOUND
    except httpx.TransportError:
        return False


@pytest.mark.long
@pytest.mark.stack
def test_what_the_debugger_launches_serves_the_functions_on_the_stand_ins(tmp_path: Path) -> None:
    launch = LAUNCH["Functions on the local stack"]
    settings = TASKS[launch["preLaunchTask"]]
    stand_ins = TASKS[settings["dependsOn"]]
    assert settings["command"] == "scripts/local settings > local.settings.json"
    assert stand_ins["command"] == "scripts/run --stand-ins"
    port = str(free_port())
    state = tmp_path / "state"
    here = {"${workspaceFolder}": str(ROOT), ".state": str(state), "7071": port}
    python, folder, *arguments = (
        re.sub("|".join(map(re.escape, here)), lambda name: here[name[0]], text)
        for text in (launch["python"], launch["cwd"], *launch["args"])
    )

    with stack(state, "--stand-ins") as running:
        ready = stand_ins["problemMatcher"]["background"]["endsPattern"]
        assert re.search(ready, (tmp_path / "state.log").read_text(), re.MULTILINE)
        written = subprocess.run(running.command("settings"), cwd=ROOT, capture_output=True, text=True, check=True)
        environment = os.environ | json.loads(written.stdout)["Values"]
        command = [python, "-m", launch["module"], *arguments]
        with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as host:
            try:
                url, token = f"http://127.0.0.1:{port}/api/stock/NONE", running.token("warehouse")
                wait_until(lambda: host.poll() is not None or answers(url, token))
                assert host.poll() is None
            finally:
                host.terminate()
