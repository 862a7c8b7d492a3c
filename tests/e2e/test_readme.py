"""The README's commands, as a new user would give them."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import stack
from tests.processes import ROOT
from tests.unit.access_page import operations

pytestmark = pytest.mark.stack


def test_the_readmes_curl_session_places_an_order_and_follows_it_to_completed(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- a test runs this block as it stands -->\n```bash\n(.*?)```", readme, re.DOTALL)
    assert found
    with stack(tmp_path / "state") as running:
        script = found[1].replace("http://127.0.0.1:7071/api", running.api)
        script = script.replace("scripts/local token", f"scripts/local token --state {running.state}")
        session = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert session.returncode == 0, session.stderr
    assert '"status":"completed"' in session.stdout.splitlines()[-1]


def test_func_start_gets_settings_for_the_stand_ins_that_run(tmp_path: Path) -> None:
    with stack(tmp_path / "state", "--stand-ins") as running:
        printed = subprocess.run(running.command("settings"), cwd=ROOT, capture_output=True, text=True, check=True)
        assert set(running.parts()) == {"cosmos", "service_bus", "payment_provider", "identity"}

    written = json.loads(printed.stdout)
    values = written["Values"]
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert values["AzureFunctionsJobHost__telemetryMode"] == "ApplicationInsights"
    assert f"http://127.0.0.1:{written['Host']['LocalHttpPort']}/api" == running.api
    indexed = subprocess.run(
        [
            *running.command()[:1],
            "-c",
            "import function_app as f; print(*[each.get_function_name() for each in f.app.get_functions()])",
        ],
        cwd=ROOT,
        env=values,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {each.id for each in operations()} < set(indexed.stdout.split())
