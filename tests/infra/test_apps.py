"""One Function App for each context, on a plan and a storage account of its own, and no larger than its container can
bear."""

import pytest

from tests.infra.deployment import CONTEXTS, INFRA, TOPOLOGY, Deployment, deployment, referred

APPS = {app["context"]: app for app in TOPOLOGY["apps"]}
SERVERLESS_THROUGHPUT = 5000
REQUEST_UNITS_PER_DOCUMENT = 5


def throughput(deployed: Deployment, context: str) -> int:
    """What the context's container serves, in request units a second."""
    options = deployed.named("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")[context]["options"]
    found: int = options.get("autoscaleSettings", {}).get("maxThroughput", SERVERLESS_THROUGHPUT)
    return found


def test_each_context_has_an_app_and_no_two_share_a_plan_or_a_storage_account(deployed: Deployment) -> None:
    sites = deployed.sites()
    assert set(sites) == set(CONTEXTS)
    assert len({site["properties"]["serverFarmId"] for site in sites.values()}) == len(CONTEXTS)
    storage = {
        referred(settings["AzureWebJobsStorage__blobServiceUri"], "primaryEndpoints")
        for settings in deployed.app_settings().values()
    }
    assert storage == {each["id"] for each in deployed.all("Microsoft.Storage/storageAccounts")}
    assert len(storage) == len(CONTEXTS)


@pytest.mark.parametrize("context", CONTEXTS)
def test_an_app_runs_python_on_flex_consumption_from_a_package_in_its_own_storage(
    deployed: Deployment, context: str
) -> None:
    site = deployed.sites()[context]
    plan = next(
        each for each in deployed.all("Microsoft.Web/serverfarms") if each["id"] == site["properties"]["serverFarmId"]
    )
    config = site["properties"]["functionAppConfig"]
    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    source = config["deployment"]["storage"]
    own = deployed.app_settings()[context]["AzureWebJobsStorage__blobServiceUri"]
    assert referred(source["value"], "primaryEndpoints") == referred(own, "primaryEndpoints")
    assert list(site["identity"]["userAssignedIdentities"]) == [
        source["authentication"]["userAssignedIdentityResourceId"]
    ]
    assert site["tags"]["azd-service-name"] == context


@pytest.mark.parametrize("context", CONTEXTS)
def test_an_app_has_the_memory_and_concurrency_that_the_topology_says(deployed: Deployment, context: str) -> None:
    scale = deployed.sites()[context]["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert scale["instanceMemoryMB"] == APPS[context]["instanceMemoryMB"]
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == APPS[context]["httpConcurrency"]


@pytest.mark.parametrize("context", CONTEXTS)
def test_all_writes_at_once_of_all_instances_fit_into_a_second_of_the_containers_throughput(
    deployed: Deployment, context: str
) -> None:
    app = APPS[context]
    instances = deployed.sites()[context]["properties"]["functionAppConfig"]["scaleAndConcurrency"][
        "maximumInstanceCount"
    ]
    at_once = max(app["httpConcurrency"], app["messageConcurrency"]) * app["writesAtOnce"]
    of_one = at_once * app["documentsPerWrite"] * REQUEST_UNITS_PER_DOCUMENT
    assert instances * of_one <= throughput(deployed, context)
    assert instances == min(app["maximumInstances"], throughput(deployed, context) // of_one)


def test_in_production_somebody_who_orders_finds_an_instance_ready() -> None:
    ready = {
        context: site["properties"]["functionAppConfig"]["scaleAndConcurrency"]["alwaysReady"]
        for context, site in deployment("prod").sites().items()
    }
    assert ready == {context: [] for context in CONTEXTS} | {"orders": [{"name": "http", "instanceCount": 2}]}


def test_the_page_has_the_scale_of_every_app() -> None:
    page = (INFRA / "README.md").read_text()
    for context, app in APPS.items():
        at_once = max(app["httpConcurrency"], app["messageConcurrency"])
        of_one = at_once * app["writesAtOnce"] * app["documentsPerWrite"] * REQUEST_UNITS_PER_DOCUMENT
        cells = [context, at_once, app["writesAtOnce"], app["documentsPerWrite"], f"{of_one:,}"]
        for environment in ("dev", "staging", "prod"):
            deployed = deployment(environment)
            config = deployed.sites()[context]["properties"]["functionAppConfig"]
            instances = config["scaleAndConcurrency"]["maximumInstanceCount"]
            cells.append(f"{instances}, {throughput(deployed, context):,}")
        assert f"| {' | '.join(map(str, cells))} |\n" in page
    assert all(
        throughput(deployment("small"), context) == throughput(deployment("dev"), context) for context in CONTEXTS
    )
