"""What a pull request says about what it would change."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts import bicep
from scripts.snapshot_changes import changes
from tests.git import commit_all, git
from tests.infra.compiler import needs_compiler

pytestmark = needs_compiler


MAIN = """
param days int
resource logs 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'logs'
  location: resourceGroup().location
  properties: { retentionInDays: days }
}
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two environments and their snapshots."""
    original = tmp_path_factory.mktemp("original")
    infra = original / "infra"
    infra.mkdir()
    (infra / "main.bicep").write_text(MAIN)
    for environment in ("dev", "small"):
        (infra / f"{environment}.bicepparam").write_text("using 'main.bicep'\nparam days = 30\n")
    assert list(bicep.snapshot(infra)) == []
    git(original, "init", "-q")
    commit_all(original, "one")
    return original


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "checkout"))


def test_each_environment_that_changes_is_shown_with_what_changes(checkout: Path) -> None:
    (checkout / "infra" / "dev.bicepparam").write_text("using 'main.bicep'\nparam days = 77\n")

    said = "\n".join(changes("HEAD", checkout))

    heads, small = said.split("### small\n")
    assert heads.startswith("### dev\n\n```\n")
    assert re.search(r"properties\.retentionInDays: 30 => 77\n", heads)
    assert "\x1b" not in said
    assert small == "\nNo change.\n"


def test_an_environment_that_the_other_commit_had_not_is_new(checkout: Path) -> None:
    (checkout / "infra" / "small.bicepparam").rename(checkout / "infra" / "other.bicepparam")

    assert "### other\n\nA new environment.\n" in "\n".join(changes("HEAD", checkout))


def test_what_cannot_be_compiled_is_no_change_but_a_fault(checkout: Path) -> None:
    (checkout / "infra" / "dev.bicepparam").write_text("using 'main.bicep'\n")

    with pytest.raises(SystemExit, match=r"^dev\.bicepparam: .*BCP"):
        list(changes("HEAD", checkout))
