"""The contexts over HTTP, as operations asks them: in a second, as itself, whatever is there at their addresses."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from services.operations import adapters
from services.operations.adapters import ContextsOverHttp
from services.operations.bootstrap import OperationsSettings, contexts_of
from services.operations.ports import Said
from shared.adapters.system import RealSystem
from simulation.world import ENVIRONMENT
from tests.contract.test_openid import Server, response, serving
from tests.processes import free_port


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An issuer that gives tokens, and a context."""
    async with serving() as server:
        server.configure(token_endpoint=f"{server.address}/token")
        grant(server, 3600)
        yield server


def grant(server: Server, seconds: int) -> None:
    """Give tokens that are good for so long."""
    server.answers["/token"] = response(json.dumps({"access_token": "t-1", "expires_in": seconds}).encode())


type Build = Callable[..., ContextsOverHttp]


@pytest.fixture
async def contexts(server: Server) -> AsyncIterator[Build]:
    """Contexts by these settings, which are closed at the end."""
    built: list[ContextsOverHttp] = []

    def build(**changes: str) -> ContextsOverHttp:
        settings = {
            "IDENTITY_ISSUER": server.address,
            "OPERATIONS_ADDRESSES": f"orders={server.address}/api,shipping=http://127.0.0.1:{free_port()}/api",
            "OPERATIONS_CLIENT_SECRET": "s3cret",
        }
        built.append(contexts_of(OperationsSettings.read(ENVIRONMENT | settings | changes), RealSystem()))
        return built[-1]

    yield build
    for each in built:
        await each.close()


async def test_all_are_asked_on_a_connection_that_stays_and_anew_once_the_other_side_closed_it(
    contexts: Build,
) -> None:
    connections: list[asyncio.BaseTransport] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport
        assert "Cookie" not in request.headers
        connections.append(request.transport)
        return web.json_response({}, headers={"Set-Cookie": "instance=1"})

    async with RawTestServer(answer) as context:
        asked = contexts(OPERATIONS_ADDRESSES=f"orders={context.make_url('/api')}")
        for _ in range(3):
            assert await asked.ask("orders", "a") == Said(200, {})
        connections[-1].close()
        assert await asked.ask("orders", "a") == Said(200, {})

    assert (len(connections), len({*connections})) == (4, 2)


async def test_an_answer_is_what_was_said_whatever_its_status(server: Server, contexts: Build) -> None:
    server.answers["/api/a"] = response(b'{"a": 1}')
    server.answers["/api/b"] = response(b'{"b": 2}', status="503 Service Unavailable")
    asked = contexts()

    assert asked.names == ("orders", "shipping")
    assert await asked.ask("orders", "a") == Said(200, {"a": 1})
    assert await asked.ask("orders", "b") == Said(503, {"b": 2})


@pytest.mark.parametrize(
    "answer",
    [
        response(b"[]"),
        response(b"nothing"),
        response(b""),
        response(b"{}", "Location: /elsewhere", status="302 Found")[:40],
        response(b'{"a": "' + b"x" * 600_000 + b'"}'),
        b"",
        b"SSH-2.0\r\n\r\n",
    ],
    ids=["list", "text", "empty", "half", "long", "silence", "stranger"],
)
async def test_what_is_no_answer_is_none(server: Server, contexts: Build, answer: bytes) -> None:
    server.answers["/api/a"] = answer

    assert await contexts().ask("orders", "a") is None


async def test_who_is_away_or_takes_longer_than_a_second_gives_no_answer(
    server: Server, contexts: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adapters.TIMEOUT_SECONDS == 1
    monkeypatch.setattr(adapters, "TIMEOUT_SECONDS", 0.2)

    async def hang(writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()

    asked = contexts()
    server.answers["/api/b"] = response(b"{}")
    assert await asked.ask("orders", "b") == Said(200, {})
    server.answers["/api/a"] = hang

    assert await asked.ask("orders", "a") is None
    assert await asked.ask("shipping", "a") is None
    assert await asked.ask("orders", "b") == Said(200, {})


async def test_one_token_is_had_for_all_and_anew_when_it_was_refused(server: Server, contexts: Build) -> None:
    server.answers["/api/a"] = response(b"{}")
    asked = contexts()

    await asyncio.gather(*(asked.ask("orders", "a") for _ in range(5)))
    assert server.asked.count("/token") == 1
    server.answers["/api/a"] = response(b"{}", status="401 Unauthorized")
    assert await asked.ask("orders", "a") is None
    server.answers["/api/a"] = response(b"{}")
    assert await asked.ask("orders", "a") == Said(200, {})
    assert server.asked.count("/token") == 2


async def test_a_token_is_had_anew_before_it_ends(server: Server, contexts: Build) -> None:
    server.answers["/api/a"] = response(b"{}")
    grant(server, 59)
    asked = contexts()

    for _ in range(2):
        assert await asked.ask("orders", "a") == Said(200, {})

    assert server.asked.count("/token") > 2


@pytest.mark.parametrize(
    "answer",
    [
        response(b"{}", status="400 Bad Request"),
        response(b'{"access_token": 1, "expires_in": 3600}'),
        response(b'{"access_token": "t-1"}'),
    ],
    ids=["refused", "no text", "no time"],
)
async def test_without_a_token_nobody_is_asked_and_the_next_time_it_is_tried_anew(
    server: Server, contexts: Build, answer: bytes
) -> None:
    server.answers["/api/a"] = response(b"{}")
    server.answers["/token"] = answer
    asked = contexts()

    assert await asked.ask("orders", "a") is None
    assert "/api/a" not in server.asked
    grant(server, 3600)
    assert await asked.ask("orders", "a") == Said(200, {})
