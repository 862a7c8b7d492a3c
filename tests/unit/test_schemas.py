"""What the models of bodies and answers say of themselves as JSON Schema, for whoever generates a client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from shared.texts import parse_sku
from tests.unit.world import World

OPERATIONS = [each.operation for each in World().functions.values() if hasattr(each, "operation")]
REQUESTS = {each.request for each in OPERATIONS if each.request}
RESPONSES = {each.response for each in OPERATIONS if each.response}


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema and of what it refers to."""
    for each in (schema, *schema.get("$defs", {}).values()):
        yield from each.get("properties", {}).items()


def fields_of(models: set[type[BaseModel]], mode: Any) -> dict[str, list[dict[str, Any]]]:
    """What the models' schemas say of the fields of each name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model in models:
        for name, schema in properties(model.model_json_schema(by_alias=True, mode=mode)):
            found.setdefault(name, []).append(schema)
    return found


def kinds(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]


def test_a_state_in_an_answer_is_one_of_those_that_there_are() -> None:
    for schema in fields_of(RESPONSES, "serialization")["status"]:
        assert all(each.keys() & {"$ref", "enum", "const"} for each in kinds(schema)), schema


def test_a_time_and_a_link_in_an_answer_say_that_they_are() -> None:
    fields = fields_of(RESPONSES, "serialization")

    times = [name for name in fields if re.search("(At|Until)$", name)]
    assert {"placedAt", "settledAt", "createdAt", "dispatchedAt"} <= set(times)
    for name in times:
        assert all(each["format"] == "date-time" for schema in fields[name] for each in kinds(schema)), name
    assert {kinds(schema)[0]["format"] for schema in fields["nextLink"]} == {"uri-reference"}


def test_a_text_of_a_request_says_how_long_it_may_be_or_of_which_form() -> None:
    for name, schemas in fields_of(REQUESTS, "validation").items():
        for kind in (kind for schema in schemas for kind in kinds(schema) if kind.get("type") == "string"):
            assert kind.keys() & {"maxLength", "pattern"}, name


def test_a_body_takes_no_other_fields_and_an_answer_may_get_more() -> None:
    for model in REQUESTS:
        assert model.model_json_schema(mode="validation")["additionalProperties"] is False
    for model in RESPONSES:
        assert "additionalProperties" not in model.model_json_schema(mode="serialization")


def test_an_import_says_what_a_product_is_though_each_is_looked_at_by_itself() -> None:
    [imported] = [model for model in REQUESTS if model.__name__ == "ProductsImport"]

    items = imported.model_json_schema(by_alias=True)["properties"]["products"]["items"]

    assert items["required"] == ["sku", "name", "price"]
    assert items["properties"]["price"] == {"$ref": "#/$defs/Price"}


@pytest.mark.parametrize(
    "sku", ["MUG-1", "A B", "a/b", "...", "~", "!", "A" * 40, "[x]", "", ".", "..", 'A"', "A\\", "#", "A?"]
)
def test_the_schema_of_a_sku_holds_of_those_that_are_taken(sku: str) -> None:
    [schema] = fields_of(REQUESTS, "validation")["sku"][:1]

    try:
        taken = bool(parse_sku(sku))
    except ValueError:
        taken = False

    assert bool(re.search(schema["pattern"], sku)) is taken
