"""`local.topology`: what the local stack reads from `infra/topology.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.topology import Container, Grant, Queue, Subscription, Topic, TopologyError, load, milliseconds, parse

TOPOLOGY = Path(__file__).parents[2] / "infra" / "topology.json"


def test_the_projects_own_topology_loads() -> None:
    topology = load(TOPOLOGY)

    assert {grant.context for grant in topology.grants} == set(topology.contexts)
    assert all(queue.lock_duration > 0 for queue in topology.queues)


def test_every_section_becomes_dataclasses_with_durations_in_milliseconds() -> None:
    topology = parse(
        {
            "contexts": ["shop"],
            "containers": [
                {"name": "shop", "partitionKey": "/pk", "defaultTtl": -1, "indexingPolicy": {"automatic": True}}
            ],
            "queues": [
                {
                    "name": "q",
                    "lockDuration": "PT1M30S",
                    "duplicateDetectionWindow": "PT10M",
                    "forwardDeadLettersTo": "dead",
                },
                {"name": "dead"},
            ],
            "topics": [{"name": "t", "defaultMessageTtl": "P1D"}],
            "subscriptions": [{"topic": "t", "name": "s", "forwardTo": "q", "maxDeliveryCount": 3, "types": ["a.v1"]}],
            "grants": [{"context": "shop", "send": ["t"], "receive": ["q", "t/Subscriptions/s"], "manage": ["q"]}],
        }
    )

    assert topology.containers == (Container("shop", "/pk", -1, {"automatic": True}),)
    assert topology.queues[0] == Queue(
        "q", duplicate_detection_window=600_000, lock_duration=90_000, forward_dead_letters_to="dead"
    )
    assert topology.topics == (Topic("t", default_message_ttl=86_400_000),)
    assert topology.subscriptions == (Subscription("t", "s", ("a.v1",), max_delivery_count=3, forward_to="q"),)
    assert topology.grants == (
        Grant("shop", frozenset({"t"}), frozenset({"q", "t/Subscriptions/s"}), frozenset({"q"})),
    )


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"queus": []}, "queus: unknown field"),
        ({"queues": [{"name": "q", "lockDuratoin": "PT1M"}]}, "queue 'q': lockDuratoin: unknown field"),
        ({"queues": [{"name": "q", "lockDuration": "1 minute"}]}, "queue 'q': lockDuration: .*not an ISO 8601"),
        ({"queues": [{"name": "q", "maxDeliveryCount": "ten"}]}, "queue 'q': maxDeliveryCount: .* valid integer"),
        ({"topics": [{"name": 7}]}, "topic 7: name: .* valid string"),
        ({"subscriptions": [{"topic": "t", "name": "s", "types": True}]}, "'s': types: .* valid (array|tuple)"),
        ({"subscriptions": [{"topic": "t", "name": "s", "types": "a.v1"}]}, "'s': types: .* valid (array|tuple)"),
        ({"queues": [{"lockDuration": "PT1M"}]}, "queue None: .*name"),
        ({"queues": ["q"]}, "queue 'q': .*should be an object"),
        ({"contexts": ["shop", 7]}, "context 7: .* valid string"),
        ([], "an object of sections"),
        ({"queues": [{"name": "q"}, {"name": "q"}]}, "share the name 'q'"),
        ({"queues": [{"name": "q"}], "topics": [{"name": "q"}]}, "a queue and a topic share the name 'q'"),
        ({"queues": [{"name": "q", "forwardTo": "x"}]}, "queue 'q' names 'x'"),
        ({"subscriptions": [{"topic": "t", "name": "s"}]}, "subscription 's' names 't'"),
        ({"contexts": ["c"], "grants": [{"context": "c", "send": ["x"]}]}, "grant 'c' names 'x'"),
        ({"grants": [{"context": "c"}]}, "grant 'c' names 'c'"),
    ],
)
def test_what_is_wrong_is_refused_by_name(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TopologyError, match=complaint):
        parse(document)


def test_a_file_that_is_not_json_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    path.write_text("{", encoding="utf-8")

    with pytest.raises(TopologyError, match=r"topology\.json"):
        load(path)


def test_the_loader_reads_what_json_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    path.write_text(json.dumps({"queues": [{"name": "q"}]}), encoding="utf-8")

    assert load(path).queues == (Queue("q"),)


@pytest.mark.parametrize(
    ("duration", "length"), [("PT1M", 60_000), ("PT0.5S", 500), ("P7D", 604_800_000), ("P1DT2H3M4S", 93_784_000)]
)
def test_durations_of_days_to_seconds(duration: str, length: int) -> None:
    assert milliseconds(duration) == length


@pytest.mark.parametrize("duration", ["", "P", "PT", "1M", "P1M", "P1Y", "PT1.5M"])
def test_other_durations_are_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        milliseconds(duration)
