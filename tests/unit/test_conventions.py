"""What holds of every HTTP function, whatever it does."""

import logging
from typing import Any

import pytest

from shared.access import Caller
from shared.errors import Throttled, Unavailable
from shared.telemetry import log
from simulation.callers import WAREHOUSE
from simulation.world import Answer, order_body
from tests.unit.world import World

OPERATIONS = sorted(name for name, each in World().functions.items() if hasattr(each, "operation"))
FILES = {name for name in OPERATIONS if World().functions[name].operation.response is None}
CLOSED = [name for name in OPERATIONS if World().functions[name].operation.roles]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROUTE = {"orderId": "ord_none", "shipmentId": "shp_none", "sku": "NONE", "file": "none"}
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@pytest.fixture
def world() -> World:
    return World()


async def ask(world: World, operation: str, caller: Caller | None = None, **headers: str) -> Answer:
    """A request that is about nothing that there is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call(operation, {}, route=ROUTE, headers=named, caller=caller)


class TestRequestId:
    @pytest.mark.parametrize("operation", OPERATIONS)
    async def test_a_callers_comes_back(self, world: World, operation: str) -> None:
        answer = await ask(world, operation, x_request_id=" shop/7;a=b ")
        assert answer.headers["X-Request-Id"] == "shop/7;a=b"

    @pytest.mark.parametrize("given", ["", " ", "x" * 129, "a b", "é", "a\x7f", "a\tb"])
    async def test_what_is_none_is_replaced_by_a_fresh_one(self, world: World, given: str) -> None:
        first, second = [(await ask(world, "get_order", x_request_id=given)).headers["X-Request-Id"] for _ in range(2)]
        assert first != second
        assert {len(first), len(second)} == {36}

    async def test_what_the_log_says_of_a_request_has_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(log, "disabled", False)
        caplog.set_level(logging.WARNING)
        fails(world, monkeypatch, Unavailable("away"))
        await ask(world, "get_order", x_request_id="shop-7")
        assert ["request=shop-7" in record.getMessage() for record in caplog.records] == [True]

    async def test_the_audit_names_a_fresh_one(self, world: World) -> None:
        answer = await world.call("put_stock", {"onHand": 1}, route={"sku": "MUG"}, caller=WAREHOUSE)
        [entry] = (await world.call("inventory_audit")).body["value"]
        assert entry["requestId"] == answer.headers["X-Request-Id"]

    async def test_it_is_no_name_for_what_is_written(self, world: World) -> None:
        await world.stocked(MUG=1)
        for _ in range(2):
            await world.call("place_order", order_body(("MUG", 1)), headers={"x-request-id": "mine"})
        assert len(world.documents("orders", "order")) == 2


class TestTraceparent:
    @pytest.mark.parametrize("operation", OPERATIONS)
    async def test_a_callers_comes_back(self, world: World, operation: str) -> None:
        assert (await ask(world, operation, traceparent=TRACE)).headers["traceparent"] == TRACE

    async def test_without_one_there_is_a_fresh_one_for_each_request(self, world: World) -> None:
        first, second = [(await ask(world, "get_order")).headers["traceparent"].split("-") for _ in range(2)]
        assert [len(part) for part in first] == [2, 32, 16, 2]
        assert first[1] != second[1]


def fails(world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    """From now on no store reads."""

    async def fail(*_: Any) -> None:
        raise failure

    for container in world.containers.values():
        monkeypatch.setattr(container, "read", fail)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_answer_has_the_headers_that_keep_browsers_from_mischief(world: World, operation: str) -> None:
    answer = await ask(world, operation)
    its_own = {"Content-Security-Policy"} if answer.status < 300 and operation in FILES else set()
    its_own |= {"Cache-Control"} if answer.status < 300 and "ETag" in answer.headers else set()
    assert {name for name in SECURITY if answer.headers[name] != SECURITY[name]} <= its_own


@pytest.mark.parametrize("failure", [Unavailable("away"), Throttled("slower"), KeyError("a fault of ours")])
async def test_a_failure_has_them_too_and_says_when_to_come_back_if_that_helps(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    fails(world, monkeypatch, failure)
    answer = await ask(world, "get_order", x_request_id="shop-7", traceparent=TRACE)
    told = {"X-Request-Id": "shop-7", "traceparent": TRACE}
    assert {name: answer.headers[name] for name in SECURITY | told} == SECURITY | told
    assert ("Retry-After" in answer.headers) == (answer.status == 503)


@pytest.mark.parametrize("operation", CLOSED)
async def test_one_who_is_not_known_gets_them_too(world: World, operation: str) -> None:
    answer = await ask(world, operation, authorization="", x_request_id="shop-7", traceparent=TRACE)
    told = {"X-Request-Id": "shop-7", "traceparent": TRACE}
    assert answer.status == 401
    assert {name: answer.headers[name] for name in SECURITY | told} == SECURITY | told


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_idempotency_key_that_is_none_is_refused_everywhere(world: World, operation: str) -> None:
    answer = await ask(world, operation, idempotency_key='"open')
    assert (answer.status, answer.body["title"]) == (400, "The header Idempotency-Key is not valid.")


@pytest.mark.parametrize("body", [b'{"reason": "no"}', b"[]", b"null", b"reason=no", b"\xff"])
async def test_a_body_that_says_something_is_refused_where_none_is_taken(world: World, body: bytes) -> None:
    await world.stocked(MUG=1)
    order = await world.placed(("MUG", 1))
    refused = await world.call("cancel_order", raw=body, route={"orderId": order})
    assert (refused.status, refused.body["title"]) == (422, "This operation takes no body.")
    assert (await world.call("get_order", route={"orderId": order})).body["status"] == "pending"


WRITES = [name for name in OPERATIONS if World().functions[name].operation.method != "GET"]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"transfer-encoding": "chunked"}, 411),
        (b" " * (9 * 1024 * 1024), {}, 413),
        (b"", {"content-encoding": "gzip"}, 415),
        (b"", {"content-type": "application/json; charset=iso-8859-1"}, 415),
    ],
    ids=["in chunks", "too large", "encoded", "in another charset"],
)
async def test_a_body_that_is_not_all_there_or_not_as_it_should_be_is_refused_also_where_none_is_taken(
    world: World, operation: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    query = {"reason": "Paid by hand"} if operation.endswith("_discard") or operation == "let_disagreement_be" else {}
    refused = await world.call(operation, raw=body, route=ROUTE, query=query, headers=headers)
    assert refused.status == status, refused.body


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}, {"content-type": "text/plain"}])
async def test_nothing_is_of_no_media_type(world: World, headers: dict[str, str]) -> None:
    assert (await world.call("forget_customer", route={"customerId": "ada"}, headers=headers)).status == 202


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b" {} ", b"{ }", b"\xef\xbb\xbf{}"])
async def test_an_empty_one_is_none(world: World, body: bytes) -> None:
    await world.stocked(MUG=1)
    order = await world.placed(("MUG", 1))
    assert (await world.call("cancel_order", raw=body, route={"orderId": order})).status == 202
