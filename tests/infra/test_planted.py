"""Each check is able to fail: it is shown a copy of the sources that is broken in the way that it is there for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import azure_rules, bicep
from tests.infra import test_alerts, test_environments, test_order, test_security, test_service_bus, test_settings
from tests.infra.compiler import Sources, needs_compiler, sources
from tests.infra.deployment import SETTINGS, TOPOLOGY, Deployment
from tests.infra.grants import given, wanted

pytestmark = [needs_compiler, pytest.mark.long]

DEFECTS = {
    "a connection by key": (
        "modules/app.bicep",
        "'SERVICEBUS_${toUpper(app.context)}__credential': 'managedidentity'",
        "'SERVICEBUS_${toUpper(app.context)}': namespace.listKeys('2026-01-01').primaryConnectionString",
    ),
    "a service that takes keys": ("modules/service-bus.bicep", "disableLocalAuth: true", "disableLocalAuth: false"),
    "publishing by password": ("modules/app.bicep", "allow: false", "allow: true"),
    "an old TLS": ("modules/app.bicep", "minTlsVersion: '1.2'", "minTlsVersion: '1.0'"),
    "an extra role": (
        "modules/app.bicep",
        "var storageRoles = [",
        "var storageRoles = [\n  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // queues",
    ),
    "an extra action": (
        "modules/cosmos-grants.bicep",
        "var documentActions = [",
        "var documentActions = [\n  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/upsert'",
    ),
    "a missing grant": (
        "modules/service-bus-grants.bicep",
        "=> !contains(grant.receive, name))",
        "=> !contains(grant.receive, name) && name != 'payments')",
    ),
    "a missing subscription": ("modules/service-bus.bicep", "in subscriptions:", "in skip(subscriptions, 1):"),
    "a rule beside the one that takes everything": ("modules/service-bus.bicep", "name: '$Default'", "name: 'types'"),
    "a setting that the plan forbids": (
        "settings.json",
        '"SWEEP_SCHEDULE"',
        '"FUNCTIONS_WORKER_RUNTIME": "python", "SWEEP_SCHEDULE"',
    ),
    "an alert that nothing sets off": ("modules/alerts.bicep", "name: 'payment_due'", "name: 'payment_owed'"),
    "data beside its private endpoint": (
        "modules/cosmos.bicep",
        "publicAccess ? 'Enabled' : 'Disabled'",
        "publicAccess ? 'Disabled' : 'Enabled'",
    ),
    "a name that is too long": ("main.bicep", "'func-${app.context}", "'functionapp-${app.context}"),
}
"""All of them at once, since compiling takes its time: file, what stands there, what the defect puts in its place."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Staging with every defect."""
    changed = sources(tmp_path_factory.mktemp("broken"), "staging")
    for file, old, new in DEFECTS.values():
        changed.change(file, old, new)
    return changed.snapshot()


@pytest.mark.parametrize(
    "check",
    [
        test_security.test_no_key_is_fetched_or_written_anywhere,
        test_security.test_local_authentication_is_off,
        test_security.test_nobody_publishes_by_password_or_ftp,
        test_security.test_nothing_speaks_a_tls_below_1_2,
        test_service_bus.test_subscriptions_are_the_topologys,
        test_service_bus.test_each_subscription_has_one_rule_in_place_of_the_one_that_takes_everything,
        test_settings.test_no_app_is_given_what_its_plan_forbids,
        test_alerts.test_every_event_has_an_alert_that_finds_its_line_and_every_alert_its_event,
    ],
)
def test_a_defect_in_the_sources_is_found(broken: Deployment, check: Callable[[Deployment], None]) -> None:
    with pytest.raises(AssertionError):
        check(broken)


def test_data_that_is_open_beside_its_private_endpoint_is_found(
    broken: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_environments, "deployment", lambda _: broken)
    with pytest.raises(AssertionError):
        test_environments.test_data_is_closed_to_the_internet("staging")


def test_every_grant_too_many_or_too_few_is_found(broken: Deployment) -> None:
    found, asked = Counter(given(broken)), Counter(wanted(TOPOLOGY, SETTINGS))
    contexts = set(TOPOLOGY["contexts"])
    queues = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
    assert {grant for grant in found - asked if grant[1] == queues} == {
        (context, queues, f"storage of {context}") for context in contexts
    }
    assert {(context, where) for context, role, where in found - asked if "items/upsert" in role} == {
        (context, f"container {context}") for context in contexts
    }
    assert ("orders", "Azure Service Bus Data Sender", "queue payments") in asked - found


def test_names_that_azure_refuses_are_named(broken: Deployment) -> None:
    faults = "\n".join(azure_rules.faults({"predictedResources": broken.resources}))
    assert "Microsoft.Web/sites: Azure refuses the name 'functionapp-inventory-staging-" in faults
    assert "functionapp-orders-staging-" not in faults


