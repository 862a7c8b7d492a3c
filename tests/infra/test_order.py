"""What Azure refuses when it comes too early or all at once is deployed in order, one after another."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scripts import bicep
from tests.infra.compiler import needs_compiler
from tests.infra.deployment import INFRA

pytestmark = needs_compiler

ONE_AT_A_TIME = {
    "Microsoft.ApiManagement/service/apis/operations",
    "Microsoft.ApiManagement/service/backends",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions",
    "Microsoft.ServiceBus/namespaces/queues",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules",
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """What the compiler makes of the sources."""
    compiled: dict[str, Any] = json.loads(bicep.run("build", "--stdout", INFRA / "main.bicep").stdout)
    return compiled


def templates(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """It, and every module within it."""
    yield template
    for resource in resources(template):
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from templates(resource["properties"]["template"])


def resources(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Its own: by their symbols, or, where nothing in it needs these, in a list."""
    found = template["resources"]
    return found if isinstance(found, list) else list(found.values())


def module(template: dict[str, Any], name: str) -> dict[str, Any]:
    """The resources of a module."""
    found: dict[str, Any] = template["resources"][name]["properties"]["template"]["resources"]
    return found


def loops(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that make resources of which Azure takes one change at a time."""
    return [
        resource
        for each in templates(template)
        for resource in resources(each)
        if resource["type"] in ONE_AT_A_TIME and "copy" in resource and not resource.get("existing")
    ]


def at_once(template: dict[str, Any]) -> list[str]:
    """The names of those that make several at a time."""
    return [each["name"] for each in loops(template) if each["copy"].get("batchSize") != 1]


def test_what_azure_refuses_at_once_comes_one_after_another(template: dict[str, Any]) -> None:
    assert {loop["type"] for loop in loops(template)} == ONE_AT_A_TIME
    assert at_once(template) == []


def test_loops_of_one_kind_wait_for_each_other(template: dict[str, Any]) -> None:
    bus, cosmos = module(template, "serviceBus"), module(template, "cosmosGrants")
    assert "targets" in bus["sources"]["dependsOn"]
    assert "sources" in bus["events"]["dependsOn"]
    assert "events" in bus["forwards"]["dependsOn"]
    assert "metadataRole" in cosmos["documentRoles"]["dependsOn"]
    assert "documentRoles" in cosmos["metadataGrants"]["dependsOn"]
    assert "metadataGrants" in cosmos["documentGrants"]["dependsOn"]


def test_an_app_comes_after_all_that_it_needs_when_it_starts(template: dict[str, Any]) -> None:
    after = {each.partition("[")[0] for each in template["resources"]["apps"]["dependsOn"]}
    assert after >= {"monitoring", "cosmosGrants", "serviceBusGrants", "keyVault", "endpoints"}
    assert {"storageGrants", "storageEndpoints"} <= set(module(template, "apps")["site"]["dependsOn"])


def test_a_secret_that_is_there_keeps_its_value(template: dict[str, Any]) -> None:
    (secret,) = [each for each in module(template, "keyVault").values() if each["type"].endswith("/secrets")]
    assert "onlyIfNotExists" in secret["@options"]
