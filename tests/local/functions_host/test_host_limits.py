"""Whoever sends too much, too slowly or not to the end gets what Kestrel gives them, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest

from local.functions_host import server
from tests.local.functions_host.running import Host
from tests.processes import free_port, until

HEAD = b"POST /api/echo HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    started = Host("web", tmp_path_factory.mktemp("limits"))
    yield started.ready()
    assert started.stop() == 0


def answered(host: Host, sent: bytes) -> bytes:
    """All that comes back until the host closes the connection."""
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as connection:
        connection.sendall(sent)
        found = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                found += part
        return found


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /api/echo?" + b"a" * 8200 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"414"),
        (b"GET /" + b"a" * 50_000, b"414"),
        (HEAD + b"X: " + b"a" * 33_000 + b"\r\n\r\n", b"431"),
        (HEAD + b"X: " + b"a" * 50_000, b"431"),
        (HEAD + b"X: a\r\n" * 100 + b"\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
    ids=["a line", "a line without an end", "a header", "a header without an end", "headers", "no HTTP"],
)
def test_a_head_beyond_the_limits_is_refused_without_a_body(host: Host, sent: bytes, status: bytes) -> None:
    answer = answered(host, sent)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")


def test_a_head_within_the_limits_is_taken(host: Host) -> None:
    headers = {"X": "a" * 32_000} | {f"X-{number}": "" for number in range(40)}
    assert httpx.get(f"{host.address}/api/echo?{'a' * 8000}", headers=headers).status_code == 200


def test_no_other_protocol_is_changed_to(host: Host) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert httpx.get(f"{host.address}/api/echo", headers=upgrade).status_code == 200


def test_slow_and_half_closed_clients_keep_nobody_waiting(host: Host) -> None:
    begun = [HEAD, HEAD + b"X: ", HEAD + b"Content-Length: 9\r\n\r\n{", b"", b"P"]
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", host.port), 20)) for _ in range(400)]
        for number, connection in enumerate(slow):
            connection.sendall(begun[number % len(begun)])
            if number % 2:
                connection.shutdown(socket.SHUT_WR)
        with httpx.Client(base_url=f"{host.address}/api", timeout=20) as client:
            for connection in slow:
                with suppress(OSError):
                    connection.send(b"a")
                assert client.get("/echo").status_code == 200


async def body_read(scope: Any, receive: Any, send: Any) -> None:
    body = await server.read_body(scope, receive, send)
    if body is not None:
        await server.respond(send, 200, body)


@pytest.fixture
async def impatient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server with the host's limits, but short ones; the port."""
    for limit in ("_KEEP_ALIVE", "_HEAD_SECONDS", "_BODY_GRACE"):
        monkeypatch.setattr(server, limit, 0.3)
    port = free_port()
    serving = server.Server(body_read, port)
    task = asyncio.create_task(serving.serve())

    async def started() -> bool:
        return serving.started

    await until(started)
    yield port
    serving.should_exit = True
    await task


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (HEAD, b"HTTP/1.1 408"),
        (HEAD + b"Content-Length: 900\r\n\r\n{", b"HTTP/1.1 408"),
        (HEAD + b"Content-Length: 1\r\n\r\n1", b"HTTP/1.1 200"),
    ],
    ids=["nothing", "a head", "a body", "all of it"],
)
async def test_what_does_not_come_in_time_is_given_up(impatient: int, sent: bytes, status: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(sent)
    async with asyncio.timeout(20):
        assert (await reader.read()).startswith(status)
    writer.close()


async def test_a_body_that_is_fast_enough_so_far_is_waited_for(impatient: int) -> None:
    begun = HEAD + b"Content-Length: 2000\r\n\r\n"
    (reader, writer), (other, idle) = [await asyncio.open_connection("127.0.0.1", impatient) for _ in range(2)]
    writer.write(begun + b"a" * 1999)
    idle.write(begun)
    async with asyncio.timeout(20):
        assert (await other.read()).startswith(b"HTTP/1.1 408")
        writer.write(b"a")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
    idle.close()
