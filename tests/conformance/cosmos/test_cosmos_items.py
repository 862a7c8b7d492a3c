import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, DatabaseProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.cosmos.partition_key import NonePartitionKeyValue


def own(item: dict[str, Any]) -> dict[str, Any]:
    """An item without the system's properties."""
    return {name: value for name, value in item.items() if not name.startswith("_")}


async def test_a_created_item_comes_back_with_the_system_s_properties(container: ContainerProxy, pk: str) -> None:
    created = await container.create_item({"id": "a", "pk": pk, "n": 1})

    assert own(created) == {"id": "a", "pk": pk, "n": 1}
    assert {"_rid", "_self", "_etag", "_ts", "_attachments"} <= created.keys()
    assert created.get_response_headers()["etag"] == created["_etag"]
    assert await container.read_item("a", pk) == created


async def test_a_json_value_of_any_kind_survives_storage(container: ContainerProxy, pk: str) -> None:
    item: dict[str, Any] = {
        "id": "ä b%2 ☃ 😀",
        "pk": pk,
        "text": 'line\nbreak "quote" \\ ünï 😀 \u0000',
        "numbers": [0, -1, 1.5, 1e300, 9007199254740991],
        "nested": {"a": {"b": [None, True, False, {}, []]}, "": "empty name"},
    }

    await container.create_item(item)

    assert own(await container.read_item(item["id"], pk)) == item


async def test_creating_an_item_twice_is_a_conflict(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk, "n": 1})

    with pytest.raises(CosmosResourceExistsError):
        await container.create_item({"id": "a", "pk": pk, "n": 2})

    assert (await container.read_item("a", pk))["n"] == 1


async def test_one_id_can_be_used_in_several_partitions(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk})
    await container.create_item({"id": "a", "pk": f"{pk}-other"})

    assert (await container.read_item("a", f"{pk}-other"))["pk"] == f"{pk}-other"


@pytest.mark.parametrize(
    "call",
    [
        lambda container, pk: container.read_item("a", pk),
        lambda container, pk: container.replace_item("a", {"id": "a", "pk": pk}),
        lambda container, pk: container.delete_item("a", pk),
        lambda container, pk: container.patch_item("a", pk, [{"op": "set", "path": "/n", "value": 1}]),
    ],
    ids=["read", "replace", "delete", "patch"],
)
async def test_a_missing_item_is_not_found(
    container: ContainerProxy, pk: str, call: Callable[[ContainerProxy, str], Awaitable[object]]
) -> None:
    with pytest.raises(CosmosResourceNotFoundError):
        await call(container, pk)


async def test_upsert_creates_then_replaces(container: ContainerProxy, pk: str) -> None:
    first = await container.upsert_item({"id": "a", "pk": pk, "n": 1})
    second = await container.upsert_item({"id": "a", "pk": pk, "m": 2})

    assert own(await container.read_item("a", pk)) == {"id": "a", "pk": pk, "m": 2}
    assert first["_etag"] != second["_etag"]
    assert first["_rid"] == second["_rid"]


async def test_replace_under_the_current_etag_succeeds_and_under_an_old_one_fails(
    container: ContainerProxy, pk: str
) -> None:
    first = await container.create_item({"id": "a", "pk": pk, "n": 1})
    unmodified = MatchConditions.IfNotModified

    await container.replace_item("a", {"id": "a", "pk": pk, "n": 2}, etag=first["_etag"], match_condition=unmodified)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.replace_item(
            "a", {"id": "a", "pk": pk, "n": 3}, etag=first["_etag"], match_condition=unmodified
        )

    assert (await container.read_item("a", pk))["n"] == 2


async def test_upsert_delete_and_patch_heed_the_etag_too(container: ContainerProxy, pk: str) -> None:
    old = await container.create_item({"id": "a", "pk": pk, "n": 1})
    await container.upsert_item({"id": "a", "pk": pk, "n": 2})
    condition: dict[str, Any] = {"etag": old["_etag"], "match_condition": MatchConditions.IfNotModified}

    with pytest.raises(CosmosAccessConditionFailedError):
        await container.upsert_item({"id": "a", "pk": pk, "n": 3}, **condition)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.delete_item("a", pk, **condition)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.patch_item("a", pk, [{"op": "set", "path": "/n", "value": 3}], **condition)

    assert (await container.read_item("a", pk))["n"] == 2


async def test_upsert_under_an_etag_creates_what_is_not_there(container: ContainerProxy, pk: str) -> None:
    created = await container.upsert_item(
        {"id": "a", "pk": pk}, etag='"of nothing"', match_condition=MatchConditions.IfNotModified
    )

    assert created["id"] == "a"


async def test_reading_what_has_not_changed_answers_nothing(container: ContainerProxy, pk: str) -> None:
    item = await container.create_item({"id": "a", "pk": pk})
    modified = MatchConditions.IfModified

    unchanged = await container.read_item("a", pk, etag=item["_etag"], match_condition=modified)
    other = await container.read_item("a", pk, etag='"another"', match_condition=modified)

    assert unchanged == {}
    assert other == item


async def test_a_deleted_item_can_be_created_anew_under_another_etag(container: ContainerProxy, pk: str) -> None:
    first = await container.create_item({"id": "a", "pk": pk})
    await container.delete_item("a", pk, etag=first["_etag"], match_condition=MatchConditions.IfNotModified)
    second = await container.create_item({"id": "a", "pk": pk})

    assert second["_etag"] != first["_etag"]


