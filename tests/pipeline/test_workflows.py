"""The workflows do what is said of them, and a fault in them is found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.reading import read_yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(path.stem for path in (GITHUB / "workflows").glob("*.yml"))
PIN = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)$")

type Job = dict[str, Any]


def workflow(name: str) -> dict[str, Any]:
    """A workflow, read."""
    return read_yaml(GITHUB / "workflows" / f"{name}.yml")


def jobs() -> Iterator[tuple[str, Job]]:
    """Each job of each workflow, by a name that tells it."""
    for name in WORKFLOWS:
        for job, content in workflow(name)["jobs"].items():
            yield f"{name}/{job}", content


def commands(job: Job) -> list[str]:
    """The scripts of a job's steps."""
    return [step["run"].strip() for step in job["steps"] if "run" in step]


def copied_to(folder: Path) -> Path:
    """Copy one workflow, and what Dependabot is told; the workflow."""
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    shutil.copy(GITHUB / "dependabot.yml", folder / ".github")
    return Path(shutil.copy(GITHUB / "workflows" / "ci.yml", workflows))


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "check_workflows", folder], capture_output=True, text=True, check=False, timeout=60
    )


CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
TIMED = "timeout-minutes: 20\n    permissions:\n      contents: read\n"


STEP = "run: scripts/check"
SHARED_KEY = b64encode(sha256(b"a key").digest()).decode()


def with_key(value: str) -> str:
    """The step, with a variable of its environment."""
    return f"{STEP}\n        env:\n          KEY: {value}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(CHECKOUT, "actions/checkout@v7", "unpinned-uses", id="an action by its tag"),
        pytest.param("persist-credentials: false", "fetch-depth: 1", "artipacked", id="credentials left in a checkout"),
        pytest.param("permissions: {}", "permissions: write-all", "excessive-permissions", id="every permission"),
        pytest.param(
            "permissions: {}", "permissions: {contents: write}", "excessive-permissions", id="one for all jobs"
        ),
        pytest.param("contents: read", "content: read", "content", id="a permission that there is not"),
        pytest.param(
            "pull_request:", "pull_request_target:", "dangerous-triggers", id="strangers' code with our rights"
        ),
        pytest.param(TIMED, TIMED.partition("\n")[2].lstrip(), "timeout-minutes", id="a job without an end"),
        pytest.param(
            STEP,
            "run: echo ${{ github.event.pull_request.title }}",
            "is potentially untrusted",
            id="a stranger's text as a script",
        ),
        pytest.param(STEP, "run: cd $FOLDER", "SC2086", id="a fault in a script"),
        pytest.param(STEP, f"{STEP}\n        if: env.A = 'b'", "'='", id="no expression"),
        pytest.param(STEP, with_key("${{ secrets.KEY }}"), "no workflow needs a secret", id="a secret"),
        pytest.param(STEP, with_key("${{ secrets['KEY'] }}"), "no workflow needs a secret", id="one by its name"),
        pytest.param(STEP, with_key("${{ toJSON(secrets) }}"), "verprovisioned-secrets", id="all secrets"),
        pytest.param(STEP, with_key(f'"{SHARED_KEY}"'), "Potential secrets", id="one in plain text"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    ci = copied_to(tmp_path)
    assert old in ci.read_text()
    ci.write_text(ci.read_text().replace(old, new, 1))

    done = check(tmp_path)

    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_a_copy_without_a_fault_is_sound(tmp_path: Path) -> None:
    copied_to(tmp_path)

    done = check(tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_fault_in_what_dependabot_is_told_is_found(tmp_path: Path) -> None:
    copied_to(tmp_path)
    (tmp_path / ".github" / "dependabot.yml").write_text("version: 2\nupdates: [{package-ecosystem: pip}]\n")

    assert check(tmp_path).returncode != 0


def test_every_action_is_pinned_to_one_commit_whose_release_is_named() -> None:
    pins: dict[str, str] = {}
    for path in (GITHUB / "workflows").glob("*.yml"):
        for line in path.read_text().splitlines():
            if " uses: " in line and "$/" not in line:
                pin = PIN.search(line)
                assert pin, line
                owner, repository = pin["action"].split("/")[:2]
                assert pins.setdefault(f"{owner}/{repository}", pin[0].split("@")[1]) == pin[0].split("@")[1]
    assert pins


def test_every_job_may_do_no_more_than_it_does() -> None:
    deploying = {"contents": "read", "id-token": "write"}
    with_packages = deploying | {"actions": "read", "attestations": "read"}
    expected = {
        "codeql/analyse": {"contents": "read", "actions": "read", "security-events": "write"},
        "deploy/package": {"contents": "read", "id-token": "write", "attestations": "write"},
        "deploy/dev": with_packages,
        "deploy/staging": with_packages,
        "deploy/prod": with_packages,
        "deploy-environment/plan": deploying,
        "deploy-environment/infra": deploying,
        "deploy-environment/context": with_packages,
    }

    assert all(workflow(name)["permissions"] == {} for name in WORKFLOWS)
    for name, job in jobs():
        assert job["permissions"] == expected.get(name, {"contents": "read"}), name


def test_a_pipe_fails_where_any_of_its_commands_does() -> None:
    for name in WORKFLOWS:
        if any("run" in step for job in workflow(name)["jobs"].values() for step in job.get("steps", [])):
            assert workflow(name)["defaults"]["run"]["shell"].startswith("bash"), name


def test_ci_runs_what_a_machine_of_ours_runs() -> None:
    ours = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("scripts/")]
    theirs = [command for job in workflow("ci")["jobs"].values() for command in commands(job)]

    assert ours
    assert set(ours) <= set(theirs)


def test_nothing_is_deployed_that_ci_refuses_and_each_environment_holds_up_the_next() -> None:
    deploy = workflow("deploy")["jobs"]

    assert deploy["package"]["needs"] == "ci"
    assert [(name, deploy[name]["needs"]) for name in ("dev", "staging", "prod")] == [
        ("dev", "package"),
        ("staging", "dev"),
        ("prod", "staging"),
    ]
    assert all(not deploy[name]["concurrency"]["cancel-in-progress"] for name in ("dev", "staging", "prod"))


def test_what_would_change_is_seen_before_an_approval_by_an_identity_that_changes_nothing() -> None:
    deploy, environment = workflow("deploy")["jobs"], workflow("deploy-environment")["jobs"]

    for name in ("dev", "staging", "prod"):
        assert deploy[name]["with"] == {"environment": name}
    assert environment["plan"]["environment"] == "${{ inputs.environment }}-plan"
    assert any("deploy_infra what-if" in command for command in commands(environment["plan"]))
    for job in ("infra", "context"):
        assert environment[job]["environment"] == "${{ inputs.environment }}"
        assert "plan" in environment[job]["needs"]


def test_the_jobs_of_contexts_start_together_so_that_their_reviewers_are_asked_once() -> None:
    assert "max-parallel" not in workflow("deploy-environment")["jobs"]["context"]["strategy"]


def test_no_workflow_names_a_context() -> None:
    contexts = json.loads((ROOT / "infra" / "topology.json").read_text())["contexts"]

    for path in (GITHUB / "workflows").glob("*.yml"):
        assert not re.search(rf"\b({'|'.join(contexts)})\b", path.read_text()), path.name


def test_every_environment_has_a_parameter_file() -> None:
    for job in workflow("deploy")["jobs"].values():
        if "with" in job and "environment" in job["with"]:
            assert (ROOT / "infra" / f"{job['with']['environment']}.bicepparam").is_file()
