"""Renders docs/settings.md and local.settings.example.json from the settings classes: `python -m
tests.unit.settings_page` writes them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from local.stack import CORE_TOOLS_SETTINGS, LOCAL_SETTINGS
from scripts.meanings import meanings
from shared.settings import Settings
from simulation.topology import CONTEXTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
EXAMPLE = ROOT / "local.settings.example.json"

UNITS = {"SECONDS": "seconds", "DAYS": "days", "TOTAL": "minor units", "MINUTE": "orders a minute"}
"""By the last word of a setting's name."""

INTRODUCTION = """\
# Settings

Rendered from the settings classes ([shared/settings.py](../shared/settings.py), `services/*/bootstrap.py`) by
`python -m tests.unit.settings_page`. Tests hold this page, the Bicep templates and
[local.settings.example.json](../local.settings.example.json) to what the code reads.

All are read from the environment at start, and every fault of every context is named at once. An empty value is none,
and a reference that Azure couldn't resolve (`@Microsoft.KeyVault(…)` as text) is a fault.
In Azure the Bicep templates set each of them: most from [infra/settings.json](../infra/settings.json), to the defaults
below; `SHOP_CURRENCY`, `IDENTITY_ISSUER` and `IDENTITY_AUDIENCE` by parameters, `OPERATIONS_ADDRESSES` from the apps'
names; `PAYMENT_PROVIDER_KEY` by a reference to Key Vault. *Here* is what the local stack sets
([local/stack.py](../local/stack.py)), where it differs.
`scripts/local settings` prints a `local.settings.json` for `func start`."""

CONNECTIONS = {
    "COSMOS_<CONTEXT>__accountEndpoint": "the account's address",
    "COSMOS_<CONTEXT>__clientId": "the app's user-assigned identity; without it the developer's credentials are tried",
    "SERVICEBUS_<CONTEXT>__fullyQualifiedNamespace": "the namespace's host name",
    "SERVICEBUS_<CONTEXT>__clientId": "the app's user-assigned identity, for the application and for the host",
    "SERVICEBUS_<CONTEXT>__credential": "`managedidentity` in Azure: without it the host sees no queue's length, and "
    "the app sleeps",
    "COSMOS_<CONTEXT>": "a connection string in place of the above; refused unless its host is localhost, 127.0.0.1 or "
    "::1. The local stack uses these",
    "SERVICEBUS_<CONTEXT>": "likewise",
}
SHELL = {
    "ORDERFLOW_SERVICES": (
        "one in each app",
        "all; with `--split` one in each host",
        "the contexts that this app runs, separated by commas; without it, all",
    ),
    "SWEEP_SCHEDULE": (
        "`0 * * * * *`",
        f"`{LOCAL_SETTINGS['SWEEP_SCHEDULE']}`",
        "when the timers run: six fields, the first of them seconds. Required",
    ),
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": (
        "`true`",
        "",
        "`true`: the worker sets up Azure Monitor, and what the app records goes there",
    ),
    "PYTHON_ENABLE_OPENTELEMETRY": (
        "`false`",
        "`true` with `--traces`",
        "`true`: it goes out by OTLP over HTTP, as OpenTelemetry's own variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`, "
        "`OTEL_SERVICE_NAME`, …)",
    ),
}
"""What the app's shell and its triggers read: the value in Azure, that of the local stack, the meaning."""

HOSTS_IN_AZURE = {
    "AzureWebJobsStorage__blobServiceUri": "the app's own storage: leases of timers, keys",
    "AzureWebJobsStorage__tableServiceUri": "the same, for the host's diagnostic events",
    "AzureWebJobsStorage__credential": "`managedidentity`",
    "AzureWebJobsStorage__clientId": "the app's user-assigned identity",
    "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "messages at a time, in place of "
    "[host.json](../host.json)'s: `messageConcurrency` of [infra/topology.json](../infra/topology.json)",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where telemetry goes; no secret, since it takes an identity to write",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "that identity",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "spans that libraries would make by themselves, and don't",
    "OTEL_TRACES_SAMPLER": "`parentbased_always_on`: a trace is recorded whole, or not at all where its caller says so",
}
"""What the Functions host reads in Azure, and the application doesn't."""

HOSTS_UNDER_CORE_TOOLS = {
    "FUNCTIONS_WORKER_RUNTIME": "which worker; Flex Consumption refuses it",
    "AzureWebJobsStorage": "the host's own storage: Azurite",
    "AzureFunctionsJobHost__telemetryMode": "in place of [host.json](../host.json)'s; nothing is sent without a "
    "connection string",
}
"""What `func start` reads besides, with its meaning."""


