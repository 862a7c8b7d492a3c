"""Clients are made of openapi.json, in Python and in TypeScript, and place an order by it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, stack
from tests.processes import ROOT

# The tools to make them with are some 100 MB, fetched once.
pytestmark = [pytest.mark.stack, pytest.mark.long]

TOOLS = ROOT / ".clients"
DOCUMENT = ROOT / "openapi.json"
SESSIONS = Path(__file__).parent / "clients"


def run(*command: str | Path, folder: Path, status: int = 0) -> str:
    """What the command prints, run by a tool of ours in the folder; it ends with `status`."""
    done = subprocess.run(
        [TOOLS / "bin" / command[0], *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    subprocess.run([ROOT / "scripts" / "setup", "--clients"], check=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("clients") / "state") as found:
        yield found


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """A project with the session, and the types that are made of the document."""
    for name in ("session.ts", "tsconfig.json", "package.json"):
        shutil.copy(SESSIONS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    run("node", tmp_path / "node_modules/.bin/openapi-typescript", DOCUMENT, "-o", "orderflow.d.ts", folder=tmp_path)
    return tmp_path


def type_check(project: Path, status: int = 0) -> str:
    return run("node", project / "node_modules/.bin/tsc", "--pretty", "false", folder=project, status=status)


def callers(running: Stack, customer: str) -> list[str]:
    """Where a session goes, and the tokens of those who take part in it."""
    tokens = running.token("admin"), running.token("warehouse"), running.token("customer", customer)
    return [running.api.removesuffix("/api"), *tokens]


def is_completed(printed: str, customer: str) -> bool:
    order: dict[str, Any] = json.loads(printed)
    return (order["status"], order["customerId"], order["total"]["amount"]) == ("completed", customer, 500)


def test_a_python_client_made_of_the_document_places_an_order_and_follows_it(running: Stack, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("package_name_override: orderflow_client\npost_hooks: []\n")
    made = ["--meta", "none", "--config", "config.yml", "--output-path", "orderflow_client", "--fail-on-warning"]
    run("openapi-python-client", "generate", "--path", DOCUMENT, *made, folder=tmp_path)
    shutil.copy(SESSIONS / "session.py", tmp_path)

    printed = run("python", "session.py", *callers(running, "ada"), folder=tmp_path)

    assert is_completed(printed, "ada")


def test_a_typescript_client_made_of_the_document_type_checks_the_readmes_session_and_runs_it(
    running: Stack, typescript: Path
) -> None:
    type_check(typescript)

    printed = run("node", "session.ts", *callers(running, "grace"), folder=typescript)

    assert is_completed(printed, "grace")


def test_the_typescript_session_is_the_readmes() -> None:
    told = re.findall(r"curl \S+ (?:-X (\w+) )?\$API/(\S+)", (ROOT / "README.md").read_text())
    written = re.findall(r"\.(GET|POST|PUT)\(\"/api/([^\"]+)", (SESSIONS / "session.ts").read_text())

    named = {"MUG-1": "{sku}", "shp_$ORDER": "{shipmentId}", "$ORDER": "{orderId}"}
    calls = [
        (method or "GET", re.sub("|".join(map(re.escape, named)), lambda of: named[of[0]], to)) for method, to in told
    ]
    assert list(dict.fromkeys(calls)) == list(dict.fromkeys(written))


WRONG = {
    "an operation": ("/api/products/import", "/api/products/imports"),
    "a method": ('ada.POST("/api/orders"', 'ada.PUT("/api/orders"'),
    "a field's name": ("paymentMethod:", "payment:"),
    "a field that is missing": ('currency: "GBP",\n', ""),
    "a field's type": ("quantity: 2", 'quantity: "2"'),
    "a part of the path": ("path: { shipmentId:", "path: { shipment:"),
    "a header": ('"Idempotency-Key"', '"Idempotence-Key"'),
    "a field of an answer": ("{ orderId }", "{ order_id: orderId }"),
    "a status of an order": ('"confirmed"', '"confirm"'),
}


def test_a_mistake_in_the_session_fails_the_type_check(typescript: Path) -> None:
    session = (typescript / "session.ts").read_text()
    for number, (old, new) in enumerate(WRONG.values()):
        assert old in session
        (typescript / f"wrong{number}.ts").write_text(session.replace(old, new, 1))

    said = type_check(typescript, status=2)

    found = {int(number) for number in re.findall(r"^wrong(\d+)\.ts\(.*: error", said, re.MULTILINE)}
    assert [name for number, name in enumerate(WRONG) if number not in found] == []
    assert "session.ts" not in said
