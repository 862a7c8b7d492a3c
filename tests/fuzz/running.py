"""Sends requests to a running stack, and watches it meanwhile."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from local.identity import issuer
from local.verify.looking import look
from local.verify.reading import Reader, reader
from local.verify.stack import read_stack
from tests.fuzz import hostile
from tests.fuzz.answers import Answer, fault
from tests.fuzz.described import operations
from tests.fuzz.requests import SKUS, Attempt, Maker

DOCUMENT = Path(__file__).parents[2] / "openapi.json"
BATCH = 2000
WORKERS = 8
ORDERS = 16
TIMEOUT_SECONDS = 30.0
ORDER = {
    "email": "ada@example.com",
    "currency": "GBP",
    "paymentMethod": "pm_card_visa",
    "shippingAddress": {"name": "Ada", "line1": "12 St James Square", "city": "London", "country": "GB"},
    "lines": [{"sku": SKUS[0], "quantity": 1}],
}


class Caller:
    """Sends requests one after another, on a connection that is kept as long as that is possible."""

    def __init__(self, host: str, port: int) -> None:
        self._at = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, attempt: Attempt) -> Answer | None:
        """The answer; None where the connection ended without one. Raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            try:
                return await self._send(attempt)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                return None

    async def _send(self, attempt: Attempt) -> Answer | None:
        if self._writer is None or self._reader is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(*self._at, limit=16 * hostile.MIB)
        self._writer.write(attempt.wire)
        with suppress(ConnectionError):
            await self._writer.drain()
        if attempt.reaches:
            return await self._answer(self._reader)
        try:
            async with asyncio.timeout(1 if attempt.elsewhere else None):
                return await self._answer(self._reader)
        except TimeoutError:
            # It waits for more, of what may be no request. Whether it was done isn't known then.
            self._writer.write_eof()
            return await self._answer(self._reader)
        finally:
            self.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        status = int(head.split()[1])
        if status == 100:
            return await self._answer(reader)
        length = int(headers.get("content-length", 0))
        try:
            return Answer(status, headers, await reader.readexactly(length))
        except asyncio.IncompleteReadError:
            return Answer(status, headers, b"")  # to HEAD

    def close(self) -> None:
        """Let go of the connection."""
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None


