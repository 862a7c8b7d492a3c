"""A change of the API that breaks a client is told from one that doesn't, and none is made since the last release."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest

from scripts.api_changes import breaking
from scripts.openapi_document import DOCUMENT

RELEASED = Path(__file__).parent / "released-openapi.json"
"""The document of the last release; a release copies openapi.json here."""

type Document = dict[str, Any]
type Change = Callable[[Document], object]


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def operation(document: Document, method: str, path: str) -> Document:
    found: Document = document["paths"][f"/api/{path}"][method]
    return found


def parameter(document: Document, method: str, path: str, name: str) -> Document:
    [found] = [each for each in operation(document, method, path)["parameters"] if each["name"] == name]
    return cast(Document, found)


def order(document: Document) -> Document:
    return schema(document, "OrderBody")


BREAKING: dict[str, tuple[Change, str]] = {
    "an operation is gone": (
        lambda document: document["paths"].pop("/api/orders/{orderId}/cancel"),
        "POST /api/orders/{orderId}/cancel: is gone",
    ),
    "an operation is renamed": (
        lambda document: operation(document, "post", "orders").update(operationId="order"),
        "POST /api/orders: is called order, no longer place_order",
    ),
    "a status is gone": (
        lambda document: operation(document, "put", "stock/{sku}")["responses"].pop("201"),
        "PUT /api/stock/{sku}: 201 is gone",
    ),
    "a field of an answer is gone": (
        lambda document: schema(document, "ProductView")["properties"].pop("name"),
        "GET /api/products/{sku}: 200/name is gone",
    ),
    "a field of an answer may be left out": (
        lambda document: schema(document, "ProductView")["required"].remove("name"),
        "GET /api/products/{sku}: 200/name may be left out now",
    ),
    "a field of an answer has another type": (
        lambda document: schema(document, "ProductView")["properties"].update(name={"type": "integer"}),
        "GET /api/products/{sku}: 200/name may be integer now",
    ),
    "a header of an answer is gone": (
        lambda document: operation(document, "get", "orders/{orderId}")["responses"]["200"].pop("headers"),
        "GET /api/orders/{orderId}: 200 has no ETag any more",
    ),
    "a value of a parameter isn't taken": (
        lambda document: schema(document, "ShippingState")["enum"].remove("dispatched"),
        "GET /api/shipments: the query parameter status/* doesn't take dispatched any more",
    ),
    "a parameter isn't taken": (
        lambda document: operation(document, "get", "shipments")["parameters"].pop(0),
        "isn't taken any more",
    ),
    "a parameter is needed": (
        lambda document: operation(document, "get", "shipments")["parameters"][0].update(required=True),
        "is needed now",
    ),
    "a token is needed": (
        lambda document: operation(document, "get", "health/orders/live").update(security=[{"bearer": []}]),
        "GET /api/health/orders/live: needs a token now",
    ),
    "a field of a request is needed": (
        lambda document: order(document)["required"].append("customerId"),
        "POST /api/orders: the body/customerId is needed now",
    ),
    "a new field of a request is needed": (
        lambda document: (
            order(document)["required"].append("gift"),
            order(document)["properties"].update(gift={"type": "boolean"}),
        ),
        "POST /api/orders: the body/gift is needed now",
    ),
    "a field of a request isn't taken": (
        lambda document: order(document)["properties"].pop("customerId"),
        "POST /api/orders: the body/customerId isn't taken any more",
    ),
    "a field of a request may be shorter only": (
        lambda document: order(document)["properties"]["email"].update(maxLength=100),
        "POST /api/orders: the body/email has a lower maxLength",
    ),
    "a number of a request may be higher only": (
        lambda document: schema(document, "LineBody")["properties"]["quantity"].update(minimum=2),
        "POST /api/orders: the body/lines/*/quantity has a higher minimum",
    ),
    "a text of a request has another form": (
        lambda document: order(document)["properties"]["currency"].update(pattern="^GBP$"),
        "POST /api/orders: the body/currency has another pattern",
    ),
    "a field of a request takes certain values alone": (
        lambda document: order(document)["properties"]["currency"].update(enum=["GBP"]),
        "POST /api/orders: the body/currency takes certain values alone now",
    ),
    "a field of a request has another type": (
        lambda document: schema(document, "LineBody")["properties"].update(quantity={"type": "string"}),
        "POST /api/orders: the body/lines/*/quantity may not be integer any more",
    ),
}
FINE: dict[str, Change] = {
    "nothing": lambda document: None,
    "a new operation": lambda document: document["paths"].update(
        {"/api/gifts": document["paths"]["/api/health/orders/live"]}
    ),
    "a new field of an answer": lambda document: schema(document, "ProductView")["properties"].update(
        gift={"type": "boolean"}
    ),
    "a field of an answer that is always there": lambda document: schema(document, "OrderView")["required"].append(
        "reason"
    ),
    "a new status": lambda document: operation(document, "get", "orders/{orderId}")["responses"].update(
        {"410": {"description": "Gone for good"}}
    ),
    "a new field of a request that may be left out": lambda document: order(document)["properties"].update(
        gift={"type": "boolean"}
    ),
    "a field of a request that needn't be there": lambda document: order(document)["required"].remove("email"),
    "a longer text in a request": lambda document: order(document)["properties"]["email"].update(maxLength=500),
    "a new value of a parameter": lambda document: schema(document, "ShippingState")["enum"].append("returned"),
    "a new parameter": lambda document: operation(document, "get", "shipments")["parameters"].append(
        {"name": "gift", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "several values where one was taken": lambda document: parameter(document, "get", "shipments", "after").update(
        schema={"type": "array", "items": {"type": "string"}}, style="form", explode=False
    ),
    "other words": lambda document: operation(document, "get", "shipments").update(summary="Shipments"),
}


@pytest.fixture
def released() -> Document:
    document: Document = json.loads(RELEASED.read_text())
    return document


@pytest.mark.parametrize("change", BREAKING)
def test_what_breaks_a_client_is_told(change: str, released: Document) -> None:
    make, fault = BREAKING[change]
    changed = deepcopy(released)
    make(changed)

    found = breaking(released, changed)

    assert any(each.endswith(fault) for each in found), found


@pytest.mark.parametrize("change", FINE)
def test_what_every_client_bears_is_fine(change: str, released: Document) -> None:
    changed = deepcopy(released)
    FINE[change](changed)

    assert breaking(released, changed) == []


def test_no_client_of_the_last_release_is_broken() -> None:
    assert breaking(json.loads(RELEASED.read_text()), json.loads(DOCUMENT.read_text())) == []
