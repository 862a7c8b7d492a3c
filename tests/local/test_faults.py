"""What `local.faults` promises, against a tiny application behind a real server."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import HTTP_KINDS, Fault, FaultMiddleware, Faults, Stats, control_routes, server


@dataclass
class Shop:
    """An application that takes orders: one that was taken shows that its request had an effect."""

    address: str = ""
    orders: list[str] = field(default_factory=list)
    odd: list[Fault] = field(default_factory=list)
    taken: threading.Event = field(default_factory=threading.Event)

    async def order(self, request: Request) -> Response:
        if "fault" in request.scope["extensions"]:
            self.odd.append(request.scope["extensions"]["fault"]["fault"])
        self.orders.append((await request.body()).decode())
        self.taken.set()
        return JSONResponse({"taken": self.orders[-1]}, 201)


def _teapot(fault: Fault) -> Response:
    return Response("short and stout", 418, {"x-status": str(fault.status)})


def _started(running: uvicorn.Server, thread: threading.Thread) -> int:
    while not running.started:
        assert thread.is_alive()
    return int(running.servers[0].sockets[0].getsockname()[1])


@pytest.fixture(scope="module")
def served() -> Iterator[Shop]:
    shop, faults, stats = Shop(), Faults(HTTP_KINDS | {"teapot", "odd"}), Stats()
    routes = [Route("/orders/{name}", shop.order, methods=["POST"]), *control_routes(faults, stats)]
    app = FaultMiddleware(Starlette(routes=routes), faults, stats, lambda _: "order", {"teapot": _teapot})
    running = server(app, 0)
    thread = threading.Thread(target=running.run)
    thread.start()
    shop.address = f"http://127.0.0.1:{_started(running, thread)}"
    yield shop
    running.should_exit = True
    thread.join()


@pytest_asyncio.fixture
async def client(served: Shop) -> AsyncIterator[httpx.AsyncClient]:
    served.orders.clear()
    served.taken.clear()
    async with httpx.AsyncClient(base_url=served.address, timeout=10) as client:
        await client.delete("/_faults")
        yield client


async def inject(client: httpx.AsyncClient, **fault: Any) -> None:
    assert (await client.post("/_faults", json=fault)).status_code == 201


async def order(client: httpx.AsyncClient, name: str = "tea", timeout: float = 10) -> int:
    return (await client.post(f"/orders/{name}", content=name, timeout=timeout)).status_code


@pytest.mark.parametrize(("when", "taken"), [("before", []), ("after", ["tea"])])
async def test_a_reset_is_seen_by_the_client_before_or_after_the_effect(
    served: Shop, client: httpx.AsyncClient, when: str, taken: list[str]
) -> None:
    await inject(client, kind="reset", when=when, count=1)

    with pytest.raises(httpx.ReadError):
        await order(client)

    assert served.orders == taken
    assert await order(client, "coffee") == 201


@pytest.mark.parametrize(("when", "taken"), [("before", []), ("after", ["tea"])])
async def test_a_hang_lasts_until_the_client_gives_up(
    served: Shop, client: httpx.AsyncClient, when: str, taken: list[str]
) -> None:
    await inject(client, kind="hang", when=when, count=1)

    with pytest.raises(httpx.ReadTimeout):
        await order(client, timeout=0.2)

    assert served.orders == taken


async def test_a_hang_of_some_seconds_ends_in_a_reset(served: Shop, client: httpx.AsyncClient) -> None:
    await inject(client, kind="hang", seconds=0.05, count=1)

    with pytest.raises(httpx.ReadError):
        await order(client)

    assert served.orders == []


@pytest.mark.parametrize(("when", "taken"), [("before", []), ("after", ["tea"])])
async def test_a_cut_answer_ends_in_the_middle_of_its_body(
    served: Shop, client: httpx.AsyncClient, when: str, taken: list[str]
) -> None:
    await inject(client, kind="cut", when=when, count=1)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await order(client)

    assert served.orders == taken


async def test_a_slow_request_takes_effect_after_an_impatient_client_has_left(
    served: Shop, client: httpx.AsyncClient
) -> None:
    await inject(client, kind="slow", when="before", seconds=0.5, count=1)

    with pytest.raises(httpx.ReadTimeout):
        await order(client, timeout=0.1)

    assert await asyncio.to_thread(served.taken.wait, 10)
    assert served.orders == ["tea"]


async def test_a_slow_answer_comes_too_late_for_an_impatient_client(served: Shop, client: httpx.AsyncClient) -> None:
    await inject(client, kind="slow", when="after", seconds=0.5, count=1)

    with pytest.raises(httpx.ReadTimeout):
        await order(client, timeout=0.1)

    assert served.orders == ["tea"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_slow_request_is_answered_in_the_end(served: Shop, client: httpx.AsyncClient, when: str) -> None:
    await inject(client, kind="slow", when=when, seconds=0.01, count=1)

    assert await order(client) == 201
    assert served.orders == ["tea"]


@pytest.mark.parametrize(("when", "taken"), [("before", []), ("after", ["tea"])])
async def test_a_status_is_answered_instead_of_the_applications_answer(
    served: Shop, client: httpx.AsyncClient, when: str, taken: list[str]
) -> None:
    await inject(client, kind="status", status=429, when=when, count=1)

    assert await order(client) == 429
    assert served.orders == taken


async def test_a_status_is_503_unless_told(client: httpx.AsyncClient) -> None:
    await inject(client, kind="status")

    assert await order(client) == 503


async def test_a_part_answers_in_its_own_way(client: httpx.AsyncClient) -> None:
    await inject(client, kind="teapot", status=418)

    answer = await client.post("/orders/tea")

    assert (answer.status_code, answer.text, answer.headers["x-status"]) == (418, "short and stout", "418")


async def test_a_fault_of_a_kind_of_its_own_is_the_parts_to_act_on(served: Shop, client: httpx.AsyncClient) -> None:
    await inject(client, kind="odd", retryAfterMs=20, seconds=1.5, count=1)

    assert await order(client) == 201
    assert await order(client) == 201

    assert [(f.kind, f.retry_after_ms, f.seconds) for f in served.odd] == [("odd", 20, 1.5)]


async def test_a_fault_lets_some_pass_strikes_so_many_and_is_over(client: httpx.AsyncClient) -> None:
    await inject(client, kind="status", skip=2, count=2)

    assert [await order(client) for _ in range(6)] == [201, 201, 503, 503, 201, 201]


async def test_a_fault_strikes_what_its_method_path_and_operation_name(
    client: httpx.AsyncClient,
) -> None:
    await inject(client, kind="status", status=500, method="GET")
    await inject(client, kind="status", status=501, operation="another")
    await inject(client, kind="status", status=502, method="POST", operation="order", path="offee$")

    assert await order(client, "tea") == 201
    assert await order(client, "coffee") == 502


async def test_faults_are_listed_with_what_remains_until_they_are_cleared(
    client: httpx.AsyncClient,
) -> None:
    await inject(client, kind="status", count=3)
    await inject(client, kind="reset", path="coffee", skip=5)
    await order(client)

    listed = (await client.get("/_faults")).json()["faults"]

    assert [(f["kind"], f.get("count"), f["skip"]) for f in listed] == [("status", 2, 0), ("reset", None, 5)]
    assert (await client.delete("/_faults")).status_code == 204
    assert (await client.get("/_faults")).json() == {"faults": []}
    assert await order(client) == 201


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "reset", "where": "here"}, "invalid value for 'where': Extra inputs"),
        ({"kind": "explode"}, "unknown kind 'explode'"),
        ({"kind": "reset", "when": "during"}, "invalid value for 'when'"),
        ({"kind": "reset", "count": 0}, "invalid value for 'count'"),
        ({"kind": "reset", "count": True}, "invalid value for 'count'"),
        ({"kind": "slow", "seconds": "1"}, "invalid value for 'seconds'"),
        ({"kind": "status", "status": 42}, "invalid value for 'status'"),
        ({"kind": "reset", "path": "("}, "invalid value for 'path'"),
        ({"status": 503}, "invalid value for 'kind': Field required"),
        (["reset"], "invalid value for 'a fault'"),
    ],
)
async def test_a_fault_that_is_not_understood_is_refused_by_name(
    client: httpx.AsyncClient, fault: object, complaint: str
) -> None:
    answer = await client.post("/_faults", json=fault)

    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert (await client.get("/_faults")).json() == {"faults": []}


async def test_what_is_no_json_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/_faults", content=b"\xffkind=reset")).status_code == 400


async def test_requests_are_counted_by_operation_but_for_the_controls(
    client: httpx.AsyncClient,
) -> None:
    before = (await client.get("/_stats")).json()
    await inject(client, kind="status", count=1)

    await order(client)
    await order(client)

    after = (await client.get("/_stats")).json()
    assert after["requests"] - before["requests"] == 2
    assert after["byOperation"]["order"] - before["byOperation"].get("order", 0) == 2
    assert after["faults"] - before["faults"] == 1


async def test_what_struck_is_counted_by_what_it_does(client: httpx.AsyncClient) -> None:
    before = (await client.get("/_stats")).json()["byFault"]
    await inject(client, kind="status", status=449, count=1)
    await inject(client, kind="slow", seconds=0, when="after", count=2)

    for _ in range(4):
        await order(client)

    after = (await client.get("/_stats")).json()["byFault"]
    assert {name: after[name] - before.get(name, 0) for name in ("status 449", "slow after")} == {
        "status 449": 1,
        "slow after": 2,
    }


async def test_the_control_is_never_struck(client: httpx.AsyncClient) -> None:
    await inject(client, kind="reset")

    assert (await client.get("/_health")).json() == {"status": "ready"}


def test_a_part_adds_counters_of_its_own() -> None:
    stats = Stats()

    stats.add("requestUnits", 1.05)
    stats.add("requestUnits", 2.1)

    assert stats.snapshot() == {"requests": 0, "faults": 0, "requestUnits": 3.15, "byOperation": {}, "byFault": {}}
