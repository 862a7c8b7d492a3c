"""What `infra/` deploys, as the committed snapshots say it: `scripts/check` holds these to the Bicep sources."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

INFRA = Path(__file__).parents[2] / "infra"
TOPOLOGY: dict[str, Any] = json.loads((INFRA / "topology.json").read_text())
SETTINGS: dict[str, Any] = json.loads((INFRA / "settings.json").read_text())
CONTEXTS: tuple[str, ...] = tuple(TOPOLOGY["contexts"])
ENVIRONMENTS = sorted(path.stem for path in INFRA.glob("*.bicepparam"))

type Resource = dict[str, Any]

_REFERENCE = re.compile(r"reference\('([^']+)', '[^']+'\)\.(\w+)")


@dataclass(frozen=True)
class Deployment:
    """The resources of one environment."""

    environment: str
    resources: list[Resource]

    def all(self, type: str) -> list[Resource]:
        """The resources of this type."""
        return [resource for resource in self.resources if resource["type"] == type]

    def one(self, type: str) -> Resource:
        """The only resource of this type."""
        (found,) = self.all(type)
        return found

    def named(self, type: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of this type, by the last part of their names."""
        return {each["name"].rsplit("/", 1)[-1]: each.get("properties", {}) for each in self.all(type)}

    def app_settings(self) -> dict[str, dict[str, str]]:
        """Each app's settings, by the context that it runs."""
        found = [each["properties"] for each in self.all("Microsoft.Web/sites/config")]
        return {each["ORDERFLOW_SERVICES"]: each for each in found}

    def sites(self) -> dict[str, Resource]:
        """Each Function App, by the context that it runs."""
        return {self._config(site)["ORDERFLOW_SERVICES"]: site for site in self.all("Microsoft.Web/sites")}

    def identities(self) -> dict[str, str]:
        """The ids of the identities that apps run as, with the context of each."""
        return {
            identity: context
            for context, site in self.sites().items()
            for identity in site["identity"]["userAssignedIdentities"]
        }

    def locks(self) -> list[Resource]:
        """What keeps resources from being deleted."""
        found = self.all("Microsoft.Authorization/locks")
        assert all(each["properties"]["level"] == "CanNotDelete" for each in found)
        return found

    def _config(self, site: Resource) -> dict[str, str]:
        (found,) = [each for each in self.all("Microsoft.Web/sites/config") if each["id"].startswith(site["id"] + "/")]
        properties: dict[str, str] = found["properties"]
        return properties


def referred(expression: str, property: str) -> str:
    """The id of the resource whose property, known to Azure alone, an expression takes."""
    match = _REFERENCE.search(expression)
    assert match, expression
    assert match[2] == property, expression
    return match[1]


@cache
def deployment(environment: str) -> Deployment:
    """What the environment's committed snapshot holds."""
    snapshot = json.loads((INFRA / f"{environment}.snapshot.json").read_text())
    assert snapshot["diagnostics"] == []
    return Deployment(environment, snapshot["predictedResources"])
