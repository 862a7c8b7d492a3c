"""An issuer that is slow, lies or never ends, and tokens that are none: the application as a process, over the network.

What is made of each such answer is in tests/contract/test_openid.py; here it costs nobody else anything.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path

import httpx
import pytest

from simulation.world import ENVIRONMENT
from tests.contract.test_openid import CONFIGURATION, KEYS, Answer, Server, flooding, response, serving, silence
from tests.local.functions_host.running import Host
from tests.processes import ROOT, until
from tests.unit.tokens import Issuer

SETTINGS = {"ORDERFLOW_SERVICES": "catalog", "SWEEP_SCHEDULE": "0 0 0 29 2 *"}
HOSTILE: dict[str, tuple[str, bytes | Answer]] = {
    "a key set of ten megabytes": (KEYS, response(b'{"keys": "' + b"x" * 10_000_000 + b'"}')),
    "a key set without an end": (KEYS, flooding),
    "a liar": (CONFIGURATION, response(b'{"issuer": "https://id.example", "jwks_uri": "http://127.0.0.1:1/"}')),
}


class Shop:
    """The application, whose tokens' issuer is a server of the test's."""

    def __init__(self, issuer: Server, http: httpx.AsyncClient) -> None:
        self.issuer, self.http = issuer, http
        self._signer = Issuer()

    def token(self, kid: str = "rsa") -> str:
        return self._signer.token(header={"kid": kid}, iss=self.issuer.address, exp=int(time.time()) + 600)

    async def call(self, token: str) -> httpx.Response:
        """Whoever gets past the check of the token is told, without a look into any store, that x isn't known: 400."""
        return await self.http.get("products/MUG?x=1", headers={"Authorization": f"Bearer {token}"})

    async def is_open(self) -> httpx.Response:
        return await self.http.get("health/catalog/live")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with serving() as issuer:
        host = Host(ROOT, tmp_path, ENVIRONMENT | SETTINGS | {"IDENTITY_ISSUER": issuer.address})
        try:
            host.ready()
            async with httpx.AsyncClient(base_url=f"{host.address}/api/", timeout=30, trust_env=False) as http:
                yield Shop(issuer, http)
        finally:
            await asyncio.to_thread(host.stop)


async def served_meanwhile(
    strangers: Sequence[Awaitable[httpx.Response]], other: str | None, shop: Shop
) -> list[httpx.Response]:
    """What strangers are answered, while another caller is served as ever, over and over."""
    answers = asyncio.gather(*strangers)
    served, began = 0, time.monotonic()
    while not answers.done():
        answer = await (shop.call(other) if other else shop.is_open())
        assert answer.status_code == (400 if other else 200)
        served += 1
    # Of strangers who are refused at once, one other may see the end.
    assert served > 1 or time.monotonic() - began < 1
    return await answers


async def test_whatever_an_issuer_does_others_are_served_and_it_is_asked_again(shop: Shop) -> None:
    async def asked_again() -> bool:
        asked = len(shop.issuer.asked)
        answers = await served_meanwhile([shop.call(shop.token()) for _ in range(10)], None, shop)
        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["Retry-After"] for answer in answers)
        return len(shop.issuer.asked) > asked

    for path, answer in HOSTILE.values():
        shop.issuer.configure()
        shop.issuer.answers[path] = answer
        await until(asked_again)

    shop.issuer.configure()

    async def let_in() -> bool:
        return (await shop.call(shop.token())).status_code == 400

    await until(let_in)

    shop.issuer.answers[CONFIGURATION] = silence
    made_up = [shop.call(shop.token(f"made-up-{number}")) for number in range(20)]
    answers = await served_meanwhile(made_up, shop.token(), shop)
    assert {answer.status_code for answer in answers} == {503}


@pytest.mark.parametrize("length", [17_000, 100_000])
async def test_a_long_token_is_refused_and_nobody_is_asked_for_its_key(shop: Shop, length: int) -> None:
    answer = await shop.call(shop.token("x" * length))

    assert answer.status_code == (401 if length < 32_000 else 431)
    assert shop.issuer.asked == []
