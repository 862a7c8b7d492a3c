from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from azure.core.exceptions import AzureError, IncompleteReadError, ServiceRequestError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from tests.local.cosmos.conftest import Account


@pytest.fixture
async def container(operator: CosmosClient) -> AsyncIterator[ContainerProxy]:
    """The orders container, its properties in the client's cache, empty of what the test leaves."""
    container = operator.get_database_client("orderflow").get_container_client("orders")
    await container.read()
    yield container
    for item in [item async for item in container.read_all_items()]:
        await container.delete_item(item["id"], item["pk"])


async def inject(control: httpx.AsyncClient, **fault: Any) -> None:
    (await control.post("/_faults", json=fault)).raise_for_status()


async def requests(control: httpx.AsyncClient, operation: str) -> int:
    count: int = (await control.get("/_stats")).json()["byOperation"].get(operation, 0)
    return count


async def test_a_throttled_request_is_tried_again_by_the_sdk(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    before = await requests(control, "UpsertItem")
    await inject(control, kind="status", status=429, retryAfterMs=5, operation="UpsertItem", count=2)

    item = await container.upsert_item({"id": "a", "pk": "a"})

    assert item["id"] == "a"
    assert await requests(control, "UpsertItem") == before + 3


@pytest.mark.parametrize(("status", "substatus"), [(449, 0), (410, 1002), (403, 5300), (413, 0)])
async def test_an_injected_status_reaches_the_caller_with_its_substatus(
    container: ContainerProxy, control: httpx.AsyncClient, status: int, substatus: int
) -> None:
    await inject(control, kind="status", status=status, substatus=substatus, operation="PatchItem")
    await container.create_item({"id": "a", "pk": "a", "n": 1})

    with pytest.raises(CosmosHttpResponseError) as caught:
        await container.patch_item("a", "a", [{"op": "incr", "path": "/n", "value": 1}])

    assert (caught.value.status_code, caught.value.sub_status) == (status, substatus)
    assert (await container.read_item("a", "a"))["n"] == 1


async def test_a_status_after_the_effect_leaves_the_effect(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    await inject(control, kind="status", status=408, when="after", operation="Batch", count=1)

    with pytest.raises(CosmosHttpResponseError):
        await container.execute_item_batch([("create", ({"id": "a", "pk": "a"},))], "a")
    with pytest.raises(CosmosBatchOperationError) as again:
        await container.execute_item_batch([("create", ({"id": "a", "pk": "a"},))], "a")

    assert again.value.status_code == 409


async def test_a_reset_before_the_effect_leaves_none(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    await inject(control, kind="reset", operation="CreateItem")

    with pytest.raises(ServiceRequestError):
        await container.create_item({"id": "a", "pk": "a"}, retry_total=0)
    await control.delete("/_faults")

    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", "a")


async def test_a_reset_after_the_effect_makes_the_sdk_s_second_attempt_a_conflict(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    await inject(control, kind="reset", when="after", operation="CreateItem", count=1)

    with pytest.raises(CosmosResourceExistsError):
        await container.create_item({"id": "a", "pk": "a"})


async def test_an_answer_can_be_cut_in_the_middle(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    await inject(control, kind="cut", when="after", operation="UpsertItem", count=1)

    with pytest.raises(IncompleteReadError):
        await container.upsert_item({"id": "a", "pk": "a", "text": "x" * 1000})

    assert (await container.read_item("a", "a"))["id"] == "a"


async def test_a_hanging_request_runs_into_the_caller_s_time_limit(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    await inject(control, kind="hang", operation="ReplaceItem")
    await container.create_item({"id": "a", "pk": "a"})

    with pytest.raises(AzureError):
        await container.replace_item("a", {"id": "a", "pk": "a"}, read_timeout=0.2, retry_total=0)


async def test_a_fault_can_be_for_one_container(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    await inject(control, kind="status", status=503, path="/colls/payments/")

    assert (await container.upsert_item({"id": "a", "pk": "a"}))["id"] == "a"


async def test_a_stale_read_is_of_the_item_as_it_was_before_it_was_written(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    async def old() -> Any:
        await inject(control, kind="stale", operation="ReadItem", count=1)
        return await container.read_item("a", "a")

    first = await container.create_item({"id": "a", "pk": "a", "n": 1})
    with pytest.raises(CosmosResourceNotFoundError):
        await old()
    await container.execute_item_batch([("replace", ("a", {"id": "a", "pk": "a", "n": 2}))], "a")
    stale = await old()
    assert (stale["n"], stale["_etag"]) == (1, first["_etag"])
    assert (await container.read_item("a", "a"))["n"] == 2
    await container.delete_item("a", "a")
    assert (await old())["n"] == 2
    assert (await control.get("/_stats")).json()["byFault"]["stale"] >= 3


async def test_a_batch_that_was_undone_makes_no_read_older(
    container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    await container.create_item({"id": "a", "pk": "a", "n": 1})
    with pytest.raises(CosmosBatchOperationError):
        await container.execute_item_batch(
            [("replace", ("a", {"id": "a", "pk": "a", "n": 2})), ("delete", ("b",))], "a"
        )

    await inject(control, kind="stale", operation="ReadItem", count=1)

    assert (await container.read_item("a", "a"))["n"] == 1


async def test_a_write_is_never_stale(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    await container.create_item({"id": "a", "pk": "a", "n": 1})
    await inject(control, kind="stale", operation="PatchItem", count=1)

    await container.patch_item("a", "a", [{"op": "incr", "path": "/n", "value": 1}])

    assert (await container.read_item("a", "a"))["n"] == 2


async def test_a_fault_that_is_none_is_refused(control: httpx.AsyncClient) -> None:
    answer = await control.post("/_faults", json={"kind": "melt"})

    assert answer.status_code == 400
    assert "melt" in answer.json()["error"]


async def test_a_container_can_be_limited_to_some_request_units_a_second(
    account: Account, container: ContainerProxy, control: httpx.AsyncClient
) -> None:
    impatience: dict[str, Any] = {"retry_throttle_total": 1, "retry_fixed_interval": 1}
    async with CosmosClient(account.address, account.keys["operator"], **impatience) as client:
        database = client.get_database_client("orderflow")
        limited, other = (database.get_container_client(name) for name in ("orders", "payments"))
        await inject(control, kind="throttle", requestUnits=1, path="/colls/orders/")
        spent = await limited.upsert_item({"id": "a", "pk": "a"})

        with pytest.raises(CosmosHttpResponseError) as caught:
            await limited.upsert_item({"id": "b", "pk": "a"})
        await other.upsert_item({"id": "a", "pk": "a"})
        await other.delete_item("a", "a")

    charge = float(spent.get_response_headers()["x-ms-request-charge"])
    assert caught.value.status_code == 429
    assert 0 < int(caught.value.headers["x-ms-retry-after-ms"]) <= 1000 * charge
    assert (await control.get("/_stats")).json()["throttled"] == 2


async def test_the_sdk_waits_as_long_as_it_is_told(container: ContainerProxy, control: httpx.AsyncClient) -> None:
    await inject(control, kind="throttle", requestUnits=40, path="/colls/orders/")
    before = await requests(control, "UpsertItem")

    for number in range(25):
        await container.upsert_item({"id": f"{number}", "pk": "a"})

    assert 25 < await requests(control, "UpsertItem") - before <= 50
