from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosHttpResponseError


async def patched(container: ContainerProxy, pk: str, before: dict[str, Any], *operations: dict[str, Any]) -> Any:
    """What operations make of an item."""
    await container.upsert_item({"id": "a", "pk": pk, **before})
    answer = await container.patch_item("a", pk, list(operations))
    assert answer == await container.read_item("a", pk)
    return {name: value for name, value in answer.items() if name not in ("id", "pk") and not name.startswith("_")}


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({}, {"op": "add", "path": "/n", "value": 1}, {"n": 1}),
        ({"n": 1}, {"op": "add", "path": "/n", "value": 2}, {"n": 2}),
        ({}, {"op": "set", "path": "/n", "value": {"m": [1]}}, {"n": {"m": [1]}}),
        ({"n": {"m": 1}}, {"op": "set", "path": "/n/m", "value": None}, {"n": {"m": None}}),
        ({"n": 1}, {"op": "replace", "path": "/n", "value": "x"}, {"n": "x"}),
        ({"n": 1, "m": 2}, {"op": "remove", "path": "/n"}, {"m": 2}),
        ({"n": 5}, {"op": "incr", "path": "/n", "value": -2}, {"n": 3}),
        ({"n": 1.5}, {"op": "incr", "path": "/n", "value": 1.25}, {"n": 2.75}),
        ({}, {"op": "incr", "path": "/n", "value": 4}, {"n": 4}),
        ({"a/b": 1}, {"op": "set", "path": "/a~1b", "value": 2}, {"a/b": 2}),
    ],
)
async def test_an_operation_changes_what_its_path_names(
    container: ContainerProxy, pk: str, before: dict[str, Any], operation: dict[str, Any], after: dict[str, Any]
) -> None:
    assert await patched(container, pk, before, operation) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "set", "path": "/missing/child", "value": 1},
        {"op": "incr", "path": "/text", "value": 1},
        {"op": "set", "path": "/text/child", "value": 1},
        {"op": "incr", "path": "/n", "value": "1"},
        {"op": "set", "path": "/n"},
        {"op": "set", "path": "n", "value": 1},
        {"op": "set", "path": "/id", "value": "b"},
        {"op": "set", "path": "/pk", "value": "b"},
        {"op": "set", "path": "/_ts", "value": 1},
        {"op": "nonsense", "path": "/n", "value": 1},
    ],
)
async def test_an_operation_that_can_not_be_done_is_refused_and_changes_nothing(
    container: ContainerProxy, pk: str, operation: dict[str, Any]
) -> None:
    before = await container.create_item({"id": "a", "pk": pk, "n": 1, "text": "x"})

    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.patch_item("a", pk, [{"op": "set", "path": "/n", "value": 2}, operation])

    assert caught.value.status_code == 400
    assert await container.read_item("a", pk) == before


async def test_operations_build_on_one_another(container: ContainerProxy, pk: str) -> None:
    add = {"op": "add", "path": "/o", "value": {}}
    fill = {"op": "add", "path": "/o/n", "value": 1}
    more = {"op": "incr", "path": "/o/n", "value": 2}

    assert await patched(container, pk, {}, add, fill, more) == {"o": {"n": 3}}


async def test_ten_operations_are_allowed_and_eleven_are_not(container: ContainerProxy, pk: str) -> None:
    operations = [{"op": "incr", "path": "/n", "value": 1} for _ in range(10)]

    assert await patched(container, pk, {"n": 0}, *operations) == {"n": 10}
    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.patch_item("a", pk, [*operations, operations[0]])

    assert caught.value.status_code == 400


async def test_a_patch_happens_only_where_its_condition_holds(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk, "available": 3})
    take = [{"op": "incr", "path": "/available", "value": -2}]
    condition = "from c where c.available >= 2"

    await container.patch_item("a", pk, take, filter_predicate=condition)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.patch_item("a", pk, take, filter_predicate=condition)

    assert (await container.read_item("a", pk))["available"] == 1


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("FROM c WHERE c.state = 'active' AND c.n > 1", True),
        ("from item where item.state IN ('released', 'committed')", False),
        ("from c where c.missing = 1", False),
        ("from c where c.missing != 1", False),
        ("from c where c.nested.deep = true OR c.n < 0", True),
        ("from c where c.nothing = null and c.n != 3", True),
        ("from c where c.n = '2'", False),
    ],
)
async def test_a_condition_is_a_query_s(container: ContainerProxy, pk: str, condition: str, holds: bool) -> None:
    item = {"state": "active", "n": 2, "nested": {"deep": True}, "nothing": None}
    await container.create_item({"id": "a", "pk": pk, **item})

    try:
        await container.patch_item("a", pk, [{"op": "set", "path": "/done", "value": True}], filter_predicate=condition)
    except CosmosAccessConditionFailedError:
        assert not holds

    assert ((await container.read_item("a", pk)).get("done") is True) is holds
