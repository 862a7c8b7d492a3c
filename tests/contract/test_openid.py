"""An issuer's keys over HTTP: from one that is as it should be, and from whatever else may answer at its address."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from shared.adapters import openid
from shared.adapters.openid import published_keys
from shared.adapters.system import RealSystem
from shared.authentication import TokenAuthenticator, TokenRules
from shared.errors import InvalidToken, Unavailable
from shared.signing_keys import SigningKeys
from tests.processes import until
from tests.unit.tokens import AUDIENCE, Issuer, public_jwk

CANARY = "canary-7f3a"
CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/keys"
type Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each path with what it is told, and remembers who asked for what, and who is still connected."""

    def __init__(self) -> None:
        self.address = ""
        self.answers: dict[str, bytes | Answer] = {}
        self.asked: list[str] = []
        self.connected = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            answer = self.answers.get(path, response(b"", status="404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has given up
        finally:
            self.connected -= 1
            writer.close()

    def configure(self, **members: Any) -> None:
        """Be a good issuer, but for these members of its configuration."""
        told = {"issuer": self.address, "jwks_uri": self.address + KEYS} | members
        self.answers[CONFIGURATION] = response(json.dumps(told).encode())
        self.answers[KEYS] = response(json.dumps({"keys": [public_jwk("rsa")]}).encode())


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        server.configure()
        try:
            yield server
        finally:
            listening.abort_clients()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


async def fault(issuer: str) -> str:
    """Why there are no keys."""
    with pytest.raises(Unavailable) as error:
        await published_keys(issuer)
    assert CANARY not in str(error.value)
    return str(error.value)


async def test_the_keys_are_those_of_the_key_set_that_the_configuration_names(server: Server) -> None:
    assert await published_keys(server.address) == [public_jwk("rsa")]
    assert server.asked == [CONFIGURATION, KEYS]


async def test_a_slash_at_the_end_is_part_of_the_issuers_name_and_not_of_the_path(server: Server) -> None:
    assert "is another issuer's" in await fault(f"{server.address}/")

    server.configure(issuer=f"{server.address}/")

    assert await published_keys(f"{server.address}/") == [public_jwk("rsa")]
    assert set(server.asked) == {CONFIGURATION, KEYS}


@pytest.mark.parametrize("issuer", [CANARY, "https://login.microsoftonline.com/{tenantid}/v2.0", None, 7, ["x"], ""])
async def test_who_says_to_be_another_issuer_is_not_asked_for_keys(server: Server, issuer: Any) -> None:
    server.configure(issuer=issuer)
    assert "is another issuer's: mend IDENTITY_ISSUER" in await fault(server.address)
    assert KEYS not in server.asked


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example/keys",
        "ftp://127.0.0.1/k",
        "file:///etc/passwd",
        "/keys",
        CANARY,
        "https://",
        "",
        None,
        7,
        [KEYS],
    ],
)
async def test_keys_are_asked_for_over_tls_or_on_this_machine_alone(server: Server, address: Any) -> None:
    server.configure(jwks_uri=address)
    assert "names no key set (jwks_uri) at an https:// address" in await fault(server.address)


NOT_JSON = f"<html>{CANARY}</html>".encode()
BAD: dict[str, tuple[bytes, str]] = {
    "HTML": (response(NOT_JSON, "Content-Type: text/html"), "is no JSON object"),
    "a list": (response(f'["{CANARY}"]'.encode()), "is no JSON object"),
    "nothing": (response(b""), "is no JSON object"),
    "no UTF-8": (response(b'{"issuer": "\xff"}'), "is no JSON object"),
    "deep": (response(b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "is no JSON object"),
    "a long number": (response(b'{"keys": ' + b"1" * 10_000 + b"}"), "is no JSON object"),
    "compressed": (response(gzip.compress(b" " * 10_000_000), "Content-Encoding: gzip"), "is no JSON object"),
    "ten megabytes": (response(b'{"keys": "' + b"x" * 10_000_000 + b'"}'), "is longer than 524288 bytes"),
    "one byte too many": (response(b" " * (512 * 1024 + 1)), "is longer than 524288 bytes"),
    "a failure": (response(NOT_JSON, status=f"500 {CANARY}"), "answered 500"),
    "no content": (response(b"", status="204 No Content"), "answered 204"),
    "cut off": (response(b" " * 100)[:-50], "couldn't be asked (ClientPayloadError)"),
    "no HTTP": (f"SSH-2.0-{CANARY}\r\n\r\n".encode(), "couldn't be asked"),
    "headers without an end": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, "couldn't be asked"),
    "nothing at all": (b"", "couldn't be asked (ServerDisconnectedError)"),
}