async def test_a_write_can_do_without_the_item_in_its_answer(container: ContainerProxy, pk: str) -> None:
    silent = await container.create_item({"id": "a", "pk": pk}, no_response=True)

    assert silent == {}
    assert silent.get_response_headers()["etag"] == (await container.read_item("a", pk))["_etag"]


@pytest.mark.parametrize("key", ["text", 5, 5.5, True, None])
async def test_a_partition_key_may_be_any_primitive(container: ContainerProxy, pk: str, key: Any) -> None:
    await container.create_item({"id": pk, "pk": key})

    assert (await container.read_item(pk, key))["pk"] == key
    found = [i["id"] async for i in container.query_items("SELECT * FROM c", partition_key=key)]
    assert pk in found


async def test_the_partition_key_may_be_nested(database: DatabaseProxy) -> None:
    container = await database.create_container("nested", PartitionKey("/owner/id"))

    await container.create_item({"id": "a", "owner": {"id": "o"}})

    assert (await container.read_item("a", "o"))["id"] == "a"
    await database.delete_container(container)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_an_item_above_two_megabytes_is_refused(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "fits", "pk": pk, "text": "x" * 1_900_000})

    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.create_item({"id": "too-large", "pk": pk, "text": "x" * 2_200_000})

    assert caught.value.status_code == 413


async def test_an_item_without_an_id_is_refused(container: ContainerProxy, pk: str) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.create_item({"pk": pk})

    assert caught.value.status_code == 400


async def test_a_replacement_may_have_another_id(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk})
    await container.create_item({"id": "taken", "pk": pk})

    with pytest.raises(CosmosResourceExistsError):
        await container.replace_item("a", {"id": "taken", "pk": pk})
    await container.replace_item("a", {"id": "b", "pk": pk, "n": 1})

    assert (await container.read_item("b", pk))["n"] == 1
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", pk)


async def test_an_item_that_was_read_is_addressed_by_its_resource_id(container: ContainerProxy, pk: str) -> None:
    item = await container.create_item({"id": "a", "pk": pk, "n": 1})

    read = await container.read_item(item, pk)
    replaced = await container.replace_item(read, {**read, "n": 2})
    patched = await container.patch_item(replaced, pk, [{"op": "incr", "path": "/n", "value": 1}])
    await container.delete_item(patched, pk)

    assert (read["n"], replaced["n"], patched["n"]) == (1, 2, 3)
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item(item, pk)


async def test_an_object_in_the_place_of_a_partition_key_is_none(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": pk, "pk": {"b": 1}})

    read = await container.read_item(pk, NonePartitionKeyValue)

    assert read["pk"] == {"b": 1}
    await container.delete_item(pk, NonePartitionKeyValue)


@pytest.mark.parametrize(
    ("item", "accepted"),
    [
        ({"id": "x" * 1023}, True),
        ({"id": "x" * 1024}, False),
        ({"id": "é" * 511}, True),
        ({"id": "é" * 512}, False),
        ({"id": "deep", "a": json.loads("[" * 127 + "]" * 127)}, True),
        ({"id": "deeper", "a": json.loads("[" * 128 + "]" * 128)}, False),
        ({"id": "deepest", "a": json.loads("[" * 900 + "]" * 900)}, False),
    ],
)
async def test_ids_and_nesting_have_limits(
    container: ContainerProxy, pk: str, item: dict[str, Any], accepted: bool
) -> None:
    if accepted:
        assert (await container.create_item({**item, "pk": pk}))["id"] == item["id"]
        return
    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.create_item({**item, "pk": pk})

    assert caught.value.status_code == 400


async def test_a_partition_key_has_a_limit(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": pk, "pk": "x" * 2048})

    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.create_item({"id": pk, "pk": "x" * 2049})

    assert caught.value.status_code == 400


async def test_numbers_are_doubles(container: ContainerProxy, pk: str) -> None:
    await container.create_item({"id": "a", "pk": pk, "whole": 2.0, "large": 2**53 + 1})

    read = await container.read_item("a", pk)

    assert (read["whole"], read["large"]) == (2, float(2**53))
    same = container.query_items(f"SELECT * FROM c WHERE c.large = {2**53 + 1}", partition_key=pk)
    assert [item["id"] async for item in same] == ["a"]


async def test_an_answer_names_its_activity_and_each_write_is_numbered(container: ContainerProxy, pk: str) -> None:
    answers = [await container.upsert_item({"id": f"{number}", "pk": pk}) for number in range(2)]

    headers = [answer.get_response_headers() for answer in answers]
    assert len({one["x-ms-activity-id"] for one in headers}) == 2
    assert int(headers[1]["lsn"]) == int(headers[0]["lsn"]) + 1


async def test_each_answer_says_what_it_cost(container: ContainerProxy, pk: str) -> None:
    # Microsoft's vNext emulator has no request charges.
    item = await container.create_item({"id": "a", "pk": pk})
    read = await container.read_item("a", pk)

    write_charge, read_charge = (float(answer.get_response_headers()["x-ms-request-charge"]) for answer in (item, read))
    assert write_charge > read_charge > 0
