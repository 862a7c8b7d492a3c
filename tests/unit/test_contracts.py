"""Contracts as messages: names, ids, sizes, and what a reader of a newer or a broken one makes of it."""

import importlib
import inspect
import json
from dataclasses import fields
from datetime import UTC, datetime
from pkgutil import iter_modules
from typing import Any, cast

import pytest

from shared import codec
from shared import contracts as declared
from shared.contracts import Command, Event, Line
from shared.contracts.catalog import PriceChanged
from shared.contracts.inventory import ReleaseStock, ReserveStock, StockReserved
from shared.contracts.shipping import Address, CreateShipment, ShipmentDispatchedV2
from shared.errors import Unparseable
from shared.messaging import MAX_BYTES, contract_class, first, from_wire, to_wire, type_name
from shared.ports import WireMessage

NOW = datetime(2026, 11, 24, 6, 0, 0, 120, UTC)


def contracts() -> list[type[Any]]:
    modules = (importlib.import_module(each.name) for each in iter_modules(declared.__path__, f"{declared.__name__}."))
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls)
        and cls.__module__ == module.__name__
        and issubclass(cls, Command | Event)
        and not cls.__name__.startswith("_")
    ]


def _is_frozen(cls: Any) -> bool:
    return bool(cls.__dataclass_params__.frozen)


@pytest.mark.parametrize("cls", contracts(), ids=lambda cls: cls.__name__)
def test_every_contract_is_a_frozen_dataclass_of_one_kind_found_by_its_type(cls: Any) -> None:
    assert _is_frozen(cls)
    assert issubclass(cls, Command) != issubclass(cls, Event)
    assert contract_class(type_name(cls)) is cls
    named = "ShipmentDispatched.v2" if cls is ShipmentDispatchedV2 else f"{cls.__name__}.v1"
    assert type_name(cls) == f"orderflow.{cls.__module__.split('.')[-1]}.{named}"
    assert not {field.name for field in fields(cast(Any, cls))} & {"name", "email"}


def test_a_message_is_a_cloud_event_in_binary_mode() -> None:
    command = ReleaseStock("ord_1", (Line("MUG", 2),))
    wire = to_wire(first(command, "ord_1", NOW, retry_until=NOW))
    assert json.loads(wire.body) == {"orderId": "ord_1", "lines": [{"sku": "MUG", "quantity": 2}]}
    assert (wire.content_type, wire.correlation_id) == ("application/json", "ord_1")
    assert dict(wire.properties or {}) == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": wire.id,
        "cloudEvents_type": "orderflow.inventory.ReleaseStock.v1",
        "cloudEvents_source": "/inventory",
        "cloudEvents_time": "2026-11-24T06:00:00.000120Z",
        "cloudEvents_subject": "ord_1",
        "cloudEvents_dataschema": "urn:orderflow:inventory:ReleaseStock:v1",
        "orderflow_retryUntil": "2026-11-24T06:00:00.000120Z",
    }
    assert from_wire(wire, "inventory").contract == command


def test_commands_go_to_their_owners_queue_and_events_to_their_publishers_topic() -> None:
    assert first(ReserveStock("o", ()), "o", NOW).destination == "inventory"
    assert first(StockReserved("o"), "o", NOW).destination == "inventory-events"


def test_two_copies_of_a_handler_make_the_same_message_and_two_facts_never_do() -> None:
    price = PriceChanged("A", 1, "GBP", True, 2)
    assert first(price, "A", NOW, 2).id == first(price, "A", datetime.now(UTC), 2).id
    assert first(price, "A", NOW, 2).id != first(price, "A", NOW, 3).id
    assert first(StockReserved("o"), "o", NOW).id != first(StockReserved("p"), "p", NOW).id


def test_a_field_that_a_newer_version_adds_is_passed_over() -> None:
    wire = to_wire(first(StockReserved("ord_1"), "ord_1", NOW))
    newer = WireMessage(wire.id, b'{"orderId":"ord_1","warehouse":"north"}', properties=wire.properties)
    assert from_wire(newer, "orders").contract == StockReserved("ord_1")


def test_the_largest_order_fits_every_message() -> None:
    lines = tuple(Line("W" * 40, 100_000) for _ in range(1000))
    wide = "\N{MATHEMATICAL BOLD CAPITAL A}" * 200
    to_wire(
        first(
            CreateShipment("ord_" + "0" * 32, lines, Address(wide, wide, wide, "GB", wide, wide, wide, wide, wide)),
            "o",
            NOW,
        )
    )
    with pytest.raises(Exception, match=str(MAX_BYTES)):
        to_wire(first(ReserveStock("o", lines * 5), "o", NOW))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"orderId": 1, "lines": []}, "/orderId should be of type str"),
        ({"orderId": "o", "lines": [{"sku": "A"}]}, "/lines/0/quantity is missing"),
        ({"orderId": "o", "lines": {}}, "/lines should be of type list"),
        (None, "/ should be an object"),
    ],
)
def test_decoding_names_the_field_at_fault(data: Any, fault: str) -> None:
    with pytest.raises(Unparseable, match=fault):
        codec.decode(ReserveStock, data)


def test_a_time_that_is_none_is_at_fault() -> None:
    from services.shipping.domain import Shipment

    with pytest.raises(Unparseable, match="/createdAt should be a time"):
        codec.decode(Shipment, {"orderId": "o", "state": "pending", "createdAt": "yesterday"})
    with pytest.raises(Unparseable, match="/state should be one of pending"):
        codec.decode(Shipment, {"orderId": "o", "state": "lost", "createdAt": "2026-01-01T00:00:00Z"})