def settings_class(context: str) -> type[Settings]:
    """The settings that a context reads."""
    found = vars(import_module(f"services.{context}.bootstrap")).values()
    (cls,) = [each for each in found if isinstance(each, type) and Settings in each.__bases__]
    return cls


def fields(cls: type[Settings]) -> dict[str, tuple[str, FieldInfo]]:
    """A class's settings by their names in the environment: attribute and field."""
    return {field.alias: (attribute, field) for attribute, field in cls.model_fields.items() if field.alias}


def text(default: Any) -> str:
    """A default as one writes it; nothing for none."""
    if isinstance(default, timedelta):
        return f"{default.total_seconds():.15g}"
    return "" if default is None else str(default)


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    lines += ["", "## Connections", ""]
    lines += [
        "Written as Azure Functions writes them. Each context has its own, so that each app may touch only these:"
    ]
    lines += _table(("Setting", "Meaning"), ((f"`{name}`", meaning) for name, meaning in CONNECTIONS.items()))
    lines += ["", "## The app's shell, its triggers and its host"]
    lines += _table(("Setting", "In Azure", "Here", "Meaning"), _hosting())
    lines += ["", "## Every context"]
    lines += _table(HEADINGS, _rows(Settings, set()))
    for context, cls in ((context, settings_class(context)) for context in CONTEXTS):
        lines += ["", f"## {context.capitalize()}"]
        own = list(_rows(cls, set(fields(Settings))))
        lines += _table(HEADINGS, own) if own else ["", "None of its own."]
    return "\n".join([*lines, ""])


HEADINGS = ("Setting", "Default", "Unit", "Here", "Meaning")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield _row(headings)
    yield "|---" * len(headings) + "|"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _hosting() -> Iterator[Sequence[str]]:
    for name, cells in SHELL.items():
        yield f"`{name}`", *cells
    for name, meaning in HOSTS_IN_AZURE.items():
        yield f"`{name}`", "set", "", meaning
    for name, meaning in HOSTS_UNDER_CORE_TOOLS.items():
        yield f"`{name}`", "", f"`{CORE_TOOLS_SETTINGS[name]}`, for `func start`", meaning


def _rows(cls: type[Settings], known: set[str]) -> Iterator[Sequence[str]]:
    told = meanings(cls)
    for name, (attribute, field) in fields(cls).items():
        if name not in known:
            unit = UNITS.get(name.rpartition("_")[2], "")
            yield f"`{name}`", _default(field), unit, _here(name, field), told[attribute].removesuffix(".")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: required"
    if field.default is None:
        return "the currency's"
    return f"`{text(field.default)}`" if field.default != "" else "none"


def _here(name: str, field: FieldInfo) -> str:
    if name == "OPERATIONS_ADDRESSES":
        return "the hosts'"
    if name in ("PAYMENT_PROVIDER_ADDRESS", "PAYMENT_PROVIDER_KEY", "IDENTITY_ISSUER", "OPERATIONS_CLIENT_SECRET"):
        return "the stand-in's"
    if name == "IDENTITY_AUDIENCE":
        return "`orderflow`"
    here = LOCAL_SETTINGS.get(name)
    return f"`{here}`" if here and here != text(field.default) else ""


def example() -> str:
    """local.settings.example.json: every setting that an app of all contexts has on a machine, at its default."""
    values = CORE_TOOLS_SETTINGS | {"ORDERFLOW_SERVICES": ",".join(CONTEXTS), "SWEEP_SCHEDULE": "0 * * * * *"}
    values |= {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "false", "PYTHON_ENABLE_OPENTELEMETRY": "false"}
    for context in CONTEXTS:
        key = f"SharedAccessKeyName={context};SharedAccessKey=a2V5;UseDevelopmentEmulator=true;"
        values[f"COSMOS_{context.upper()}"] = "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=a2V5;"
        values[f"SERVICEBUS_{context.upper()}"] = f"Endpoint=sb://127.0.0.1:5672;{key}"
    classes: list[type[Settings]] = [Settings, *map(settings_class, CONTEXTS)]
    for cls in classes:
        for name, (_, field) in fields(cls).items():
            values.setdefault(name, text(field.default))
    values["PAYMENT_PROVIDER_KEY"] = "sk_test_the_providers"
    values |= {"IDENTITY_ISSUER": "http://127.0.0.1:8082", "IDENTITY_AUDIENCE": "orderflow"}
    return json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    EXAMPLE.write_text(example())
