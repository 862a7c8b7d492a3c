"""What the environments differ in, and what follows from it."""

import pytest

from tests.infra.deployment import CONTEXTS, Deployment, Resource, deployment

PRIVATE = ["prod", "staging"]
PUBLIC = ["dev", "small"]
DATA = (
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.Storage/storageAccounts",
)


def data(deployed: Deployment) -> list[Resource]:
    """The services that hold data, secrets and packages."""
    return [each for type in DATA for each in deployed.all(type)]


@pytest.mark.parametrize(
    ("environment", "serverless", "tier", "zones", "protected"),
    [
        ("dev", True, "Standard", False, False),
        ("small", True, "Standard", False, True),
        ("staging", False, "Premium", False, False),
        ("prod", False, "Premium", True, True),
    ],
)
def test_each_environment_is_of_its_kind(
    environment: str, serverless: bool, tier: str, zones: bool, protected: bool
) -> None:
    deployed = deployment(environment)
    account = deployed.one("Microsoft.DocumentDB/databaseAccounts")["properties"]
    namespace = deployed.one("Microsoft.ServiceBus/namespaces")
    vault = deployed.one("Microsoft.KeyVault/vaults")["properties"]
    assert ({"name": "EnableServerless"} in account["capabilities"]) is serverless
    assert namespace["sku"]["name"] == namespace["sku"]["tier"] == tier
    assert namespace["properties"]["zoneRedundant"] is account["locations"][0]["isZoneRedundant"] is zones
    storage = {each["sku"]["name"] for each in deployed.all("Microsoft.Storage/storageAccounts")}
    assert storage == {"Standard_ZRS" if zones else "Standard_LRS"}
    assert not any(plan["properties"]["zoneRedundant"] for plan in deployed.all("Microsoft.Web/serverfarms"))
    assert (vault["enablePurgeProtection"] is True) is protected
    locked = {each["id"].split("/providers/Microsoft.Authorization/")[0] for each in deployed.locks()}
    assert locked == ({each["id"] for each in data(deployed)[:3]} if protected else set())


@pytest.mark.parametrize("environment", PUBLIC)
def test_without_a_network_of_its_own_identities_alone_guard_the_data(environment: str) -> None:
    deployed = deployment(environment)
    assert not [each for each in deployed.resources if each["type"].startswith("Microsoft.Network/")]
    assert {each["properties"]["publicNetworkAccess"] for each in data(deployed)} == {"Enabled"}
    assert {site["properties"]["virtualNetworkSubnetId"] for site in deployed.sites().values()} == {None}


@pytest.mark.parametrize("environment", PRIVATE)
def test_data_is_closed_to_the_internet(environment: str) -> None:
    for each in data(deployment(environment)):
        assert each["properties"]["publicNetworkAccess"] == "Disabled"
        assert each["properties"].get("networkAcls", {"defaultAction": "Deny"})["defaultAction"] == "Deny"


@pytest.mark.parametrize("environment", PRIVATE)
def test_whatever_is_closed_has_an_endpoint_in_the_network_and_a_name_there(environment: str) -> None:
    deployed = deployment(environment)
    endpoints = deployed.all("Microsoft.Network/privateEndpoints")
    found = {
        (connection["properties"]["privateLinkServiceId"], part)
        for each in endpoints
        for connection in each["properties"]["privateLinkServiceConnections"]
        for part in connection["properties"]["groupIds"]
    }
    parts = {
        "Microsoft.DocumentDB/databaseAccounts": ["Sql"],
        "Microsoft.ServiceBus/namespaces": ["namespace"],
        "Microsoft.KeyVault/vaults": ["vault"],
        "Microsoft.Storage/storageAccounts": ["blob", "table"],
        "Microsoft.Web/sites": ["sites"],
    }
    assert found == {(each["id"], part) for type in parts for each in deployed.all(type) for part in parts[type]}
    (subnet,) = {each["properties"]["subnet"]["id"].rsplit("/", 1)[-1] for each in endpoints}
    assert subnet == "endpoints"
    zones = {each["id"] for each in deployed.all("Microsoft.Network/privateDnsZones")}
    groups = deployed.all("Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    assert len(groups) == len(endpoints)
    used = {
        config["properties"]["privateDnsZoneId"]
        for group in groups
        for config in group["properties"]["privateDnsZoneConfigs"]
    }
    assert used == zones
    linked = deployed.all("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    assert {each["id"].split("/virtualNetworkLinks/")[0] for each in linked} == zones


@pytest.mark.parametrize("environment", PRIVATE)
def test_each_app_goes_out_through_a_subnet_of_its_own_that_is_flex_consumptions(environment: str) -> None:
    deployed = deployment(environment)
    network = deployed.one("Microsoft.Network/virtualNetworks")
    subnets = {f"{network['id']}/subnets/{each['name']}": each for each in network["properties"]["subnets"]}
    addresses = [each["properties"]["addressPrefix"] for each in subnets.values()]
    assert len(set(addresses)) == len(addresses)
    assert all(each["properties"]["networkSecurityGroup"]["id"] for each in subnets.values())
    used = [site["properties"]["virtualNetworkSubnetId"] for site in deployed.sites().values()]
    assert len(set(used)) == len(CONTEXTS)
    for subnet in used:
        (delegation,) = subnets[subnet]["properties"]["delegations"]
        assert delegation["properties"]["serviceName"] == "Microsoft.App/environments"


@pytest.mark.parametrize("environment", PRIVATE)
def test_apps_are_closed_to_the_internet_but_for_those_who_deploy(environment: str) -> None:
    for site in deployment(environment).sites().values():
        config = site["properties"]["siteConfig"]
        assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
        assert config["scmIpSecurityRestrictionsDefaultAction"] == "Allow"
