"""Without a compiler the check says what it leaves out, and fails where CI counts on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bicep
from tests.infra.compiler import needs_compiler
from tests.infra.deployment import INFRA


@pytest.mark.parametrize(("command", "ci", "status"), [("check", "", 0), ("check", "true", 1), ("snapshot", "", 1)])
def test_without_a_compiler(tmp_path: Path, command: str, ci: str, status: int) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)} | ({"CI": ci} if ci else {})
    run = subprocess.run(
        [sys.executable, "-m", "scripts.bicep", command],
        cwd=INFRA.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status
    assert "az bicep install" in run.stderr


def test_the_compiler_that_the_azure_cli_installed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / ".azure" / "bin" / "bicep"
    installed.parent.mkdir(parents=True)
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setattr(os, "environ", {"PATH": "", "HOME": str(tmp_path)})
    assert bicep.compiler() == str(installed)


@pytest.mark.long
@needs_compiler
def test_old_api_versions_are_told_of_once_each(tmp_path: Path) -> None:
    (tmp_path / "bicepconfig.json").write_text((INFRA / "bicepconfig.json").read_text())
    old = "resource {0} 'Microsoft.Storage/storageAccounts@2019-06-01' existing = {{ name: 'abc' }}\n"
    (tmp_path / "main.bicep").write_text(old.format("a") + old.format("b"))
    (said,) = bicep.ages(tmp_path)
    assert "'Microsoft.Storage/storageAccounts'. '2019-06-01' is" in said
    assert "Acceptable versions: " in said
