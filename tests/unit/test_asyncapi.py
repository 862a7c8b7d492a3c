"""asyncapi.json and docs/events.md are what the contracts and the topology say, and their examples were sent."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from scripts import asyncapi_document, events_page
from scripts.asyncapi_document import DOCUMENT
from scripts.message_flow import messages
from shared.messaging import catalogue
from simulation.topology import TOPOLOGY
from tests.unit.message_examples import examples

ROOT = Path(__file__).parents[2]
OFFICIAL = ROOT / ".clients" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What is committed."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def at(document: Any, reference: str) -> Any:
    """What a reference within the document leads to."""
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        yield from [document["$ref"]] if "$ref" in document else []
        document = list(document.values())
    for each in document if isinstance(document, list) else []:
        yield from references(each)


async def test_the_document_is_what_contracts_and_topology_say() -> None:
    rendered = asyncapi_document.rendered(await examples())
    assert DOCUMENT.read_text() == rendered, "stale: run scripts/asyncapi, and look at what changed"


def test_the_page_is_what_contracts_and_topology_say() -> None:
    assert events_page.PAGE.read_text() == events_page.page(), "stale: run scripts/asyncapi"


def test_every_reference_leads_somewhere_and_every_message_is_sent_to_one_channel(described: dict[str, Any]) -> None:
    assert [each for each in references(described) if at(described, each) is None] == []

    in_channels = [type for channel in described["channels"].values() for type in channel["messages"]]
    assert sorted(in_channels) == sorted(described["components"]["messages"]) == sorted(catalogue())


@pytest.mark.parametrize("type", catalogue())
def test_every_message_that_is_sent_is_as_its_schemas_say(described: dict[str, Any], type: str) -> None:
    message = described["components"]["messages"][type]
    [example] = message["examples"]
    headers = message["headers"] | {"components": described["components"]}

    Draft7Validator(headers).validate(example["headers"])
    Draft7Validator(message["payload"]).validate(example["payload"])
    with pytest.raises(Exception, match="was expected"):
        Draft7Validator(headers).validate(example["headers"] | {"cloudEvents_type": "orderflow.orders.Other.v1"})


def test_every_subscription_is_an_operation_that_takes_just_its_types(described: dict[str, Any]) -> None:
    for subscription in TOPOLOGY["subscriptions"]:
        queue = subscription["forwardTo"]
        [context] = [each["context"] for each in TOPOLOGY["grants"] if queue in each["receive"]]
        operation = described["operations"][f"{context}.takes.{subscription['topic']}.{queue}"]

        assert operation["action"] == "receive"
        taken = [each["$ref"].rpartition("/")[2] for each in operation["messages"]]
        assert sorted(taken) == sorted(subscription["types"])


def test_every_message_has_a_sender_and_every_command_one_taker() -> None:
    for each in messages():
        assert each.senders, each.type_name
        assert not each.is_command or len(each.takers) == 1, each.type_name


def test_the_diagram_leads_from_every_sender_to_every_taker() -> None:
    [diagram] = re.findall(r"```mermaid\n(.+?)```", events_page.PAGE.read_text(), re.DOTALL)
    arrows = {
        (sender, taker, name)
        for sender, text, taker in re.findall(r'^    (\w+) -[-.] "(.+)" [-.]+> (\w+)$', diagram, re.MULTILINE)
        for name in text.split("<br/>")
    }
    for each in messages():
        for sender in each.senders:
            for way in each.takers:
                assert {(sender, way.context, each.name), (sender, way.context, "every event")} & arrows, each.type_name


@pytest.mark.long
def test_the_document_is_asyncapi_by_the_official_schema(described: dict[str, Any]) -> None:
    subprocess.run([ROOT / "scripts" / "setup", "--clients"], check=True)
    official = Draft7Validator(json.loads(OFFICIAL.read_text()))

    assert [f"{error.json_path}: {error.message}" for error in official.iter_errors(described)] == []

    wrong = deepcopy(described)
    wrong["operations"]["orders.sends.orders-events"]["action"] = "publish"
    assert [error.json_path for error in official.iter_errors(wrong)] == ["$.operations['orders.sends.orders-events']"]
