"""Each app has the settings that its context reads, under the values that the code would take by itself."""

import importlib
import re
from datetime import timedelta
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from shared.settings import Settings
from tests.infra.deployment import CONTEXTS, SETTINGS, TOPOLOGY, Deployment, referred

HOST = {
    "ORDERFLOW_SERVICES",
    "SWEEP_SCHEDULE",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
"""What the host and the app's shell read, not a Settings class."""

FORBIDDEN = re.compile(
    "FUNCTIONS_EXTENSION_VERSION|FUNCTIONS_WORKER_RUNTIME.*|FUNCTIONS_WORKER_PROCESS_COUNT|WEBSITE_RUN_FROM_PACKAGE|"
    "SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_CONTENT.*"
)
"""What a Flex Consumption app may not be given."""


def fields(context: str) -> dict[str, FieldInfo]:
    """The settings that the context's class reads, by their names in the environment."""
    bootstrap = importlib.import_module(f"services.{context}.bootstrap")
    (cls,) = [
        each
        for each in vars(bootstrap).values()
        if isinstance(each, type) and issubclass(each, Settings) and each is not Settings
    ]
    return {field.alias: field for field in cls.model_fields.values() if field.alias}


def connections(context: str) -> set[str]:
    """The parts of the context's connections."""
    name = context.upper()
    return {
        f"COSMOS_{name}__accountEndpoint",
        f"COSMOS_{name}__clientId",
        f"SERVICEBUS_{name}__fullyQualifiedNamespace",
        f"SERVICEBUS_{name}__credential",
        f"SERVICEBUS_{name}__clientId",
    }


@pytest.mark.parametrize("context", CONTEXTS)
def test_an_app_is_given_all_that_its_context_reads_and_nothing_else(deployed: Deployment, context: str) -> None:
    assert set(deployed.app_settings()[context]) == HOST | connections(context) | set(fields(context))


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_setting_has_the_value_that_the_code_takes_without_it(deployed: Deployment, context: str) -> None:
    chosen = {"SHOP_CURRENCY", *SETTINGS["secrets"].get(context, {})}
    settings = deployed.app_settings()[context]
    for name, field in fields(context).items():
        if name not in chosen:
            assert settings[name] == text(field.default), name


def text(default: Any) -> str:
    """A setting's default as one writes it."""
    if isinstance(default, timedelta):
        return f"{default.total_seconds():g}" if default.total_seconds() % 1 else str(int(default.total_seconds()))
    return "" if default is None else str(default)


def test_connections_are_by_the_apps_own_identity(deployed: Deployment) -> None:
    identities = {context: identity for identity, context in deployed.identities().items()}
    for context, settings in deployed.app_settings().items():
        for name, value in settings.items():
            if name.endswith("__credential"):
                assert value == "managedidentity"
            if name.endswith("__clientId") or name == "APPLICATIONINSIGHTS_AUTHENTICATION_STRING":
                assert referred(value, "clientId") == identities[context]


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
