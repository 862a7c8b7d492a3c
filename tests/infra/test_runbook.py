"""docs/runbook.md has a section for each alert, and tells of nothing that isn't there."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from local.__main__ import app
from tests.infra.deployment import ENVIRONMENTS, INFRA, deployment

ROOT = INFRA.parent
PAGE = ROOT / "docs" / "runbook.md"
PARTS = ("**Means**", "**Look at**", "**Do**")


def alerts() -> set[str]:
    """What each environment's alerts are called, and its budget."""
    deployed = [deployment(environment) for environment in ENVIRONMENTS]
    logs = (rule for each in deployed for rule in each.all("Microsoft.Insights/scheduledQueryRules"))
    metrics = (rule for each in deployed for rule in each.all("Microsoft.Insights/metricAlerts"))
    criteria = (criterion for rule in metrics for criterion in rule["properties"]["criteria"]["allOf"])
    return {"budget", *(each["properties"]["displayName"] for each in logs), *(each["name"] for each in criteria)}


def sections(text: str) -> dict[str, str]:
    """Each alert's section, by its heading."""
    found = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    return {heading: section for heading, section in found.items() if heading != "Before you begin"}


def faults(text: str) -> Iterator[str]:
    """What is missing, and what isn't there."""
    found = sections(text)
    yield from (f"{alert} has no section" for alert in sorted(alerts() - found.keys()))
    yield from (f"there is no alert {heading}" for heading in sorted(found.keys() - alerts()))
    for heading, section in found.items():
        if tuple(re.findall(r"^\*\*[A-Z][a-z ]+\*\*", section, re.MULTILINE)) != PARTS:
            yield f"{heading}: says not just what it means, what to look at and what to do"
    yield from _operations_that_are_not_there(text)
    yield from _commands_that_are_not_there(text)
    settings = (ROOT / "docs" / "settings.md").read_text()
    for name in set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text)) - {"RESOURCE_GROUP"}:
        if name not in settings:
            yield f"there is no setting {name}"


def _operations_that_are_not_there(text: str) -> Iterator[str]:
    paths: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text())["paths"]
    for method, path in re.findall(r"curl -sS (?:-X (\w+) )?\"\$API([^\"?]+)", text):
        parts = re.sub(r"\$\w+", "x", path).split("/")
        known = [
            of
            for each, of in paths.items()
            if len(each.split("/")) == len(parts) + 1
            and all(one == other or one[0] == "{" for one, other in zip(each.split("/")[2:], parts[1:], strict=True))
        ]
        if not any((method or "GET").lower() in of for of in known):
            yield f"there is no {method or 'GET'} {path}"


def _commands_that_are_not_there(text: str) -> Iterator[str]:
    for command in re.findall(r"scripts/local ([^`\n)\"]+)", text):
        known: Any = typer.main.get_command(app)
        for word in command.split():
            if word.startswith("--"):
                if word not in [option for each in known.params for option in each.opts]:
                    yield f"scripts/local {command}: there is no {word}"
            elif hasattr(known, "commands"):
                if word not in known.commands:
                    yield f"scripts/local {command}: there is no {word}"
                    break
                known = known.commands[word]


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    assert list(faults(PAGE.read_text())) == []


@pytest.mark.parametrize("block", re.findall(r"^```bash\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
def test_what_is_to_be_typed_is_understood_by_a_shell(block: str) -> None:
    subprocess.run(["bash", "-n", "-c", block], check=True)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("## sweep_late", "## sweep_early", "sweep_late has no section"),
        ("## sweep_late", "## sweep_early", "there is no alert sweep_early"),
        ("**Look at**: since when", "Since when", "messages-throttled: says not just"),
        ("$API/parked/orders/$ID/replay", "$API/parked/orders/$ID/again", "there is no POST /parked/orders/$ID/again"),
        ("curl -sS -X DELETE", "curl -sS -X PUT", "there is no PUT /parked/orders/$ID"),
        ("parked replay CONTEXT", "parked again CONTEXT", "there is no again"),
        ("--dry-run", "--rehearse", "there is no --rehearse"),
        ("`PARKED_SECONDS`", "`PARKED_MINUTES`", "there is no setting PARKED_MINUTES"),
    ],
)
def test_what_is_not_so_is_named(old: str, new: str, fault: str) -> None:
    text = PAGE.read_text()
    assert old in text

    assert any(fault in each for each in faults(text.replace(old, new)))
