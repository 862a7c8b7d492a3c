"""A JSON Schema for each version of each message, as shared/codec.py writes and reads it; shared/contracts/schemas has
them.

What is committed there is what messages look like that are under way: in queues, in outboxes, among what is parked. A
change that one of them, or a reader of before, would not survive is refused: it is another version, beside this one.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from scripts.meanings import meanings
from shared.codec import camel
from shared.messaging import catalogue

type Schema = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "shared" / "contracts" / "schemas"

INSTEAD = """\
Messages of this version may be under way, and readers of before be deployed: either would be parked as unreadable.
Leave the contract as it is, and add a version beside it: docs/how-it-works.md#adding-a-version-of-a-contract"""

_TYPES = {str: "string", int: "integer", bool: "boolean"}


def schemas() -> dict[str, Schema]:
    """Of every message, by its type. Draft 7, which AsyncAPI's own schemas are a superset of; `$id` is what a message's
    `cloudEvents_dataschema` says."""
    return {
        type: {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$id": f"urn:{type.replace('.', ':')}",
            **schema_of(contract),
        }
        for type, contract in catalogue().items()
    }


def schema_of(cls: type[Any]) -> Schema:
    """What a dataclass is in JSON. What it doesn't name is passed over by its reader, and so isn't forbidden. Raises
    TypeError for a field that the codec doesn't know either."""
    hints = get_type_hints(cls)
    said = {name: text for each in reversed(cls.__mro__) if is_dataclass(each) for name, text in meanings(each).items()}
    properties = {}
    for each in fields(cls):
        meaning = {"description": said[each.name]} if each.name in said else {}
        properties[camel(each.name)] = _of(hints[each.name]) | meaning
    return {
        "title": cls.__name__,
        "description": " ".join((inspect.getdoc(cls) or "").split()),
        "type": "object",
        "properties": properties,
        "required": [camel(each.name) for each in fields(cls) if each.default is MISSING],
    }


def _of(hint: Any) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType and NoneType in arguments:
        return _or_null(_of(next(each for each in arguments if each is not NoneType)))
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is frozenset:
        return {"type": "array", "items": _of(arguments[0]), "uniqueItems": True}
    if isinstance(hint, type) and is_dataclass(hint):
        return schema_of(hint)
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [str(each) for each in hint]}
    if hint not in _TYPES:
        raise TypeError(f"a message has no {hint!r}")
    return {"type": _TYPES[hint]}


def _or_null(schema: Schema) -> Schema:
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [schema["type"], "null"]} | values


def refused(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """For each version of a message what of its change not every message under way, or not every reader, survives."""
    found = []
    for type, schema in old.items():
        changes = [*breaking(schema, new[type])] if type in new else ["is gone"]
        found += [f"{type}: {change}" for change in changes]
    return found


def breaking(old: Schema, new: Schema, at: str = "") -> Iterator[str]:
    """Each change but that of words, and a further field that may be left out.

    Stricter than what JSON Schema calls compatible, since readers are older and newer than what they read: neither do
    values come to an enumeration, whose reader takes no other, nor may be left out what was there always.
    """
    if (kind := _kind(new)) != (was := _kind(old)):
        yield f"{at or '/'} is {kind} now, and was {was}"
        return
    for name, schema in old.get("properties", {}).items():
        if name in new["properties"]:
            yield from breaking(schema, new["properties"][name], f"{at}/{name}")
        else:
            yield f"{at}/{name} is gone, or has another name"
    needed, was_needed = set(new.get("required", [])), set(old.get("required", []))
    yield from (f"{at}/{name} is needed now" for name in sorted(needed - was_needed))
    known = new.get("properties", {}).keys()
    yield from (f"{at}/{name} may be left out now" for name in sorted((was_needed - needed) & known))
    values, before = set(new.get("enum", [])), set(old.get("enum", []))
    yield from (f"{at} may not be {value} any more" for value in sorted(before - values, key=str))
    yield from (f"{at} may be {value} now" for value in sorted(values - before, key=str))
    if "items" in old:
        yield from breaking(old["items"], new["items"], f"{at}/*")


def _kind(schema: Schema) -> str:
    """What it is, but for its parts, in words."""
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    is_one_of = ["of certain values"] if "enum" in schema else []
    is_a_set = ["without doubles"] if "uniqueItems" in schema else []
    return " ".join([" or ".join(types), *([schema["format"]] if "format" in schema else []), *is_one_of, *is_a_set])


def committed(folder: Path = FOLDER) -> dict[str, Schema]:
    """What a folder has of schemas, by type."""
    return {file.name.removesuffix(".json"): json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def rendered(schema: Schema) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Bring the folder up to date. Raises SystemExit where that would change what messages under way look like."""
    new = schemas()
    if faults := refused(committed(folder), new):
        raise SystemExit("\n".join([*faults, INSTEAD]))
    for type, schema in new.items():
        (folder / f"{type}.json").write_text(rendered(schema))
