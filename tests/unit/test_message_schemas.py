"""Each version of a message has a schema that is committed; within it, messages and readers of before go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from scripts.asyncapi_document import DOCUMENT
from scripts.message_schemas import (
    FOLDER,
    INSTEAD,
    Schema,
    breaking,
    committed,
    refused,
    rendered,
    schema_of,
    schemas,
    write,
)
from shared import codec
from shared.errors import Unparseable
from shared.messaging import catalogue

EXAMPLES: dict[str, Any] = {
    type: message["examples"][0]["payload"]
    for type, message in json.loads(DOCUMENT.read_text())["components"]["messages"].items()
}


def test_within_a_version_nothing_changes_that_is_under_way() -> None:
    faults = refused(committed(), schemas())
    assert not faults, "\n".join(["", *faults, INSTEAD])


def test_every_schema_is_as_its_contract_says() -> None:
    files = {file.name: file.read_text() for file in FOLDER.iterdir()}
    assert files == {f"{type}.json": rendered(each) for type, each in schemas().items()}, "stale: run scripts/asyncapi"


@pytest.mark.parametrize("type", catalogue())
def test_a_reader_takes_what_the_schema_allows_and_nothing_else(type: str) -> None:
    schema = Draft7Validator(schemas()[type])
    good = EXAMPLES[type]
    values: tuple[Any, ...] = (1, True, "2026-11-24T06:00:00Z", None, [], {}, ["x"], [{}])
    told = [good | {name: value} for name in good for value in values]
    told += [{name: value for name, value in good.items() if name != left_out} for left_out in good]

    for data in (good, good | {"unheardOf": 1}, *told):
        assert schema.is_valid(data) is is_readable(type, data), data


def is_readable(type: str, data: Any) -> bool:
    try:
        codec.decode(catalogue()[type], data)
    except Unparseable:
        return False
    return True


class Reason(StrEnum):
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True)
class Parcel:
    sku: str
    weight: int | None = None


@dataclass(frozen=True)
class Returned:
    """What the planted changes are made of: every kind of field that a contract can have."""

    order_id: str
    parcels: tuple[Parcel, ...]
    reason: Reason
    at: datetime
    """When it came."""
    first_seen: datetime | None = None
    is_whole: bool = True
    tags: frozenset[str] = frozenset()
    why: Reason | None = None


OLD = schema_of(Returned)
WEIGHT = "/parcels/*/weight"


def parcel(schema: Schema) -> Schema:
    found: Schema = schema["properties"]["parcels"]["items"]
    return found


def is_of(schema: Schema, needed: str = "", **kinds: Any) -> None:
    """Fields get another kind, or go where it is None; one of them is needed."""
    for name, kind in kinds.items():
        if kind:
            schema["properties"][name] = kind
        else:
            del schema["properties"][name]
            schema["required"] = [each for each in schema["required"] if each != name]
    schema["required"] += [needed] if needed else []


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}

REFUSED: dict[str, tuple[Callable[[Schema], object], list[str]]] = {
    "a field is removed": (lambda new: is_of(new, firstSeen=None), ["/firstSeen is gone, or has another name"]),
    "a field is renamed": (
        lambda new: is_of(new, isWhole=None, whole={"type": "boolean"}),
        ["/isWhole is gone, or has another name"],
    ),
    "a field that is needed is renamed": (
        lambda new: is_of(new, "order", orderId=None, order=TEXT),
        ["/orderId is gone, or has another name", "/order is needed now"],
    ),
    "a field is retyped": (lambda new: is_of(new, orderId=NUMBER), ["/orderId is integer now, and was string"]),
    "a time becomes a text": (lambda new: is_of(new, at=TEXT), ["/at is string now, and was string date-time"]),
    "a text becomes one of certain values": (
        lambda new: is_of(new, orderId=TEXT | {"enum": ["ord_1"]}),
        ["/orderId is string of certain values now, and was string"],
    ),
    "a list becomes a set": (
        lambda new: new["properties"]["parcels"].update(uniqueItems=True),
        ["/parcels is array without doubles now, and was array"],
    ),
    "a field may be null": (
        lambda new: is_of(new, orderId={"type": ["string", "null"]}),
        ["/orderId is string or null now, and was string"],
    ),
    "a field may not be null any more": (
        lambda new: is_of(new, firstSeen={"type": "string", "format": "date-time"}),
        ["/firstSeen is string date-time now, and was string or null date-time"],
    ),
    "a new field is needed": (
        lambda new: is_of(new, "warehouse", warehouse=TEXT),
        ["/warehouse is needed now"],
    ),
    "a field that could be left out is needed": (
        lambda new: new["required"].append("isWhole"),
        ["/isWhole is needed now"],
    ),
    "a field may be left out that was always there": (
        lambda new: new["required"].remove("at"),
        ["/at may be left out now"],
    ),
    "a value is removed": (
        lambda new: new["properties"]["reason"]["enum"].remove("lost"),
        ["/reason may not be lost any more"],
    ),
    "a value is added, which readers of before don't take": (
        lambda new: new["properties"]["why"]["enum"].append("stolen"),
        ["/why may be stolen now"],
    ),
    "a field of a part is removed": (
        lambda new: is_of(parcel(new), weight=None),
        [f"{WEIGHT} is gone, or has another name"],
    ),
    "a field of a part is retyped": (
        lambda new: is_of(parcel(new), sku=NUMBER),
        ["/parcels/*/sku is integer now, and was string"],
    ),
    "a field of a part is needed": (lambda new: parcel(new)["required"].append("weight"), [f"{WEIGHT} is needed now"]),
    "another kind of thing is listed": (
        lambda new: new["properties"]["parcels"].update(items=TEXT),
        ["/parcels/* is string now, and was object"],
    ),
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_change_that_something_under_way_would_not_survive_is_told(change: str) -> None:
    plant, told = REFUSED[change]
    new = deepcopy(OLD)

    plant(new)

    assert [*breaking(OLD, new)] == told


ALLOWED: dict[str, Callable[[Schema], object]] = {
    "a further field that may be left out": lambda new: is_of(new, warehouse=TEXT),
    "a further field of a part": lambda new: is_of(parcel(new), note={"type": ["string", "null"]}),
    "other words": lambda new: (
        new.update(description="It is back."),
        new["properties"]["at"].update(description="Then."),
    ),
}


@pytest.mark.parametrize("change", ALLOWED)
def test_what_readers_of_before_pass_over_is_allowed(change: str) -> None:
    new = deepcopy(OLD)

    ALLOWED[change](new)

    assert new != OLD
    assert [*breaking(OLD, new)] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Schemas as they would be if StockReserved had named its warehouse, and CountStock had been a command."""
    write(tmp_path)
    type = "orderflow.inventory.StockReserved.v1"
    before = committed(tmp_path)[type]
    is_of(before, warehouse=TEXT)
    (tmp_path / f"{type}.json").write_text(rendered(before))
    (tmp_path / "orderflow.inventory.CountStock.v1.json").write_text(rendered(before))
    return tmp_path


def test_no_schema_is_overwritten_by_what_messages_under_way_would_not_survive(folder: Path) -> None:
    before = committed(folder)

    with pytest.raises(SystemExit) as told:
        write(folder)

    assert str(told.value).splitlines() == [
        "orderflow.inventory.CountStock.v1: is gone",
        "orderflow.inventory.StockReserved.v1: /warehouse is gone, or has another name",
        *INSTEAD.splitlines(),
    ]
    assert committed(folder) == before


def test_where_to_read_on_is_there() -> None:
    path, _, anchor = INSTEAD.rpartition(" ")[2].partition("#")
    heading = anchor.replace("-", " ").capitalize()
    assert f"\n## {heading}\n" in (FOLDER.parents[2] / path).read_text()