def test_apps_that_may_outgrow_the_quota_are_named(broken: Deployment) -> None:
    for site in broken.all("Microsoft.Web/sites"):
        site["properties"]["functionAppConfig"]["scaleAndConcurrency"]["maximumInstanceCount"] = 42
    faults = "\n".join(azure_rules.faults({"predictedResources": broken.resources}))
    assert "the apps may take 516096 MB together, and the quota is 512000" in faults


def test_more_instances_always_ready_than_there_may_be_are_named(broken: Deployment) -> None:
    scale = broken.sites()["orders"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    scale |= {"alwaysReady": [{"name": "http", "instanceCount": 9}], "maximumInstanceCount": 8}
    faults = "\n".join(azure_rules.faults({"predictedResources": broken.resources}))
    assert "9 instances are to be always ready, of 8 allowed" in faults


@pytest.fixture
def copy(tmp_path: Path) -> Sources:
    """Dev's sources, not yet broken."""
    return sources(tmp_path)


def test_a_property_that_azure_does_not_know_is_named(copy: Sources) -> None:
    copy.change("modules/cosmos.bicep", "disableLocalAuth:", "disableLocalAuthentication:")
    assert "disableLocalAuthentication" in "\n".join(bicep.lint_faults(copy.infra))


def test_a_source_that_is_badly_formatted_is_named(copy: Sources) -> None:
    copy.change("dev.bicepparam", "param currency", "param  currency")
    assert list(bicep.format_faults(copy.infra)) == [
        "dev.bicepparam: is not formatted; mend it with `bicep format infra/dev.bicepparam`"
    ]


def test_a_snapshot_of_something_else_is_named(copy: Sources) -> None:
    copy.change("dev.bicepparam", "= 50", "= 60")
    faults = "\n".join(bicep.snapshot_faults(copy.infra))
    assert "dev.snapshot.json: if that is meant, `python -m scripts.bicep snapshot` writes it" in faults
    assert "properties.amount" in faults


def test_parameters_out_of_their_range_are_named(copy: Sources) -> None:
    copy.change("dev.bicepparam", "= 50", "= 0")
    copy.change("dev.bicepparam", "'dev'", "'development'")
    copy.change("dev.bicepparam", "'GBP'", "'POUND'")
    faults = "\n".join(bicep.snapshot_faults(copy.infra))
    assert "minimum allowable value is 1" in faults
    assert "maximum allowable length is 7" in faults
    assert "maximum allowable length is 3" in faults


def test_what_an_installation_must_say_itself_is_asked_for(copy: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bicep, "OF_AN_INSTALLATION", {})
    faults = "\n".join(bicep.snapshot_faults(copy.infra))
    for name in ("ALERT_EMAIL", "BUDGET_START", "TOKEN_ISSUER", "TOKEN_AUDIENCE"):
        assert f'Environment variable "ORDERFLOW_{name}" does not exist' in faults


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"httpConcurrency": 16', '"httpConcurency": 16', "httpConcurrency"),
        ('"maximumInstances": 40', '"maximumInstances": 4000', "'app.maximumInstances' is not valid"),
        ('"instanceMemoryMB": 2048', '"instanceMemoryMB": 1024', "'app.instanceMemoryMB' is not valid"),
        ('"paths": ["stock", ', '"timeout": 5, "paths": ["stock", ', "timeout"),
    ],
)
def test_what_the_topology_may_not_say_of_an_app_is_named(copy: Sources, old: str, new: str, said: str) -> None:
    copy.change("topology.json", old, new)
    assert said in "\n".join(bicep.snapshot_faults(copy.infra))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("param defaultThroughput = 1000", "throughput: catalog needs 1920 request units a second for one instance"),
        (
            "param alwaysReady = { oders: 2 }",
            "throughput, alwaysReady: oders is none of catalog, inventory, orders, payments, shipping",
        ),
        ("param serviceBusTier = 'Standard'", "serviceBusTier: private networking needs Premium"),
    ],
)
def test_parameters_that_do_not_fit_together_are_named(tmp_path: Path, parameters: str, said: str) -> None:
    changed = sources(tmp_path, "staging")
    changed.add_parameter(parameters)
    assert said in "\n".join(bicep.snapshot_faults(changed.infra))


def test_what_may_not_be_done_at_once_is_found_where_it_may() -> None:
    loop = {"type": "Microsoft.ServiceBus/namespaces/queues", "name": "q", "copy": {"mode": "serial", "batchSize": 2}}
    assert test_order.at_once({"resources": {"queues": loop}}) == ["q"]
