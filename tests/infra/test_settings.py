"""The values of each app's settings: those that the code would take by itself, its own identity, its secrets."""

import re

import pytest

from tests.infra.deployment import CONTEXTS, SETTINGS, TOPOLOGY, Deployment, referred
from tests.unit.settings_page import fields, settings_class, text

FORBIDDEN = re.compile(
    "FUNCTIONS_EXTENSION_VERSION|FUNCTIONS_WORKER_RUNTIME.*|FUNCTIONS_WORKER_PROCESS_COUNT|WEBSITE_RUN_FROM_PACKAGE|"
    "SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_CONTENT.*"
)
"""What a Flex Consumption app may not be given."""


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_setting_has_the_value_that_the_code_takes_without_it(deployed: Deployment, context: str) -> None:
    chosen = {"SHOP_CURRENCY", "IDENTITY_ISSUER", "IDENTITY_AUDIENCE", *SETTINGS["secrets"].get(context, {})}
    chosen.add("OPERATIONS_ADDRESSES")
    settings = deployed.app_settings()[context]
    for name, (_, field) in fields(settings_class(context)).items():
        if name not in chosen:
            assert settings[name] == text(field.default), name


def test_every_app_takes_the_tokens_of_the_issuer_and_audience_that_the_installation_names(
    deployed: Deployment,
) -> None:
    for settings in deployed.app_settings().values():
        assert (settings["IDENTITY_ISSUER"], settings["IDENTITY_AUDIENCE"]) == ("https://id.example", "orderflow")


def test_connections_are_by_the_apps_own_identity(deployed: Deployment) -> None:
    identities = {context: identity for identity, context in deployed.identities().items()}
    for context, settings in deployed.app_settings().items():
        for name, value in settings.items():
            if name.endswith("__credential"):
                assert value == "managedidentity"
            if name.endswith("__clientId") or name == "APPLICATIONINSIGHTS_AUTHENTICATION_STRING":
                assert referred(value, "clientId") == identities[context]


def test_who_asks_the_others_is_told_where_each_of_them_answers_and_nobody_else_is(deployed: Deployment) -> None:
    told = {context: settings.get("OPERATIONS_ADDRESSES") for context, settings in deployed.app_settings().items()}
    addresses = dict(each.split("=") for each in (told.pop("operations") or "").split(","))

    assert set(told.values()) == {None}
    assert list(addresses) == list(CONTEXTS)
    for context, address in addresses.items():
        assert re.fullmatch(rf"https://func-{context}-[a-z]+-[^.]+\.azurewebsites\.net/api", address), address


def test_no_app_is_given_what_its_plan_forbids(deployed: Deployment) -> None:
    for settings in deployed.app_settings().values():
        assert not [name for name in settings if FORBIDDEN.fullmatch(name)]


def test_the_worker_takes_as_many_messages_at_once_as_the_topology_counts_on(deployed: Deployment) -> None:
    for app in TOPOLOGY["apps"]:
        name = "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls"
        assert deployed.app_settings()[app["context"]][name] == str(app["messageConcurrency"])


def test_a_secret_is_read_from_the_vault_and_never_written_in_a_setting(deployed: Deployment) -> None:
    for context, secrets in SETTINGS["secrets"].items():
        for name, secret in secrets.items():
            value = deployed.app_settings()[context][name]
            assert "@Microsoft.KeyVault(SecretUri=" in value
            assert f"secrets/{secret}" in value or ("secrets/{1}" in value and f"'{secret}'" in value)
