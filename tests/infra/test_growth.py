"""A new context is one more entry of the topology: the deployment grows by its resources, and leaves others alone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.infra.compiler import needs_compiler, sources
from tests.infra.deployment import Deployment, Resource, deployment
from tests.infra.grants import given

pytestmark = [needs_compiler, pytest.mark.long]

OF_A_CONTEXT = Counter(
    {
        # on its queue and its dead letters, its topic, its storage (two roles), telemetry
        "Microsoft.Authorization/roleAssignments": 6,
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": 1,
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments": 2,
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions": 1,
        "Microsoft.ManagedIdentity/userAssignedIdentities": 1,
        "Microsoft.ServiceBus/namespaces/queues": 2,
        "Microsoft.ServiceBus/namespaces/topics": 1,
        "Microsoft.ServiceBus/namespaces/topics/subscriptions": 1,
        "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules": 1,
        "Microsoft.Storage/storageAccounts": 1,
        "Microsoft.Storage/storageAccounts/blobServices": 1,
        "Microsoft.Storage/storageAccounts/blobServices/containers": 1,
        "Microsoft.Web/serverfarms": 1,
        "Microsoft.Web/sites": 1,
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies": 2,
        "Microsoft.Web/sites/config": 1,
    }
)


def grown(root: Path, environment: str) -> Deployment:
    """The environment with a context more, `giftcards`, that is told of completed orders."""
    changed = sources(root, environment)
    topology: dict[str, Any] = json.loads((changed.infra / "topology.json").read_text())
    topology["contexts"].append("giftcards")
    for section, like in (("apps", "context"), ("containers", "name")):
        entry = next(each for each in topology[section] if each[like] == "shipping")
        topology[section].append(entry | {like: "giftcards"})
    topology["apps"][-1]["paths"] = ["giftcards"]
    for name in ("giftcards", "giftcards-dead"):
        entry = next(each for each in topology["queues"] if each["name"] == name.replace("giftcards", "shipping"))
        dead = {"forwardDeadLettersTo": "giftcards-dead"} if "forwardDeadLettersTo" in entry else {}
        topology["queues"].append(entry | {"name": name} | dead)
    topology["topics"].append({"name": "giftcards-events", "duplicateDetectionWindow": "PT10M"})
    queues = ["giftcards", "giftcards-dead"]
    topology["grants"].append(
        {"context": "giftcards", "send": ["giftcards-events", *queues], "receive": queues, "manage": queues}
    )
    topology["subscriptions"].append(
        {
            "topic": "orders-events",
            "name": "giftcards",
            "forwardTo": "giftcards",
            "forwardDeadLettersTo": "giftcards-dead",
            "maxDeliveryCount": 10,
        }
    )
    (changed.infra / "topology.json").write_text(json.dumps(topology))
    return changed.snapshot()


def by_id(deployed: Deployment) -> dict[str, Resource]:
    """Its resources by their ids, but for the settings of operations, which asks every context, a new one, too."""
    return {each["id"]: each for each in deployed.resources if not _of_operations(each)}


def _of_operations(resource: Resource) -> bool:
    is_config = resource["type"] == "Microsoft.Web/sites/config"
    return is_config and "OPERATIONS_ADDRESSES" in json.dumps(resource["properties"])


def test_a_context_is_its_own_resources_and_no_change_to_any_other(tmp_path: Path) -> None:
    before, after = by_id(deployment("dev")), by_id(found := grown(tmp_path, "dev"))
    assert {id: after.get(id) for id in before} == before
    added = [after[id] for id in after.keys() - before.keys()]
    assert Counter(each["type"] for each in added) == OF_A_CONTEXT
    (rule,) = [each for each in added if each["type"].endswith("/rules")]
    assert rule["properties"]["sqlFilter"] == {"sqlExpression": "1=1"}
    granted = Counter(given(found)) - Counter(given(deployment("dev")))
    assert {context for context, _, _ in granted} == {"giftcards"}


def test_in_a_network_it_has_endpoints_and_a_subnet_of_its_own_behind_the_others(tmp_path: Path) -> None:
    before, after = by_id(deployment("staging")), by_id(grown(tmp_path, "staging"))
    changed = [after[id] for id in before if after.get(id) != before[id]]
    assert {each["type"] for each in changed} == {
        "Microsoft.ApiManagement/service/apis/policies",
        "Microsoft.Network/virtualNetworks",
    }
    (network,) = [each for each in changed if each["type"] == "Microsoft.Network/virtualNetworks"]
    *others, own = network["properties"]["subnets"]
    assert others == before[network["id"]]["properties"]["subnets"]
    assert own["name"] == "apps-giftcards"
    added = Counter(after[id]["type"] for id in after.keys() - before.keys())
    assert added - OF_A_CONTEXT == Counter(
        {
            "Microsoft.ApiManagement/service/backends": 1,
            "Microsoft.Network/privateEndpoints": 3,
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": 3,
        }
    )
