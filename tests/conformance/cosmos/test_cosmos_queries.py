"""Queries. Each test has a container's worth of documents of its own, told apart by `run`."""

from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

ITEMS: list[dict[str, Any]] = [
    {"id": "1", "kind": "order", "rank": 3, "name": "Apple", "flag": True, "tags": ["red", "sweet"]},
    {"id": "2", "kind": "order", "rank": 1, "name": "banana", "flag": False, "nested": {"deep": {"n": 7}}},
    {"id": "3", "kind": "order", "rank": 2, "name": "Cherry", "nothing": None, "tags": []},
    {"id": "4", "kind": "outbox", "rank": "high", "name": "apple pie", "list": [{"n": 1}, {"n": 2, "m": 3}]},
    {"id": "5", "kind": "outbox", "name": 'it\'s "quoted"', "rank": None},
    {"id": "6", "kind": "outbox", "name": "ünïcode", "rank": True, "amount": 2.5},
]


@pytest.fixture
async def items(container: ContainerProxy, pk: str) -> str:
    """The documents above in one partition, created in this order; its key."""
    for item in ITEMS:
        await container.create_item({**item, "pk": pk, "run": pk})
    return pk


async def found(container: ContainerProxy, query: str, pk: str | None, **parameters: Any) -> list[Any]:
    """All results of a query, in one partition or across."""
    where: dict[str, Any] = {} if pk is None else {"partition_key": pk}
    values: list[dict[str, object]] = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    return [result async for result in container.query_items(query, parameters=values, **where)]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("c.kind = 'order'", "123"),
        ('c.kind = "order" AND c.rank >= 2', "13"),
        ("c.rank > 1 AND c.rank < 3", "3"),
        ("c.rank = 'high'", "4"),
        ("c.rank < 'i'", "4"),
        ("c.rank = null", "5"),
        ("c.rank = true", "6"),
        ("2 <= c.rank", "13"),
        ("c.rank IN (1, 'high', null)", "245"),
        ("c.name IN ('Apple', 'Cherry')", "13"),
        ("c.flag", "1"),
        ("c.flag = true OR c.rank = 2", "13"),
        ("c.rank != 3 AND c.kind = 'order'", "23"),
        ("c.missing = c.missing", ""),
        ("c.missing != 1", ""),
        ("c.missing = 1 OR c.id = '1'", "1"),
        ("c.nested.deep.n = 7", "2"),
        ("c.name = 'it\\'s \"quoted\"'", "5"),
        ("c.name = 'ünïcode'", "6"),
        ("c.amount = 2.5", "6"),
        ("c.amount > 2 AND c.amount <= 25e-1", "6"),
        ("c.rank > -1", "123"),
        ("(c.kind = 'order' AND c.rank = 1) OR (c.kind = 'outbox' AND c.rank = null)", "25"),
        ("true", "123456"),
        ("false", ""),
    ],
)
async def test_a_condition_finds_what_fulfils_it(
    container: ContainerProxy, items: str, condition: str, ids: str
) -> None:
    within = await found(container, f"SELECT * FROM c WHERE {condition}", items)
    across = await found(container, f"SELECT * FROM c WHERE c.run = @run AND ({condition})", None, run=items)

    assert "".join(item["id"] for item in within) == ids
    assert "".join(sorted(item["id"] for item in across)) == ids


@pytest.mark.parametrize("value", [3, "high", None, True, 2.5, [], ["red", "sweet"], {"deep": {"n": 7}}])
async def test_a_parameter_may_be_any_json_value(container: ContainerProxy, items: str, value: Any) -> None:
    expected = [item["id"] for item in ITEMS if any(type(v) is type(value) and v == value for v in item.values())]
    names = {name for item in ITEMS for name in item}
    condition = " OR ".join(f"c.{name} = @value" for name in sorted(names))

    results = await found(container, f"SELECT VALUE c.id FROM c WHERE {condition}", items, value=value)

    assert results == expected


