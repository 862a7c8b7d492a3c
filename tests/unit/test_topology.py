"""infra/topology.json is what the code does: triggers, contracts, settings, grants."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from shared import messaging
from shared.context import BoundedContext
from shared.contracts import Command, Contract, Event
from shared.contracts.customers import CustomerForgotten
from shared.dispatch import Dispatcher, Handler
from shared.messaging import catalogue, contract_class, type_name
from simulation.topology import CONTEXTS, TOPOLOGY
from simulation.world import ENVIRONMENT
from tests.unit.world import World

QUEUES = {queue["name"] for queue in TOPOLOGY["queues"]}
TOPICS = {topic["name"] for topic in TOPOLOGY["topics"]}
GRANTS = {grant["context"]: grant for grant in TOPOLOGY["grants"]}
SPEAKING = [context for context in CONTEXTS if find_spec(f"shared.contracts.{context}")]
"""The contexts that have messages of their own."""
COMMANDS = [each for each in catalogue().values() if issubclass(each, Command)]


@pytest.fixture(scope="module")
def bindings() -> dict[str, list[dict[str, Any]]]:
    """Every function's bindings as the host is given them, by the app that Azure runs."""
    program = (
        "import json, function_app; functions = function_app.app.get_functions();"
        "print(json.dumps({f.get_function_name(): list(map(json.loads, f.get_raw_bindings())) for f in functions}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[dict[str, Any]]] = json.loads(run.stdout)
    return found


def test_one_function_drains_each_queue_under_its_contexts_connection(
    bindings: dict[str, list[dict[str, Any]]],
) -> None:
    triggers = [b for each in bindings.values() for b in each if b["type"] == "serviceBusTrigger"]
    receives = {queue: grant["context"] for grant in TOPOLOGY["grants"] for queue in grant["receive"]}
    assert {t["queueName"]: t["connection"] for t in triggers} == {
        queue: f"SERVICEBUS_{context.upper()}" for queue, context in receives.items()
    }
    assert set(receives) == QUEUES
    assert len(triggers) == len(QUEUES)
    assert {t["dataType"] for t in triggers} == {"BINARY"}


def test_every_context_has_one_sweep_whose_schedule_is_a_setting(bindings: dict[str, list[dict[str, Any]]]) -> None:
    timers = {name: b for name, each in bindings.items() for b in each if b["type"] == "timerTrigger"}
    assert set(timers) == {f"{context}_sweep" for context in CONTEXTS}
    assert {timer["schedule"] for timer in timers.values()} == {"%SWEEP_SCHEDULE%"}
    example = json.loads((Path(__file__).parents[2] / "local.settings.example.json").read_text())
    assert example["Values"]["SWEEP_SCHEDULE"]


def test_http_functions_are_what_their_contexts_declare(bindings: dict[str, list[dict[str, Any]]]) -> None:
    declared = [each.operation for each in World().functions.values() if hasattr(each, "operation")]
    expected = {
        operation.id: [
            {
                "direction": "IN",
                "type": "httpTrigger",
                "name": "req",
                "methods": [operation.method],
                "authLevel": "ANONYMOUS",
                "route": operation.route,
            },
            {"direction": "OUT", "type": "http", "name": "$return"},
        ]
        for operation in declared
    }
    assert {name: each for name, each in bindings.items() if each[0]["type"] == "httpTrigger"} == expected
    assert expected.keys() >= {f"{context}_live" for context in CONTEXTS}
    assert all(operation.summary and operation.statuses for operation in declared)


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[type[Contract]]]:
    """The contracts that each queue's function has a handler for."""
    found: dict[str, set[type[Contract]]] = {}

    def noticed(context: BoundedContext, queue: str, handlers: Mapping[type[Contract], Handler]) -> Dispatcher:
        found[queue] = set(handlers)
        return dispatcher(context, queue, handlers)

    dispatcher = BoundedContext.dispatcher
    monkeypatch.setattr(BoundedContext, "dispatcher", noticed)
    World()
    return found


def test_every_event_that_a_queues_function_wants_is_forwarded_there_once_and_no_other(
    wanted: dict[str, set[type[Contract]]],
) -> None:
    for queue, contracts in wanted.items():
        # Whoever drains it, the dispatcher itself takes what is parked of whom orders forgets.
        wants = contracts | ({CustomerForgotten} if queue in CONTEXTS and queue != "orders" else set())
        forwarded = [type for each in TOPOLOGY["subscriptions"] if each["forwardTo"] == queue for type in each["types"]]
        assert sorted(forwarded) == sorted(type_name(cls) for cls in wants if issubclass(cls, Event)), queue


def test_every_command_goes_to_a_queue_whose_function_does_it(wanted: dict[str, set[type[Contract]]]) -> None:
    for context in SPEAKING:
        assert {each for each in COMMANDS if messaging.owner(each) == context} <= wanted.get(context, set()), context


@pytest.mark.parametrize("subscription", TOPOLOGY["subscriptions"], ids=lambda s: f"{s['topic']} to {s['name']}")
def test_a_subscription_forwards_types_that_its_topic_carries(subscription: dict[str, Any]) -> None:
    classes = {contract_class(type) for type in subscription["types"]}
    assert {f"{cls.__module__.split('.')[-1]}-events" for cls in classes} == {subscription["topic"]}


def test_each_context_may_send_what_it_sends_and_to_its_own_queues_again() -> None:
    commands = {messaging.owner(each) for each in COMMANDS}
    for context in CONTEXTS:
        own = set(GRANTS[context]["receive"])
        of_orders = {"customers-events", *commands} if context == "orders" else set()
        expected = ({f"{context}-events"} & TOPICS) | own | of_orders
        assert set(GRANTS[context]["send"]) == expected


def test_each_context_manages_the_queues_that_it_receives_from_so_that_azure_sees_their_length() -> None:
    for grant in TOPOLOGY["grants"]:
        assert grant["manage"] == grant["receive"]


def owner(queue: str) -> str:
    return next(str(grant["context"]) for grant in TOPOLOGY["grants"] if queue in grant["receive"])


def test_every_queue_but_the_dead_ones_forwards_its_dead_letters_to_its_contexts() -> None:
    for queue in TOPOLOGY["queues"]:
        expected = None if queue["name"].endswith("-dead") else f"{owner(queue['name'])}-dead"
        assert queue.get("forwardDeadLettersTo") == expected


def test_what_a_subscription_cannot_forward_goes_where_its_reader_looks() -> None:
    for subscription in TOPOLOGY["subscriptions"]:
        assert subscription["forwardDeadLettersTo"] == f"{owner(subscription['forwardTo'])}-dead"


def test_every_context_has_one_container_of_its_name() -> None:
    assert [container["name"] for container in TOPOLOGY["containers"]] == list(CONTEXTS)
    assert {container["partitionKey"] for container in TOPOLOGY["containers"]} == {"/pk"}


async def test_a_whole_journey_sends_only_what_the_grants_allow() -> None:
    world = World()
    await world.stocked(MUG=5)
    first = await world.placed(("MUG", 1))
    await world.placed(("MUG", 9))
    await world.drain()
    await world.dispatched(first)
    await world.drain()
    destinations = {destination for destination, _ in world.broker.sent}
    assert destinations <= QUEUES | TOPICS
    assert destinations <= {entity for grant in TOPOLOGY["grants"] for entity in grant["send"]}
