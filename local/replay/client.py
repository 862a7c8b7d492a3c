"""Talks to the API, and to stand-ins, as a patient client: what may pass is tried again, what is refused is handed
back."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import httpx

from local.identity.issuer import Caller, Role

TRIED_AGAIN = {429, 502, 503, 504}
_LONGEST_PAUSE = 5.0

ADMIN = Caller(Role.ADMIN, "admin")
SUPPORT = Caller(Role.SUPPORT, "support")
WAREHOUSE = Caller(Role.WAREHOUSE, "warehouse")


class UnansweredError(Exception):
    """The API was away for longer than patience allows; the text says what was asked and what came last."""


class RefusedError(Exception):
    """The API said no to something that the replay can't do without."""


class Client:
    """A client of what is under one address. `patience` is how long one request is tried again, in seconds; `transport`
    is what requests travel by, the network unless told."""

    def __init__(
        self, address: str, patience: float = 600.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=address.rstrip("/") + "/",
            timeout=httpx.Timeout(120.0, connect=5.0, pool=None),
            limits=httpx.Limits(max_connections=512, max_keepalive_connections=64),
            trust_env=False,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Lets go of the connections."""
        await self._http.aclose()

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """The answer, whatever it is, but for one that says "later": that, and a lost connection, is tried again
        with the same headers, with back-off. UnansweredError when patience is at its end."""
        give_up = time.monotonic() + self._patience
        pause = 0.1
        while True:
            asked_to_wait = 0.0
            try:
                response = await self._http.request(method, path, json=body, headers={**headers})
                if response.status_code not in TRIED_AGAIN:
                    return response
                last = f"{response.status_code}"
                asked_to_wait = _seconds(response.headers.get("retry-after", ""))
            except httpx.TransportError as error:
                last = repr(error)
            wait = min(max(pause, asked_to_wait), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
            if time.monotonic() + wait > give_up:
                raise UnansweredError(f"{method} {path} found no answer in {self._patience:.0f} s, the last was {last}")
            await asyncio.sleep(wait)
            pause *= 2


class Api(Client):
    """A client of the API, for many callers: `token_of` tells what each proves with who they are."""

    def __init__(self, address: str, token_of: Callable[[Caller], str], **how: Any) -> None:
        super().__init__(address, **how)
        self._token_of = token_of

    async def call(
        self, caller: Caller, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """Send what this caller asks."""
        return await self.send(method, path, body, {**headers, "Authorization": f"Bearer {self._token_of(caller)}"})


async def each[Item](items: Iterable[Item], at_a_time: int, act: Callable[[Item], Awaitable[None]]) -> None:
    """Does it with every item, in their order, so many at a time."""
    remaining = iter(items)

    async def worker() -> None:
        for item in remaining:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(worker())


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem that a refusal tells (RFC 9457); empty where it tells none."""
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def explain(response: httpx.Response) -> str:
    """A refusal in one line: the problem's title, detail and the fields that are wrong."""
    problem = problem_of(response)
    if not problem:
        return f"{response.status_code} {response.text[:200]}"
    said = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    said += [f"{error.get('pointer')}: {error.get('detail')}" for error in problem.get("errors") or []]
    return f"{response.status_code} {'; '.join(said)}"
