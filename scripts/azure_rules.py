"""What Azure refuses, or silently makes wrong, of what a snapshot of `infra/` would deploy."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

NAMES: dict[str, tuple[str, str]] = {
    "Microsoft.ApiManagement/service": (r"[A-Za-z](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?", "1-50 letters, digits, hyphens"),
    "Microsoft.ApiManagement/service/backends": (r"[^*#&+:<>?]{1,80}", "1-80 characters but * # & + : < > ?"),
    "Microsoft.Consumption/budgets": (r"[\w-]{1,63}", "1-63 letters, digits, underscores, hyphens"),
    "Microsoft.DocumentDB/databaseAccounts": (
        r"[a-z0-9][a-z0-9-]{1,42}[a-z0-9]",
        "3-44 lower-case letters, digits, hyphens",
    ),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": (r"[^/\\?#]{1,255}", "1-255 characters but / \\ ? #"),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": (
        r"[^/\\?#]{1,255}",
        "1-255 characters but / \\ ? #",
    ),
    "Microsoft.Insights/actionGroups": (r"[^/&<>%+?:]{1,260}", "1-260 characters but / & < > % + ? :"),
    "Microsoft.Insights/components": (r"[^%&\\?/]{0,259}[^%&\\?/ .]", "1-260 characters but % & \\ ? /"),
    "Microsoft.Insights/metricAlerts": (
        r"[^*#&+:<>?@%{}\\/]{1,260}",
        "1-260 characters but * # & + : < > ? @ % { } \\ /",
    ),
    "Microsoft.Insights/scheduledQueryRules": (
        r"[^*<>%{}&:\\?/#]{1,260}",
        "1-260 characters but * < > % { } & : \\ ? / #",
    ),
    "Microsoft.KeyVault/vaults": (
        r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
        "3-24 letters, digits, single hyphens",
    ),
    "Microsoft.KeyVault/vaults/secrets": (r"[A-Za-z0-9-]{1,127}", "1-127 letters, digits, hyphens"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (
        r"[A-Za-z0-9][\w-]{2,127}",
        "3-128 letters, digits, hyphens, underscores",
    ),
    "Microsoft.Network/networkSecurityGroups": (r"[A-Za-z0-9](?:[\w.-]{0,78}\w)?", "1-80 letters, digits, . _ -"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": (r"[\w.-]{1,80}", "1-80 letters, digits, . _ -"),
    "Microsoft.Network/privateEndpoints": (r"[A-Za-z0-9][\w.-]{0,62}\w", "2-64 letters, digits, . _ -"),
    "Microsoft.Network/virtualNetworks": (r"[A-Za-z0-9][\w.-]{0,62}\w", "2-64 letters, digits, . _ -"),
    "Microsoft.OperationalInsights/workspaces": (
        r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
        "4-63 letters, digits, hyphens",
    ),
    "Microsoft.ServiceBus/namespaces": (
        r"(?!.*(?:-sb|-mgmt)$)[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]",
        "6-50 letters, digits, hyphens, not ending in -sb or -mgmt",
    ),
    "Microsoft.ServiceBus/namespaces/queues": (
        r"[A-Za-z0-9](?:[\w./-]{0,258}[A-Za-z0-9])?",
        "1-260 letters, digits, . _ - /",
    ),
    "Microsoft.ServiceBus/namespaces/topics": (
        r"[A-Za-z0-9](?:[\w./-]{0,258}[A-Za-z0-9])?",
        "1-260 letters, digits, . _ - /",
    ),
    "Microsoft.ServiceBus/namespaces/topics/subscriptions": (
        r"[A-Za-z0-9](?:[\w.-]{0,48}[A-Za-z0-9])?",
        "1-50 letters, digits, . _ -",
    ),
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules": (
        r"\$?[A-Za-z0-9][\w.-]{0,48}",
        "1-50 letters, digits, . _ -",
    ),
    "Microsoft.Storage/storageAccounts": (r"[a-z0-9]{3,24}", "3-24 lower-case letters and digits"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "3-63 lower-case letters, digits, single hyphens",
    ),
    "Microsoft.Web/serverfarms": (r"[A-Za-z0-9-]{1,40}", "1-40 letters, digits, hyphens"),
    # Azure takes 60; but a host id is the name's first 32 characters, and apps that share one are stopped.
    "Microsoft.Web/sites": (r"[A-Za-z0-9][A-Za-z0-9-]{0,29}[A-Za-z0-9]", "2-31 letters, digits, hyphens"),
}
"""By type of resource: what the last part of a name must match, and that in words. From Azure's "Naming rules and
restrictions for Azure resources"; of Function Apps the limit is ours."""

FLEX_MEMORY_QUOTA = 512_000
"""What a subscription's Flex Consumption apps in one region may have together, in MB, unless Azure grants more."""


def faults(snapshot: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong, one line each."""
    resources = snapshot["predictedResources"]
    yield from _bad_names(resources)
    yield from _bad_scales(resources)


def _bad_names(resources: list[dict[str, Any]]) -> Iterator[str]:
    for resource in resources:
        name = resource["name"].rsplit("/", 1)[-1]
        if resource["type"] in NAMES:
            pattern, words = NAMES[resource["type"]]
            if not re.fullmatch(pattern, name, re.ASCII):
                yield f"{resource['type']}: Azure refuses the name {name!r} ({len(name)} characters): it takes {words}"


def _bad_scales(resources: list[dict[str, Any]]) -> Iterator[str]:
    scales = {
        resource["name"]: resource["properties"]["functionAppConfig"]["scaleAndConcurrency"]
        for resource in resources
        if resource["type"] == "Microsoft.Web/sites"
    }
    for name, scale in scales.items():
        ready = sum(each["instanceCount"] for each in scale["alwaysReady"])
        if ready > scale["maximumInstanceCount"]:
            yield f"{name}: {ready} instances are to be always ready, of {scale['maximumInstanceCount']} allowed"
    most = sum(scale["maximumInstanceCount"] * scale["instanceMemoryMB"] for scale in scales.values())
    if most > FLEX_MEMORY_QUOTA:
        yield f"the apps may take {most} MB together, and the quota is {FLEX_MEMORY_QUOTA}: lower maximumInstances"
