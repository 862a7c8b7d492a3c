"""The package of an earlier commit: kept by the pipeline, or made again."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.git import commit_all, git

ROOT = Path(__file__).parents[2]
COMMANDS = [ROOT / "scripts" / name for name in ("package_of", "verify_package")]


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose package holds what its commit says, two commits old."""
    checkout = tmp_path / "checkout"
    for said in ("old", "new"):
        script(
            checkout / "scripts" / "package",
            f'cd "$(dirname "$0")/.." && mkdir dist && echo {said} >dist/orderflow.zip',
        )
        if said == "old":
            for command in COMMANDS:
                shutil.copy(command, checkout / "scripts")
            git(checkout, "init", "-q")
        commit_all(checkout, said)
    return checkout


def package_of(checkout: Path, commit: str, gh: str) -> subprocess.CompletedProcess[str]:
    """Run it from elsewhere, with this body as GitHub's command line."""
    tools = checkout.parent / "bin"
    script(tools / "gh", gh)
    return subprocess.run(
        [checkout / "scripts" / "package_of", commit, "previous"],
        env={
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "TMPDIR": str(checkout.parent),
            "GITHUB_REPOSITORY": "shop/orderflow",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def keeps(commit: str, *, trusted: bool) -> str:
    """GitHub has the package of this commit, with an attestation of our pipeline's or another."""
    workflow = "--signer-workflow shop/orderflow/.github/workflows/deploy.yml"
    verify = f"attestation verify previous/orderflow.zip --repo shop/orderflow --source-ref refs/heads/main {workflow}"
    return f"""case "$*" in
        "run download --name orderflow-{commit} --dir previous") echo kept >previous/orderflow.zip ;;
        "{verify}") {"true" if trusted else "echo 'no attestation' >&2; exit 1"} ;;
        *) exit 2 ;;
    esac"""


def test_what_the_pipeline_kept_is_taken(checkout: Path) -> None:
    old = git(checkout, "rev-parse", "HEAD~1")
    done = package_of(checkout, old, keeps(old, trusted=True))

    assert (done.returncode, done.stdout) == (0, "")
    assert (checkout / "previous" / "orderflow.zip").read_text() == "kept\n"


def test_what_is_not_kept_any_more_is_made_again_beside_this_checkout(checkout: Path) -> None:
    old = git(checkout, "rev-parse", "HEAD~1")
    done = package_of(checkout, old, "echo 'no artifact matches' >&2; exit 1")

    assert (done.returncode, done.stdout) == (0, "")
    assert f"package_of: no package of {old} is kept" in done.stderr
    assert (checkout / "previous" / "orderflow.zip").read_text() == "old\n"
    assert git(checkout, "worktree", "list").count("\n") == 0


def test_what_somebody_else_put_there_is_not_taken(checkout: Path) -> None:
    old = git(checkout, "rev-parse", "HEAD~1")
    done = package_of(checkout, old, keeps(old, trusted=False))

    assert done.returncode == 0
    assert (checkout / "previous" / "orderflow.zip").read_text() == "old\n"


def test_a_commit_that_cannot_be_packaged_fails(checkout: Path) -> None:
    done = package_of(checkout, "0" * 40, "exit 1")

    assert done.returncode != 0
    assert not (checkout / "previous" / "orderflow.zip").exists()
