"""The same settings are read by the code, given to the apps in Azure, in the example and on the page."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Set
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.infra.application import ENVIRONMENT, bindings
from tests.infra.deployment import CONTEXTS, ENVIRONMENTS, deployment
from tests.unit.settings_page import (
    EXAMPLE,
    HOSTS_IN_AZURE,
    HOSTS_UNDER_CORE_TOOLS,
    PAGE,
    UNITS,
    example,
    fields,
    page,
    settings_class,
)

ROOT = Path(__file__).parents[2]
OURS = {"function_app", "services", "shared"}


class Asked(dict[str, str]):
    """An environment that remembers what our own code asks of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self._remember(name, sys._getframe(1).f_globals["__name__"])
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self._remember(name, sys._getframe(1).f_globals["__name__"])
        return super().__getitem__(name)

    def _remember(self, name: str, module: str) -> None:
        if module.partition(".")[0] in OURS:
            self.names.add(name)


def asked_for(context: str, monkeypatch: pytest.MonkeyPatch) -> Set[str]:
    """What an app of this context asks for when it starts, what its triggers name, and `__credential`, which the host
    wants of a connection to Service Bus."""
    environment = Asked(ENVIRONMENT | {"ORDERFLOW_SERVICES": context})
    bound = bindings(environment, monkeypatch)
    named = {name for each in bound for value in each.values() for name in re.findall("%(.+?)%", str(value))}
    connections = {each["connection"] for each in bound if "connection" in each}
    assert connections <= environment.names
    return environment.names | named | {f"SERVICEBUS_{context.upper()}__credential"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, Set[str]]:
    """What each context's app reads."""
    return {context: asked_for(context, monkeypatch) for context in CONTEXTS}


def documented() -> set[str]:
    """Every setting that has a row in the page."""
    names = re.findall(r"^\| `(\S+)` \|", PAGE.read_text(), re.MULTILINE)
    return {name.replace("<CONTEXT>", context.upper()) for name in names for context in CONTEXTS}


def faults(
    read: Mapping[str, Set[str]],
    documented: Set[str],
    example: Set[str],
    deployed: Mapping[str, Set[str]],
) -> list[str]:
    """What doesn't fit, one line each. A connection has two forms: `NAME` on a machine, `NAME__part` in Azure."""
    every = set().union(*read.values())
    connections = {name.partition("__")[0] for name in every if "__" in name}
    here = {name for name in every if "__" not in name} | HOSTS_UNDER_CORE_TOOLS.keys()
    found = _differences("docs/settings.md", every | HOSTS_IN_AZURE.keys() | HOSTS_UNDER_CORE_TOOLS.keys(), documented)
    found += _differences("local.settings.example.json", here, example)
    for context, names in read.items():
        found += _differences(f"the app of {context}", names - connections | HOSTS_IN_AZURE.keys(), deployed[context])
    return found


def _differences(where: str, wanted: Set[str], there: Set[str]) -> list[str]:
    missing = [f"{name} is read, and missing in {where}" for name in sorted(wanted - there)]
    return missing + [f"{name} is in {where}, and nothing reads it" for name in sorted(there - wanted)]


def deployed(environment: str) -> dict[str, Set[str]]:
    return {context: settings.keys() for context, settings in deployment(environment).app_settings().items()}


def in_example() -> Set[str]:
    names: Set[str] = json.loads(EXAMPLE.read_text())["Values"].keys()
    return names


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_code_page_example_and_azure_agree(read: dict[str, Set[str]], environment: str) -> None:
    assert faults(read, documented(), in_example(), deployed(environment)) == []


def test_a_setting_that_only_the_code_knows_is_named(read: dict[str, Set[str]]) -> None:
    read = {**read, "orders": read["orders"] | {"ORDERS_SECRET_DOOR"}}

    assert faults(read, documented(), in_example(), deployed("dev")) == [
        "ORDERS_SECRET_DOOR is read, and missing in docs/settings.md",
        "ORDERS_SECRET_DOOR is read, and missing in local.settings.example.json",
        "ORDERS_SECRET_DOOR is read, and missing in the app of orders",
    ]


def test_a_setting_that_no_code_reads_any_more_is_named(read: dict[str, Set[str]]) -> None:
    given = deployed("dev")
    given["orders"] = given["orders"] | {"ORDERS_OLD_SECONDS"}

    assert faults(read, documented(), in_example(), given) == [
        "ORDERS_OLD_SECONDS is in the app of orders, and nothing reads it"
    ]


def test_a_setting_that_an_adapter_reads_by_itself_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    code = compile("os.environ.get('ORDERS_SECRET_DOOR')", "adapter", "eval")
    environment = Asked({})
    monkeypatch.setattr(os, "environ", environment)

    eval(code, {"os": os, "__name__": "services.orders.adapters"})

    assert environment.names == {"ORDERS_SECRET_DOOR"}


def test_the_environment_is_read_in_composition_roots_alone() -> None:
    reading = {
        str(file.relative_to(ROOT))
        for folder in ("services", "shared")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"\benviron\b|\bgetenv\b", file.read_text())
    }

    assert reading == {f"services/{context}/bootstrap.py" for context in CONTEXTS}


def test_the_page_and_the_example_are_those_of_the_classes() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.unit.settings_page"
    assert EXAMPLE.read_text() == example(), "run: python -m tests.unit.settings_page"


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_example_is_one_that_every_context_takes(context: str) -> None:
    values = json.loads(EXAMPLE.read_text())["Values"]

    settings = settings_class(context).read(values)

    assert settings.service_bus.connection_string


def test_a_settings_unit_is_the_last_word_of_its_name() -> None:
    classes: list[type[Settings]] = [Settings, *map(settings_class, CONTEXTS)]
    numbers = ("days", "minor units", "orders a minute")
    of_types: dict[Any, tuple[str, ...]] = {timedelta: ("seconds",), int: numbers, int | None: numbers}
    for name, (_, field) in (each for cls in classes for each in fields(cls).items()):
        units = of_types.get(field.annotation, (None,))
        assert UNITS.get(name.rpartition("_")[2]) in units, name