async def test_a_text_with_nul_is_equal_to_itself_alone(container: ContainerProxy, pk: str) -> None:
    texts = ["a\0b", "a", "a\0c", "\0", "a\\u0000b"]
    for number, text in enumerate(texts):
        await container.create_item({"id": f"{number}", "pk": pk, "text": text, "m": {"text": text}, "run": pk})

    for text in texts:
        for name in ("text", "m.text"):
            query = f"SELECT VALUE c.text FROM c WHERE c.{name} = @text AND c.run = @run"
            assert await found(container, query, None, text=text, run=pk) == [text]
    assert await found(container, "SELECT VALUE c.text FROM c ORDER BY c.text", pk) == sorted(texts)


@pytest.mark.parametrize(
    ("selection", "results"),
    [
        ("c.id, c.rank", [{"id": "1", "rank": 3}, {"id": "2", "rank": 1}, {"id": "3", "rank": 2}]),
        ("c.id AS key, c.nested.deep.n", [{"key": "1"}, {"key": "2", "n": 7}, {"key": "3"}]),
        ("c.rank r", [{"r": 3}, {"r": 1}, {"r": 2}]),
        ("VALUE c.rank", [3, 1, 2]),
        ("VALUE c.flag", [True, False]),
        ("VALUE c.nothing", [None]),
        ("VALUE COUNT(1)", [3]),
    ],
)
async def test_a_selection_shapes_the_results(
    container: ContainerProxy, items: str, selection: str, results: list[Any]
) -> None:
    within = await found(container, f"SELECT {selection} FROM c WHERE c.kind = 'order'", items)
    across = await found(
        container, f"SELECT {selection} FROM c WHERE c.kind = 'order' AND c.run = @run", None, run=items
    )

    assert within == results
    assert sorted(across, key=str) == sorted(results, key=str)


async def test_the_container_goes_by_any_alias(container: ContainerProxy, items: str) -> None:
    assert await found(container, "select value r.id from root r where r.rank = 3", items) == ["1"]
    assert await found(container, "SELECT VALUE o.id FROM orders o WHERE o.rank = 3", items) == ["1"]
    assert await found(container, "SELECT VALUE c.id FROM c AS c WHERE c.rank = 3", items) == ["1"]


async def test_documents_sort_by_type_then_value(container: ContainerProxy, items: str) -> None:
    ascending = await found(container, "SELECT VALUE c.rank FROM c ORDER BY c.rank", items)
    descending = await found(
        container, "SELECT VALUE c.rank FROM c WHERE c.run = @run ORDER BY c.rank DESC", None, run=items
    )

    assert ascending == [None, True, 1, 2, 3, "high"]
    assert descending == ascending[::-1]


async def test_a_document_without_the_property_is_left_out_of_a_sorting(container: ContainerProxy, items: str) -> None:
    # Under the default policy, which includes /* only: the documentation of ORDER BY.
    assert await found(container, "SELECT VALUE c.id FROM c ORDER BY c.amount", items) == ["6"]


async def test_a_sorting_by_several_properties_needs_their_composite_index(
    container: ContainerProxy, items: str
) -> None:
    both = await found(container, "SELECT VALUE c.id FROM c ORDER BY c.rank, c.id", items)
    opposite = await found(container, "SELECT VALUE c.id FROM c ORDER BY c.rank DESC, c.id DESC", items)
    with pytest.raises(CosmosHttpResponseError) as caught:
        await found(container, "SELECT VALUE c.id FROM c ORDER BY c.id, c.rank", items)

    assert both == ["5", "6", "2", "3", "1", "4"]
    assert opposite == both[::-1]
    assert caught.value.status_code == 400


