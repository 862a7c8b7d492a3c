"""Somebody is told: of every event that the code logs under a stable name, and of what the platform measures."""

import re
from pathlib import Path
from typing import Any

from shared.metrics import METRICS as METRICS_OF_OURS
from tests.infra.deployment import INFRA, Deployment

ROOT = INFRA.parent

METRICS = {
    ("Microsoft.ServiceBus/namespaces", "DeadletteredMessages", "EntityName"),
    ("Microsoft.ServiceBus/namespaces", "Size", "EntityName"),
    ("Microsoft.ServiceBus/namespaces", "ThrottledRequests", ""),
    ("Microsoft.DocumentDB/databaseAccounts", "TotalRequests", "StatusCode CollectionName"),
    ("Microsoft.Insights/components", "requests/failed", "request/resultCode cloud/roleName"),
}
MEASURES = {"outbox_aging", "orders_waiting"}
"""Alerts on what the application measures."""


def logged_events() -> set[str]:
    """The stable names under which the code logs what a person should look at."""
    sources = [path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")]
    return {name for path in sources for name in re.findall(r'log_event\(\s*"(\w+)"', path.read_text())}


def rules(deployed: Deployment) -> dict[str, dict[str, Any]]:
    """The alerts on logs, by what they are called."""
    found = [each["properties"] for each in deployed.all("Microsoft.Insights/scheduledQueryRules")]
    return {each["displayName"]: each for each in found}


def test_every_event_has_an_alert_that_finds_its_line_and_every_alert_its_event(deployed: Deployment) -> None:
    found = rules(deployed)
    assert set(found) == logged_events() | MEASURES | {"partition_filling"}
    for event in logged_events():
        (criterion,) = found[event]["criteria"]["allOf"]
        assert criterion["query"] == f'AppTraces | where Message startswith "{event}:"'


def test_an_alert_on_a_measure_names_one_that_there_is(deployed: Deployment) -> None:
    known = {each.name: each for each in METRICS_OF_OURS}
    for name in MEASURES:
        (criterion,) = rules(deployed)[name]["criteria"]["allOf"]
        [named] = re.findall(r'Name == "([^"]+)"', criterion["query"])
        assert (known[named].unit, known[named].total) == ("s", False)
        assert (criterion["metricMeasureColumn"], criterion["timeAggregation"]) == ("Max", "Maximum")


def test_a_logical_partition_is_told_of_long_before_it_is_full(deployed: Deployment) -> None:
    (criterion,) = rules(deployed)["partition_filling"]["criteria"]["allOf"]
    assert "CDBPartitionKeyStatistics | where SizeKb > 15 * 1024 * 1024" in criterion["query"]
    (account,) = [
        each for each in deployed.all("Microsoft.Insights/diagnosticSettings") if "Microsoft.DocumentDB" in each["id"]
    ]
    assert {"category": "PartitionKeyStatistics", "enabled": True} in account["properties"]["logs"]
    assert account["properties"]["logAnalyticsDestinationType"] == "Dedicated"


def test_the_platforms_metrics_are_watched(deployed: Deployment) -> None:
    found = [
        criterion
        for alert in deployed.all("Microsoft.Insights/metricAlerts")
        for criterion in alert["properties"]["criteria"]["allOf"]
    ]
    assert {
        (each["metricNamespace"].replace("microsoft.i", "Microsoft.I"), each["metricName"], dimensions(each))
        for each in found
    } >= METRICS


def dimensions(criterion: dict[str, Any]) -> str:
    """By what the metric is split."""
    return " ".join(each["name"] for each in criterion["dimensions"])


def test_one_dead_letter_anywhere_is_one_too_many(deployed: Deployment) -> None:
    (alert,) = [
        each["properties"] for each in deployed.all("Microsoft.Insights/metricAlerts") if "dead" in each["name"]
    ]
    (criterion,) = alert["criteria"]["allOf"]
    assert (alert["severity"], criterion["operator"], criterion["threshold"]) == (1, "GreaterThan", 0)
    assert criterion["dimensions"] == [{"name": "EntityName", "operator": "Include", "values": ["*"]}]


def test_alerts_and_the_budget_reach_a_person(deployed: Deployment) -> None:
    group = deployed.one("Microsoft.Insights/actionGroups")
    assert group["properties"]["emailReceivers"]
    for alert in deployed.all("Microsoft.Insights/metricAlerts"):
        assert [each["actionGroupId"] for each in alert["properties"]["actions"]] == [group["id"]]
    for rule in deployed.all("Microsoft.Insights/scheduledQueryRules"):
        assert rule["properties"]["actions"]["actionGroups"] == [group["id"]]
    budget = deployed.one("Microsoft.Consumption/budgets")["properties"]
    assert {(each["thresholdType"], each["threshold"]) for each in budget["notifications"].values()} == {
        ("Actual", 80),
        ("Forecasted", 100),
    }
    for each in budget["notifications"].values():
        assert each["contactGroups"] == [group["id"]]


def test_what_the_platform_logs_of_data_and_secrets_is_kept(deployed: Deployment) -> None:
    workspace = deployed.one("Microsoft.OperationalInsights/workspaces")["id"]
    settings = deployed.all("Microsoft.Insights/diagnosticSettings")
    assert {each["properties"]["workspaceId"] for each in settings} == {workspace}
    watched = {each["id"].split("/providers/")[1].rsplit("/", 1)[0] for each in settings}
    assert watched >= {
        "Microsoft.DocumentDB/databaseAccounts",
        "Microsoft.ServiceBus/namespaces",
        "Microsoft.KeyVault/vaults",
    }


def test_the_documentation_lists_the_same_events() -> None:
    page = (Path(ROOT) / "docs" / "how-it-works.md").read_text()
    section = page.split("## What to be woken for", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == logged_events()
