"""What a gateway sends to each app, by the path's first part or two, is what the app's functions answer."""

from __future__ import annotations

from collections.abc import Mapping, Set

import pytest

from tests.infra.application import ENVIRONMENT, bindings
from tests.infra.deployment import CONTEXTS, TOPOLOGY

PATHS = {app["context"]: set(app["paths"]) for app in TOPOLOGY["apps"]}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Set[str]]:
    """The routes of each context's HTTP functions."""
    apps = {context: bindings(ENVIRONMENT | {"ORDERFLOW_SERVICES": context}, monkeypatch) for context in CONTEXTS}
    return {context: {each["route"] for each in app if each["type"] == "httpTrigger"} for context, app in apps.items()}


def faults(sent: Mapping[str, Set[str]], answered: Mapping[str, Set[str]]) -> list[str]:
    """What doesn't fit, one line each."""
    found = [f"two apps answer /api/{path}" for path in sorted(set().union(*sent.values())) if _apps(sent, path) > 1]
    for context, routes in answered.items():
        areas = {_area(route, sent[context]) for route in routes if not route.startswith(f"health/{context}/")}
        found += [f"{context} answers /api/{area}, which nothing sends to it" for area in sorted(areas - sent[context])]
        found += [f"{context} is sent /api/{area}, and answers none" for area in sorted(sent[context] - areas)]
    return found


def _area(route: str, sent: Set[str]) -> str:
    first, _, rest = route.partition("/")
    two = f"{first}/{rest.partition('/')[0]}"
    return two if two in sent else first


def _apps(sent: Mapping[str, Set[str]], path: str) -> int:
    return sum(path in paths for paths in sent.values())


def test_each_app_is_sent_the_paths_that_it_answers_and_no_others(answered: dict[str, Set[str]]) -> None:
    assert PATHS.keys() == answered.keys()
    assert faults(PATHS, answered) == []
    assert all(f"health/{context}/live" in routes for context, routes in answered.items())


def test_paths_that_do_not_fit_are_named(answered: dict[str, Set[str]]) -> None:
    wrong = PATHS | {
        "orders": {"orders", "waits", "customers", "gifts", "audit/orders", "parked/orders"},
        "shipping": {"shipments", "stock", "parked/shipping"},
    }

    assert faults(wrong, answered) == [
        "two apps answer /api/stock",
        "orders answers /api/prices, which nothing sends to it",
        "orders is sent /api/gifts, and answers none",
        "shipping answers /api/audit, which nothing sends to it",
        "shipping is sent /api/stock, and answers none",
    ]
