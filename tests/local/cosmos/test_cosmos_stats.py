import httpx
from azure.cosmos.aio import CosmosClient


async def test_requests_and_request_units_are_counted(operator: CosmosClient, control: httpx.AsyncClient) -> None:
    container = operator.get_database_client("orderflow").get_container_client("shipping")
    await container.read()
    before = (await control.get("/_stats")).json()
    charges = []

    for number in range(3):
        item = await container.create_item({"id": f"{number}", "pk": "counted"})
        charges.append(float(item.get_response_headers()["x-ms-request-charge"]))
    results = await container.execute_item_batch([("delete", (f"{number}",)) for number in range(3)], "counted")
    charges.append(float(results.get_response_headers()["x-ms-request-charge"]))

    after = (await control.get("/_stats")).json()
    counted = {
        name: after["byOperation"].get(name, 0) - before["byOperation"].get(name, 0) for name in ("CreateItem", "Batch")
    }
    assert counted == {"CreateItem": 3, "Batch": 1}
    assert after["requests"] - before["requests"] == 4
    assert round(after["requestUnits"] - before["requestUnits"], 2) == round(sum(charges), 2)


async def test_what_a_containers_content_costs_is_counted_by_container(
    operator: CosmosClient, control: httpx.AsyncClient
) -> None:
    async def counts(name: str) -> tuple[float, float]:
        own = (await control.get("/_stats")).json().get("byContainer", {}).get(name, {})
        return own.get("requests", 0), own.get("requestUnits", 0)

    database = operator.get_database_client("orderflow")
    await database.get_container_client("payments").read()
    requests, units = await counts("payments")
    others = await counts("shipping")

    item = await database.get_container_client("payments").create_item({"id": "1", "pk": "counted"})

    charge = float(item.get_response_headers()["x-ms-request-charge"])
    requests_after, units_after = await counts("payments")
    assert (requests_after - requests, round(units_after - units, 2)) == (1, charge)
    assert await counts("shipping") == others


async def test_health_says_ready(control: httpx.AsyncClient) -> None:
    assert (await control.get("/_health")).json() == {"status": "ready"}
