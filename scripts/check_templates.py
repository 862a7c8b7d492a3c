"""Runs checkov over what each environment deploys: the resources of its snapshot as one flat template.

`infra/checkov.toml` says which findings are accepted, of which resources, where and why. Any other finding is a fault,
and so is an acceptance that nothing needs any more, and a resource that checkov didn't look at.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHECKOV = ROOT / ".tools" / "bin" / "checkov"


@dataclass(frozen=True, order=True)
class Finding:
    """A check that a resource of an environment fails."""

    environment: str
    check: str
    resource: str
    meaning: str


@dataclass(frozen=True)
class Acceptance:
    """Findings of resources like this that are as they should be."""

    check: str
    resource: str
    reason: str
    environments: tuple[str, ...]

    def covers(self, finding: Finding) -> bool:
        """Whether it accepts the finding."""
        return (
            self.check == finding.check
            and finding.environment in self.environments
            and fnmatchcase(finding.resource, self.resource)
        )


def faults(infra: Path = ROOT / "infra") -> Iterator[str]:
    """What is wrong with what `infra/` deploys, and with what is accepted of it, one line each."""
    snapshots = {path.name.removesuffix(".snapshot.json"): path for path in sorted(infra.glob("*.snapshot.json"))}
    with tempfile.TemporaryDirectory() as folder:
        resources = 0
        for environment, path in snapshots.items():
            flat = template(json.loads(path.read_text())["predictedResources"])
            resources += len(flat["resources"])
            Path(folder, f"{environment}.json").write_text(json.dumps(flat, indent=2))
        report = scan(Path(folder))
    if (scanned := report["summary"]["resource_count"]) != resources:
        yield f"checkov looked at {scanned} resources, and the snapshots have {resources}"
    yield from (f"checkov can't read {path}" for path in report["results"].get("parsing_errors", []))
    accepted = tomllib.loads((infra / "checkov.toml").read_text())["accept"]
    yield from judged(findings(report), acceptances(accepted, snapshots))


def template(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A template of these resources. What hangs on different resources under one name, a lock say, is named by its id,
    since checkov takes type and name for the resource."""
    names = Counter((each["type"], each["name"]) for each in resources)
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [
            each | {"name": each["id"]} if names[each["type"], each["name"]] > 1 else each for each in resources
        ],
    }


def scan(folder: Path) -> dict[str, Any]:
    """Checkov's report on the templates in a folder. It asks nobody."""
    options = ("--framework", "arm", "--output", "json", "--compact", "--skip-download", "--soft-fail")
    done = subprocess.run([CHECKOV, *options, "--directory", folder], stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def findings(report: Mapping[str, Any]) -> list[Finding]:
    """What the report finds fault with."""
    return sorted(
        Finding(Path(each["file_path"]).stem, each["check_id"], each["resource"], each["check_name"])
        for each in report["results"]["failed_checks"]
    )


def acceptances(entries: Iterable[Mapping[str, Any]], everywhere: Iterable[str]) -> list[Acceptance]:
    """What the entries of `infra/checkov.toml` accept; one without `environments` is of all."""
    return [
        Acceptance(check, entry["resource"], entry.get("reason", ""), tuple(entry.get("environments", everywhere)))
        for entry in entries
        for check in entry["checks"]
    ]


def judged(found: Iterable[Finding], accepted: Iterable[Acceptance]) -> Iterator[str]:
    """The findings that nothing accepts, and what accepts nothing."""
    found, accepted = list(found), list(accepted)
    for finding in found:
        if not any(each.covers(finding) for each in accepted):
            yield f"{finding.environment}: {finding.resource}: {finding.check}: {finding.meaning}"
    for each in accepted:
        if len(each.reason) < len("because"):
            yield f"infra/checkov.toml: {each.check} of {each.resource} is accepted without a reason"
        for environment in each.environments:
            if not any(each.covers(finding) for finding in found if finding.environment == environment):
                yield f"infra/checkov.toml: {each.check} of {each.resource} is accepted in {environment} for nothing"


if __name__ == "__main__":
    sys.exit("\n".join(found) if (found := list(faults())) else 0)