@pytest.mark.parametrize("document", [CONFIGURATION, KEYS])
@pytest.mark.parametrize("bad", BAD)
async def test_what_is_no_document_is_refused_without_its_content(
    server: Server, caplog: pytest.LogCaptureFixture, document: str, bad: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers[document], said = BAD[bad]

    assert said in await fault(server.address)

    assert CANARY not in caplog.text
    assert server.asked[-1] == document


@pytest.mark.parametrize("keys", [None, {}, "x", 7])
async def test_a_key_set_without_a_list_of_keys_is_refused(server: Server, keys: Any) -> None:
    server.answers[KEYS] = response(json.dumps({"keys": keys}).encode())
    assert await fault(server.address) == "the issuer's key set has no list of keys"


@pytest.mark.parametrize("document", [CONFIGURATION, KEYS])
async def test_nobody_is_followed_elsewhere(server: Server, document: str) -> None:
    async with serving() as elsewhere:
        server.answers[document] = response(b"", f"Location: {elsewhere.address}{document}", status="302 Found")

        assert "answered 302" in await fault(server.address)

        assert elsewhere.asked == []


async def test_an_issuer_that_is_not_there_is_unavailable() -> None:
    async with serving() as server:
        pass
    assert "couldn't be asked (ClientConnectorError)" in await fault(server.address)


async def silence(writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


async def dripping(writer: asyncio.StreamWriter, start: bytes) -> None:
    writer.write(start)
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flooding(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


ENDLESS: dict[str, Answer] = {
    "silence": silence,
    "headers": partial(dripping, start=b"HTTP/1.1 200 OK\r\nX: "),
    "a body": partial(dripping, start=b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n{"),
}


@pytest.mark.parametrize("document", [CONFIGURATION, KEYS])
@pytest.mark.parametrize("endless", ENDLESS)
async def test_what_never_ends_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, document: str, endless: str
) -> None:
    monkeypatch.setattr(openid, "TIMEOUT_SECONDS", 0.2)
    server.answers[document] = ENDLESS[endless]
    assert await fault(server.address) == "the issuer didn't answer within 0.2 seconds"


async def test_a_body_that_comes_fast_and_never_ends_is_cut_and_its_connection_closed(server: Server) -> None:
    server.answers[KEYS] = flooding
    assert "its key set is longer than 524288 bytes" in await fault(server.address)

    async def disconnected() -> bool:
        return server.connected == 0

    await until(disconnected)


def test_the_limit_is_five_seconds() -> None:
    assert openid.TIMEOUT_SECONDS == 5


async def test_while_the_issuer_does_not_answer_callers_of_known_keys_are_served(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "TIMEOUT_SECONDS", 0.5)
    keys = SigningKeys(partial(published_keys, server.address), RealSystem())
    check = TokenAuthenticator(TokenRules(server.address, AUDIENCE), keys, RealSystem())
    signer = Issuer()
    soon = int(RealSystem().now().timestamp()) + 600

    def token(kid: str = "rsa") -> str:
        return signer.token(header={"kid": kid}, iss=server.address, exp=soon)

    assert (await check.authenticate(token())).subject == "ada"
    server.answers[CONFIGURATION] = silence
    strangers = [asyncio.create_task(check.authenticate(token(f"made-up-{n}"))) for n in range(20)]
    served = 0
    while not all(each.done() for each in strangers):
        await check.authenticate(token())
        served += 1
        await asyncio.sleep(0)

    assert served > 20
    assert {type(each.exception()) for each in strangers} == {Unavailable}
    assert server.asked == [CONFIGURATION, KEYS, CONFIGURATION]
    server.configure()
    with pytest.raises((InvalidToken, Unavailable)):
        await check.authenticate(token("made-up"))
