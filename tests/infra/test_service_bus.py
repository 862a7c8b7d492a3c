"""The namespace has the topology's queues, topics and subscriptions, as the topology has them."""

import pytest

from tests.infra.deployment import TOPOLOGY, Deployment

NAMESPACE = "Microsoft.ServiceBus/namespaces"


def test_queues_are_the_topologys(deployed: Deployment) -> None:
    found = {
        name: (
            each["lockDuration"],
            each["maxDeliveryCount"],
            each["duplicateDetectionHistoryTimeWindow"],
            each.get("forwardDeadLetteredMessagesTo"),
        )
        for name, each in deployed.named(f"{NAMESPACE}/queues").items()
    }
    assert found == {
        queue["name"]: (
            queue["lockDuration"],
            queue["maxDeliveryCount"],
            queue["duplicateDetectionWindow"],
            queue.get("forwardDeadLettersTo"),
        )
        for queue in TOPOLOGY["queues"]
    }


def test_topics_are_the_topologys(deployed: Deployment) -> None:
    found = deployed.named(f"{NAMESPACE}/topics")
    assert {name: each["duplicateDetectionHistoryTimeWindow"] for name, each in found.items()} == {
        topic["name"]: topic["duplicateDetectionWindow"] for topic in TOPOLOGY["topics"]
    }


@pytest.mark.parametrize("kind", ["queues", "topics"])
def test_a_message_that_was_sent_twice_is_taken_once_and_there_is_room(deployed: Deployment, kind: str) -> None:
    for each in deployed.named(f"{NAMESPACE}/{kind}").values():
        assert each["requiresDuplicateDetection"] is True
        assert each["maxSizeInMegabytes"] == 5120


def test_subscriptions_are_the_topologys(deployed: Deployment) -> None:
    found = {
        tuple(each["name"].split("/")[1:]): each["properties"]
        for each in deployed.all(f"{NAMESPACE}/topics/subscriptions")
    }
    assert found == {
        (each["topic"], each["name"]): {
            "forwardTo": each["forwardTo"],
            "forwardDeadLetteredMessagesTo": each["forwardDeadLettersTo"],
            "maxDeliveryCount": each["maxDeliveryCount"],
            "deadLetteringOnFilterEvaluationExceptions": True,
        }
        for each in TOPOLOGY["subscriptions"]
    }


def test_each_subscription_has_one_rule_in_place_of_the_one_that_takes_everything(deployed: Deployment) -> None:
    rules = [
        (*each["name"].split("/")[1:], each["properties"]["sqlFilter"]["sqlExpression"])
        for each in deployed.all(f"{NAMESPACE}/topics/subscriptions/rules")
    ]
    assert sorted(rules) == sorted(
        (each["topic"], each["name"], "$Default", _filter(each.get("types"))) for each in TOPOLOGY["subscriptions"]
    )


def _filter(types: list[str] | None) -> str:
    return f"cloudEvents_type IN ({', '.join(f"'{type}'" for type in types)})" if types else "1=1"
