"""The scripts in deploy-environment.yml, run as GitHub would, with stand-ins for Azure and GitHub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.git import commit_all, git
from tests.pipeline.reading import read_yaml
from tests.pipeline.test_live import App, app, live

__all__ = ["app"]

ROOT = Path(__file__).parents[2]
JOBS = read_yaml(ROOT / ".github" / "workflows" / "deploy-environment.yml")["jobs"]
AZ = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/asked"
case "$*" in
  *" list "*) cat "$(dirname "$0")/deployments.json" ;;
  *" show "*) cat "$(dirname "$0")/apps.json" ;;
  *what-if*) echo "~ one change" ;;
esac
"""


class Rehearsal:
    """A checkout in which a job's scripts are run, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "bin"
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        (folder / "infra").mkdir()
        shutil.copy(ROOT / "infra" / "topology.json", folder / "infra")
        self.tools.mkdir()
        (self.tools / "python").symlink_to(sys.executable)
        for name, script in (("az", AZ), ("gh", "#!/bin/sh\nexit 0\n")):
            (self.tools / name).write_text(script)
            (self.tools / name).chmod(0o755)
        git(folder, "init", "-q")
        self.commit = commit_all(folder, "one")
        for package in ("new", "previous"):
            (folder / "packages" / package).mkdir(parents=True)
            (folder / "packages" / package / "orderflow.zip").touch()

    def say(self, file: str, content: Any) -> None:
        """What Azure has."""
        (self.tools / file).write_text(json.dumps(content))

    def run(self, job: str, *but: str, **variables: str) -> str | None:
        """Run the job's scripts; the name of the one that fails."""
        environment = {
            **os.environ,
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "GITHUB_SHA": self.commit,
            "GITHUB_REPOSITORY": "a/shop",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RESOURCE_GROUP": "rg",
            "ENVIRONMENT": "dev",
            "VARIABLES": "{}",
            **variables,
        }
        for step in JOBS[job]["steps"]:
            name = step.get("name", step.get("run", ""))
            if "run" in step and name not in but:
                command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
                if subprocess.run(command, cwd=self.folder, env=environment, check=False).returncode:
                    return str(name)
        return None

    def outputs(self) -> dict[str, str]:
        """What the steps told the jobs after them."""
        lines = (self.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def asked(self) -> list[str]:
        """What Azure was asked."""
        return (self.tools / "asked").read_text().splitlines()


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal(tmp_path)


def test_a_plan_of_an_empty_environment_is_everything_and_is_shown(rehearsal: Rehearsal) -> None:
    rehearsal.say("deployments.json", [])

    assert rehearsal.run("plan") is None

    outputs = rehearsal.outputs()
    assert (outputs["infra"], outputs["deployment"]) == ("true", f"orderflow-{rehearsal.commit}")
    assert {each["context"] for each in json.loads(outputs["contexts"])} >= {"orders", "catalog"}
    assert (rehearsal.folder / "summary").read_text() == "    ~ one change\n"
    assert rehearsal.asked()[-1] == (
        "deployment group what-if --resource-group rg --parameters infra/dev.bicepparam "
        "--validation-level ProviderNoRbac"
    )


def test_a_plan_that_cannot_see_what_is_there_fails(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("plan") == "Which contexts, and whether infra"


def test_infra_is_deployed_under_the_name_that_the_next_plan_looks_for(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("infra", "Wait until new grants are seen everywhere", DEPLOYMENT="orderflow-1") is None

    assert rehearsal.asked()[-1] == (
        "deployment group create --resource-group rg --parameters infra/dev.bicepparam --name orderflow-1 --output none"
    )


def test_a_context_waits_for_those_before_it_finds_its_app_and_is_asked_for_its_commit(
    rehearsal: Rehearsal, app: App
) -> None:
    app.answers = [live(rehearsal.commit)]
    contexts = ("inventory", "payments", "orders")
    rehearsal.say("apps.json", [{"context": each, "name": f"func-{each}", "url": app.url} for each in contexts])
    previous = "Smoke test of the previous package"

    done = rehearsal.run(
        "context", previous, DEPLOYMENT="orderflow-1", CONTEXT="orders", RUNNING="0" * 40, AFTER="inventory payments"
    )

    assert done is None
    assert app.asked == [f"/api/health/{context}/live" for context in ("inventory", "payments", "orders")]
    assert rehearsal.outputs() == {"name": "func-orders"}


def test_a_context_without_an_app_is_not_deployed(rehearsal: Rehearsal) -> None:
    rehearsal.say("apps.json", [{"context": "orders", "name": "func-orders", "url": "https://orders"}])

    assert rehearsal.run("context", DEPLOYMENT="orderflow-1", CONTEXT="gifts", RUNNING="0", AFTER="") == "Where it is"