async def test_top_cuts_the_results(container: ContainerProxy, items: str) -> None:
    ranked = "FROM c WHERE c.kind = 'order' ORDER BY c.rank"

    assert await found(container, f"SELECT TOP 2 VALUE c.rank {ranked}", items) == [1, 2]
    assert await found(container, f"SELECT TOP @n VALUE c.rank {ranked}", items, n=1) == [1]
    assert await found(container, "SELECT TOP 0 * FROM c", items) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM c",
        "SELECT * FROM c WHERE c.kind IN ('order', 'outbox')",
        "SELECT * FROM c ORDER BY c.name DESC",
        "SELECT * FROM c ORDER BY c.rank, c.id",
        "SELECT TOP 5 * FROM c",
        "SELECT TOP 4 * FROM c ORDER BY c.id DESC",
        "SELECT * FROM c ORDER BY c.rank DESC, c.id DESC",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 4])
async def test_pages_come_to_the_same_as_the_whole(
    container: ContainerProxy, items: str, query: str, size: int
) -> None:
    whole = await found(container, query, items)
    pages = container.query_items(query, partition_key=items, max_item_count=size).by_page()
    collected = [[item async for item in page] async for page in pages]

    assert [item for page in collected for item in page] == whole
    assert all(len(page) <= size for page in collected)
    assert len(whole) > 3


@pytest.mark.parametrize("order", ["", " ORDER BY c.rank", " ORDER BY c.name DESC"])
async def test_a_query_resumes_where_a_page_ended_though_what_was_read_is_deleted(
    container: ContainerProxy, items: str, order: str
) -> None:
    query = f"SELECT * FROM c{order}"
    whole = [item["id"] for item in await found(container, query, items)]
    seen: list[str] = []
    token: str | None = None
    while True:
        pages = container.query_items(query, partition_key=items, max_item_count=2).by_page(token)
        page = [item["id"] async for item in await anext(pages)]
        seen += page
        for id in page:
            await container.delete_item(id, items)
        token = pages.continuation_token  # type: ignore[attr-defined]  # typed as a mere iterator
        if not token:
            break

    assert seen == whole


async def test_many_items_are_read_at_once_in_the_order_asked_for(container: ContainerProxy, pk: str) -> None:
    wanted = [(f"item-{number}", f"{pk}-{number % 7}") for number in range(60)]
    for id, key in wanted[:50]:
        await container.create_item({"id": id, "pk": key})

    items = await container.read_items(wanted[::-1])

    assert [(item["id"], item["pk"]) for item in items] == wanted[:50][::-1]


async def test_many_items_of_one_partition_are_read_at_once(container: ContainerProxy, items: str) -> None:
    read = await container.read_items([("5", items), ("none", items), ("2", items)])

    assert [item["id"] for item in read] == ["5", "2"]


async def test_items_whose_keys_have_nul_are_read_at_once(container: ContainerProxy, pk: str) -> None:
    wanted = [("a\0b", f"{pk}\0c"), ("a", f"{pk}\0c"), ("a\0c", pk)]
    for id, key in wanted[:2]:
        await container.create_item({"id": id, "pk": key})

    items = await container.read_items(wanted)

    assert [(item["id"], item["pk"]) for item in items] == wanted[:2]


async def test_all_items_can_be_read(container: ContainerProxy, items: str) -> None:
    everything = [item async for item in container.read_all_items(max_item_count=3) if item["pk"] == items]

    assert [item["id"] for item in everything] == [item["id"] for item in ITEMS]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM c WHERE",
        "SELEKT * FROM c",
        "SELECT * FROM c WHERE c.value = 1",
        "SELECT c.id AS order FROM c",
        "SELECT * FROM c WHERE (c.id = '1'",
        "SELECT * FROM c WHERE c.id = '1' c.id",
        "SELECT * FROM c WHERE other.id = '1'",
        "SELECT * FROM c WHERE c.id = @unknown",
        "SELECT * FROM c WHERE c.id = 'open",
        "SELECT * FROM c WHERE c.id = = '1'",
        "SELECT * FROM c AND c.id = '1'",
        "SELECT c.id, FROM c",
        "SELECT TOP 'x' * FROM c",
        "SELECT * FROM c ORDER BY 1",
        "SELECT * FROM c WHERE c.id IN ()",
    ],
)
async def test_a_query_that_is_none_is_refused(container: ContainerProxy, pk: str, query: str) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await found(container, query, pk)

    assert caught.value.status_code == 400
