"""The app as Azure runs it, one context at a time, by identities and without a network."""

import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.deployment import CONTEXTS


def environment(*contexts: str) -> dict[str, str]:
    """What the app of these contexts can't start without."""
    return {
        "PAYMENT_PROVIDER_KEY": "sk_test_1",
        "IDENTITY_ISSUER": "https://id.example",
        "IDENTITY_AUDIENCE": "orderflow",
        **{f"COSMOS_{each.upper()}__accountEndpoint": "https://shop.documents.azure.com/" for each in contexts},
        **{f"SERVICEBUS_{each.upper()}__fullyQualifiedNamespace": "shop.servicebus.windows.net" for each in contexts},
    }


ENVIRONMENT = environment(*CONTEXTS)


def bindings(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the app that finds this environment binds its functions to."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", environment)
        functions = importlib.import_module("function_app").build().get_functions()
    return [json.loads(text) for function in functions for text in function.get_raw_bindings()]
