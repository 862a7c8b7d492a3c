"""The schemas of bodies, answers and queries, as the models make them, for scripts/openapi_document.py."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import CoreModeRef, DefsRef, GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import ModelSchema

from scripts.meanings import meanings
from shared.http import Operation

type Schema = dict[str, Any]

SCHEMAS = "#/components/schemas/"


class _Named(GenerateJsonSchema):
    """Types of a context that are no bodies, its states say, by a name that tells whose they are; no titles of fields,
    which would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """With what stands below the model's fields, and those that it inherits."""
        found = super().model_schema(schema)
        for cls in reversed(schema["cls"].__mro__):
            # `Page[OrderView]` is written nowhere: what it means stands at `Page`.
            if issubclass(cls, BaseModel) and cls is not BaseModel and not cls.__pydantic_generic_metadata__["origin"]:
                for name, meaning in meanings(cls).items():
                    found["properties"][schema["cls"].model_fields[name].alias]["description"] = meaning
        return found

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        ref, mode = core_mode_ref
        own = re.compile(r"(services\.(\w+)\.(?!http_models)\w+\.)(\w+)")
        named = own.sub(lambda found: f"{found[1]}{found[2].title()}{found[3]}", ref)
        return super().get_defs_ref((type(ref)(named), mode))


def schemas_of(operations: Iterable[Operation]) -> dict[str, Schema]:
    """Every model's, by a name that says of which context it is where two have one of the same name."""
    taken = {each for of in operations for each in (of.request, of.query) if each}
    given = {of.response for of in operations if of.response}
    models: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in sorted(taken, key=_full_name)),
        *((model, "serialization") for model in sorted(given, key=_full_name)),
    ]
    template = f"{SCHEMAS}{{model}}"
    _, found = models_json_schema(models, by_alias=True, ref_template=template, schema_generator=_Named)
    text = re.sub(
        r"services__(\w+?)__\w+__(\w+)", lambda name: name[1].title() + name[2], json.dumps(found.get("$defs", {}))
    )
    schemas: dict[str, Schema] = json.loads(text)
    for schema in schemas.values():
        schema.pop("title", None)
        _without_nulls(schema)
    for name, schema in list(schemas.items()):
        schemas[name] = {key: _by_reference(value, schemas) for key, value in schema.items()}
    return schemas


def referred(value: Any, schemas: Mapping[str, Schema]) -> set[str]:
    """The schemas that it refers to, and those to which they do: a query's own isn't one, its fields are parameters."""
    direct = set(re.findall(f"{SCHEMAS}(\\w+)", json.dumps(value)))
    return direct.union(*(referred(schemas[name], schemas) for name in direct))


def _full_name(model: type[BaseModel]) -> str:
    return f"{model.__module__}.{model.__name__}"


def _by_reference(value: Any, schemas: dict[str, Schema]) -> Any:
    """With a reference to each model that stands in line, as those do whose validation is skipped."""
    match value:
        case {"title": str(name), "type": "object"}:
            schemas[name] = {key: _by_reference(each, schemas) for key, each in value.items() if key != "title"}
            return {"$ref": f"{SCHEMAS}{name}"}
        case dict():
            return {key: _by_reference(each, schemas) for key, each in value.items()}
        case list():
            return [_by_reference(each, schemas) for each in value]
    return value


def _without_nulls(schema: Schema) -> None:
    """Of an answer's field that is left out where there is nothing to say: it is never null. In a request null is
    taken for absent, which needn't be told."""
    for name, field in schema.get("properties", {}).items():
        if field.get("default", ...) is None:
            del field["default"]
            kinds = field.pop("anyOf")
            field.update(*(each for each in kinds if each != {"type": "null"}))
            schema["required"] = [each for each in schema.get("required", []) if each != name]


def without_defaults(schema: Schema) -> Schema:
    """A body's or an answer's, with defaults in words: generators of clients would have each sent by every caller."""
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            default = json.dumps(field.pop("default"))
            if name not in schema.get("required", []):
                field["description"] = f"{field.get('description', '')} {default.capitalize()} where left out.".strip()
    return schema


def array(field: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The field's schema itself where it is a list: only a parameter of one is sent as several values."""
    found = schemas.get(field.get("$ref", "").removeprefix(SCHEMAS), {})
    return found if found.get("type") == "array" else field


def name_of(model: type[BaseModel], schemas: Mapping[str, Schema]) -> str:
    """Under which a model stands in the document."""
    context = model.__module__.split(".")[1].title()
    qualified = f"{context}{model.__name__}"
    return qualified if qualified in schemas else model.__name__


def reference(model: type[BaseModel], schemas: Mapping[str, Schema]) -> Schema:
    """The reference to a model."""
    return {"$ref": f"{SCHEMAS}{name_of(model, schemas)}"}