@dataclass
class Report:
    """What came of it all."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    """Zero where there was no answer to what is no request."""
    good: int = 0
    done: int = 0
    """Of the good requests."""
    served: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"sent {self.sent} times, {dict(sorted(self.statuses.items()))}",
            f"{self.done} of {self.good} good ones were done",
            f"meanwhile {self.served} calls of others were served, the slowest in {self.slowest:.1f} s",
            *self.faults[:20],
            f"{len(self.faults)} faults" + (": repeat one with --seed and --from" if self.faults else ""),
        ]
        return "\n".join(lines)


class Fuzz:
    """One run against the stack of a state folder."""

    def __init__(self, state: Path, seed: int, reading: Reader, http: httpx.AsyncClient) -> None:
        self._state, self._seed, self._reader, self._http = state, seed, reading, http
        self._api = read_stack(state).api
        self._tokens = issuer.Tokens(state)
        address = urlsplit(self._api)
        self._at = str(address.hostname), int(address.port or 80)
        self._maker = Maker(seed, issuer.read(state), address.netloc, [*operations(json.loads(DOCUMENT.read_text()))])
        self.report = Report()

    async def call(self, role: str, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """A good call by somebody else."""
        token = self._tokens.of(issuer.Caller(issuer.Role(role), "ada" if role == "customer" else role))
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self._api}/{path}"
        return await self._http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"} | headers)

    async def open(self) -> None:
        """Stock the shop."""
        price = {"amount": 250, "currency": "GBP"}
        products = [{"sku": sku, "name": "A mug", "price": price} for sku in SKUS]
        (await self.call("admin", "POST", "products/import", {"products": products})).raise_for_status()
        for sku in SKUS:
            (await self.call("admin", "PUT", f"stock/{sku}", {"onHand": 10_000_000})).raise_for_status()
        await look(self._state, wait=60)  # until orders knows the prices

    async def run(self, numbers: Sequence[int]) -> None:
        """Send the requests of these numbers."""
        await self.open()
        for start in range(0, len(numbers), BATCH):
            await self._batch(numbers[start : start + BATCH])
            done = min(start + BATCH, len(numbers))
            sys.stderr.write(f"{done} of {len(numbers)} requests, {len(self.report.faults)} faults\n")
        if self.report.good > 20 and not self.report.done:
            self.report.faults.append("no good request was done")
        if not self.report.served:
            self.report.faults.append("nobody else was served")

    async def _be_served(self) -> None:
        while True:
            began = time.monotonic()
            answer = await self.call("customer", "GET", f"products/{SKUS[0]}")
            self.report.slowest = max(self.report.slowest, time.monotonic() - began)
            self.report.served += 1
            if answer.status_code != 200:
                self.report.faults.append(f"meanwhile another caller got {answer.status_code}")
            await asyncio.sleep(0.02)

    async def _batch(self, numbers: Sequence[int]) -> None:
        orders = [await self._placed(f"{numbers[0]}-{each}") for each in range(ORDERS)]
        round = 0
        while numbers:
            round += 1
            before = await self._at_rest()
            refused = await self._send_all([self._maker.attempt(number, orders, round) for number in numbers])
            if len(refused) == len(numbers):
                if changed := sorted(set(await self._at_rest()) ^ set(before)):
                    told = f"requests {refused[0]} to {refused[-1]} were refused, and yet these changed: {changed[:6]}"
                    self.report.faults.append(told)
                return
            numbers = refused

    async def _placed(self, name: str) -> str:
        answer = await self.call("customer", "POST", "orders", ORDER, Idempotency_Key=f"{self._seed}-{name}")
        return str(answer.raise_for_status().json()["orderId"])

    async def _at_rest(self) -> list[str]:
        """Every document, once nothing is under way; what is wrong with them is a fault."""
        for finding in await look(self._state, wait=60):
            self.report.faults += finding.violations
        stored = [*await self._reader.intents()]
        for context in self._reader.contexts:
            stored += await self._reader.query(context)
        return [f"{each.get('type')} {each['id']} {each.get('_etag') or each}" for each in stored]

    async def _send_all(self, attempts: Sequence[Attempt]) -> list[int]:
        """The numbers of those that were refused. What wasn't answered may have been done."""
        waiting, refused = [*reversed(attempts)], list[int]()

        async def send() -> None:
            caller = Caller(*self._at)
            while waiting:
                attempt = waiting.pop()
                if not await self._accepted(caller, attempt):
                    refused.append(attempt.number)
            caller.close()

        others = asyncio.create_task(self._be_served())
        await asyncio.gather(*(send() for _ in range(WORKERS)))
        others.cancel()
        return sorted(refused)

    async def _accepted(self, caller: Caller, attempt: Attempt) -> bool:
        try:
            answer = await caller.send(attempt)
            if answer and answer.status == 503 and (wait := answer.headers.get("retry-after")):
                await asyncio.sleep(float(wait))
                answer = await caller.send(attempt)
            wrong = fault(attempt, answer)
        except TimeoutError:
            answer, wrong = None, f"there was no answer in {TIMEOUT_SECONDS:g} s"
            caller.close()
        status = answer.status if answer else 0
        self.report.sent += 1
        self.report.statuses[status] += 1
        if set(attempt.spoilt) == {"nothing"}:
            self.report.good += 1
            self.report.done += 200 <= status < 300
        if wrong:
            told = (
                f"request {attempt.number}, {attempt.operation.id}, spoilt in {' and '.join(attempt.spoilt)}: {wrong}"
            )
            self.report.faults.append(f"{told}; {attempt.wire[:3000]!r} was answered with {answer!r:.1500}")
        return status < 400


async def fuzz(state: Path, seed: int, numbers: Sequence[int]) -> Report:
    """Send them to the stack that runs with this state folder."""
    async with reader(state) as reading, httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        run = Fuzz(state, seed, reading, http)
        await run.run(numbers)
        return run.report
