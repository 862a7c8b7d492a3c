"""Every name that is ours to choose is held to what Azure takes."""

import re

import pytest

from scripts.azure_rules import NAMES, faults
from tests.infra.deployment import ENVIRONMENTS, Deployment, deployment

NOT_OURS = {
    "Microsoft.ApiManagement/service/apis",
    "Microsoft.ApiManagement/service/apis/operations",
    "Microsoft.ApiManagement/service/apis/policies",
    "Microsoft.Authorization/locks",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
}
"""Types whose names are the same everywhere, are Azure's, or are GUIDs."""


def test_the_table_has_every_type_whose_name_is_made_of_ours() -> None:
    deployed = {resource["type"] for name in ENVIRONMENTS for resource in deployment(name).resources}
    assert deployed == set(NAMES) | NOT_OURS


def test_names_are_such_as_azure_takes(deployed: Deployment) -> None:
    assert list(faults({"predictedResources": deployed.resources})) == []


@pytest.mark.parametrize(
    ("type", "name"),
    [
        ("Microsoft.Web/sites", "func-notifications-staging-abcde"),
        ("Microsoft.Web/sites", "func_orders"),
        ("Microsoft.Storage/storageAccounts", "st-orders"),
        ("Microsoft.Storage/storageAccounts", "stnotifications1234567890"),
        ("Microsoft.KeyVault/vaults", "kv-staging-abcdefghijklmn"),
        ("Microsoft.KeyVault/vaults", "kv--prod"),
        ("Microsoft.ServiceBus/namespaces", "orders-sb"),
        ("Microsoft.DocumentDB/databaseAccounts", "Cosmos"),
        ("Microsoft.ServiceBus/namespaces/queues", "orders-"),
    ],
)
def test_one_that_azure_refuses_is_named_with_what_it_takes(type: str, name: str) -> None:
    (fault,) = faults({"predictedResources": [{"type": type, "name": name, "properties": SCALE}]})
    assert re.match(f"{type}: Azure refuses the name '{name}' .*: it takes [0-9]", fault)


SCALE = {
    "functionAppConfig": {
        "scaleAndConcurrency": {"maximumInstanceCount": 1, "instanceMemoryMB": 512, "alwaysReady": []},
    },
}
