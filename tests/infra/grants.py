"""Who may do what: by the topology, and by a deployment. A grant is (context, role, resource)."""

from collections.abc import Iterator
from typing import Any

from tests.infra.deployment import Deployment, referred

type Grant = tuple[str, str, str]

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "090c5cfd-751d-490a-894a-3ce6f1109419": "Azure Service Bus Data Owner",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
}
METADATA = "Microsoft.DocumentDB/databaseAccounts/readMetadata"
ITEMS = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"
DOCUMENTS = ", ".join(
    sorted(
        f"{ITEMS}/{action}"
        for action in ("items/create", "items/read", "items/replace", "items/delete", "executeQuery")
    )
)
"""What the code does in its container: it creates, reads, replaces and patches, deletes, and queries."""


def wanted(topology: dict[str, Any], settings: dict[str, Any]) -> set[Grant]:
    """What the contexts need, and no more."""
    queues = {queue["name"] for queue in topology["queues"]}
    found: set[Grant] = set()
    for grant in topology["grants"]:
        context = grant["context"]
        found |= {(context, "Azure Service Bus Data Owner", f"queue {name}") for name in grant["receive"]}
        found |= {
            (context, "Azure Service Bus Data Sender", f"{'queue' if name in queues else 'topic'} {name}")
            for name in set(grant["send"]) - set(grant["receive"])
        }
    for context in topology["contexts"]:
        found |= {
            (context, "Storage Blob Data Owner", f"storage of {context}"),
            (context, "Storage Table Data Contributor", f"storage of {context}"),
            (context, "Monitoring Metrics Publisher", "telemetry"),
            (context, METADATA, "account"),
            (context, DOCUMENTS, f"container {context}"),
        }
        secrets = settings["secrets"].get(context, {}).values()
        found |= {(context, "Key Vault Secrets User", f"secret {secret}") for secret in secrets}
    return found


def given(deployed: Deployment) -> list[Grant]:
    """What the deployment grants; one that is given twice comes twice."""
    return [*_entra(deployed), *_cosmos(deployed)]


def _entra(deployed: Deployment) -> Iterator[Grant]:
    names = _names(deployed)
    for each in deployed.all("Microsoft.Authorization/roleAssignments"):
        scope = each["id"].split("/providers/Microsoft.Authorization/")[0]
        role = each["properties"]["roleDefinitionId"].rsplit("/", 1)[-1]
        yield _who(deployed, each), ROLES.get(role, role), names.get(scope, scope)


def _cosmos(deployed: Deployment) -> Iterator[Grant]:
    account = deployed.one("Microsoft.DocumentDB/databaseAccounts")["id"]
    roles = {
        role["id"]: role["properties"]
        for role in deployed.all("Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions")
    }
    for each in deployed.all("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"):
        properties = each["properties"]
        role = roles[properties["roleDefinitionId"]]
        actions = ", ".join(sorted(action for part in role["permissions"] for action in part["dataActions"]))
        assert role["assignableScopes"] == [properties["scope"]], "the role can be assigned where nobody has it"
        database, _, container = properties["scope"].removeprefix(account).removeprefix("/dbs/").partition("/colls/")
        where = f"container {container}" if container else "account"
        assert (database or "orderflow") == "orderflow"
        yield _who(deployed, each), actions, where


def _who(deployed: Deployment, assignment: dict[str, Any]) -> str:
    return deployed.identities()[referred(assignment["properties"]["principalId"], "principalId")]


def _names(deployed: Deployment) -> dict[str, str]:
    names = {deployed.one("Microsoft.Insights/components")["id"]: "telemetry"}
    for kind, type in (
        ("queue", "Microsoft.ServiceBus/namespaces/queues"),
        ("topic", "Microsoft.ServiceBus/namespaces/topics"),
        ("secret", "Microsoft.KeyVault/vaults/secrets"),
    ):
        names |= {each["id"]: f"{kind} {each['name'].rsplit('/', 1)[-1]}" for each in deployed.all(type)}
    for context, settings in deployed.app_settings().items():
        storage = referred(settings["AzureWebJobsStorage__blobServiceUri"], "primaryEndpoints")
        names[storage] = f"storage of {context}"
    return names
