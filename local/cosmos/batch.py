"""Transactional batches."""

import json
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.items import Items, Operation, Outcome
from local.cosmos.store import Store

MOST_OPERATIONS = 100
_NEEDED = {
    "Create": ("resourceBody",),
    "Upsert": ("resourceBody",),
    "Replace": ("id", "resourceBody"),
    "Patch": ("id", "resourceBody"),
    "Read": ("id",),
    "Delete": ("id",),
}


class _Failed(Exception):
    """An operation failed; rolls the transaction back."""


def execute(store: Store, container: Container, partition: str, wish: Any) -> tuple[int, list[str], float]:
    """Do all of a batch, or nothing: status (207 when it failed), the operations' results as JSON, charge.

    400 for what isn't a batch, before anything is done.
    """
    operations = _operations(wish)
    outcomes: list[Outcome] = []
    try:
        with store.transaction() as lsn:
            items = Items(container, partition, store.sequence, lsn)
            for operation in operations:
                outcomes.append(_attempt(items, operation))
                if outcomes[-1].status >= 400:
                    raise _Failed
    except _Failed:
        failed, charge = outcomes[-1], sum(outcome.charge for outcome in outcomes)
        undone = Outcome(424, 0.0)
        results = [undone] * (len(outcomes) - 1) + [failed] + [undone] * (len(operations) - len(outcomes))
        return 207, [_result(result) for result in results], charge
    return 200, [_result(outcome) for outcome in outcomes], sum(outcome.charge for outcome in outcomes)


def _operations(wish: Any) -> list[Operation]:
    if not isinstance(wish, list) or not wish:
        raise errors.bad_request("A batch is a list of operations.")
    if len(wish) > MOST_OPERATIONS:
        raise errors.bad_request(f"Batch request has more operations than what is supported: {MOST_OPERATIONS}.")
    return [_operation(one) for one in wish]


def _operation(wish: Any) -> Operation:
    kind = wish.get("operationType") if isinstance(wish, dict) else None
    if kind not in _NEEDED:
        raise errors.bad_request(f"Unknown batch operation {kind!r}.")
    for name in _NEEDED[kind]:
        if name not in wish:
            raise errors.bad_request(f"The batch operation {kind} needs {name!r}.")
    return Operation(kind, wish.get("id"), wish.get("resourceBody"), wish.get("ifMatch"), wish.get("ifNoneMatch"))


def _attempt(items: Items, operation: Operation) -> Outcome:
    try:
        return items.apply(operation)
    except errors.CosmosError as error:
        return Outcome(error.status, charges.read(0), substatus=error.substatus)


def _result(outcome: Outcome) -> str:
    head: dict[str, object] = {"statusCode": outcome.status, "requestCharge": round(outcome.charge, 2)}
    if outcome.substatus:
        head["subStatusCode"] = outcome.substatus
    if outcome.etag:
        head["eTag"] = outcome.etag
    text = json.dumps(head)
    return f'{text[:-1]}, "resourceBody": {outcome.body}}}' if outcome.body else text
