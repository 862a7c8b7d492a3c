"""Transactional batches."""

import json
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.items import Items, Operation, Outcome
from local.cosmos.store import Store

MOST_OPERATIONS = 100
_KINDS = ("Create", "Upsert", "Replace", "Patch", "Read", "Delete")


def execute(store: Store, container: Container, partition: str, wish: Any) -> tuple[int, list[str], float]:
    """Do all of a batch, or nothing: status (207 when it failed), the operations' results as JSON, charge.

    400 for what isn't a batch, before anything is done.
    """
    if not isinstance(wish, list) or not wish:
        raise errors.bad_request("Batch request has no operations.")
    if len(wish) > MOST_OPERATIONS:
        raise errors.bad_request(
            f"Batch request has more operations than what is supported. It can have {MOST_OPERATIONS}."
        )
    operations, outcomes, status = [_operation(one) for one in wish], list[Outcome](), 200
    items = Items(container, partition, store.sequence)
    try:
        with store.transaction():
            for operation in operations:
                outcomes.append(items.apply(operation))
        charge = sum(outcome.charge for outcome in outcomes)
    except errors.CosmosError as error:
        failed, undone = Outcome(error.status, charges.read(0), substatus=error.substatus), Outcome(424, 0.0)
        charge = sum(outcome.charge for outcome in outcomes) + failed.charge
        rest = len(operations) - len(outcomes) - 1
        status, outcomes = 207, [*([undone] * len(outcomes)), failed, *([undone] * rest)]
    return status, [_result(outcome) for outcome in outcomes], charge


def _operation(wish: Any) -> Operation:
    if not isinstance(wish, dict) or wish.get("operationType") not in _KINDS or not isinstance(wish.get("id", ""), str):
        raise errors.bad_request(f"A batch consists of {', '.join(_KINDS)}; an id is a text.")
    conditions = wish.get("ifMatch"), wish.get("ifNoneMatch")
    return Operation(wish["operationType"], wish.get("id"), wish.get("resourceBody"), *conditions)


def _result(outcome: Outcome) -> str:
    head: dict[str, object] = {"statusCode": outcome.status, "requestCharge": round(outcome.charge, 2)}
    head |= {"subStatusCode": outcome.substatus} if outcome.substatus else {}
    head |= {"eTag": outcome.etag} if outcome.etag else {}
    text = json.dumps(head)
    return f'{text[:-1]}, "resourceBody": {outcome.body}}}' if outcome.body else text
