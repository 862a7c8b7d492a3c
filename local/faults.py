"""Faults on demand, counters and the HTTP server that the stand-ins share.

A test injects a fault with `POST /_faults`:

    {"kind": "reset", "when": "after", "method": "POST", "path": "/capture$", "skip": 1, "count": 2}

`kind` is one of the part's kinds. `method`, `path` (a regular expression, searched) and `operation` narrow
what it hits; one that is absent hits everything. `when` says whether it strikes `before` the request takes
effect (the default) or `after`. `skip` lets that many matching requests pass first, `count` ends it after
that many hits. The kinds that every HTTP part knows:

- `reset`: the connection is reset (TCP RST) without an answer.
- `hang`: no answer for `seconds`, then a reset; without `seconds`, until the client leaves.
- `cut`: the connection closes in the middle of the answer's body.
- `slow`: the request (`before`) or its answer (`after`) is held back for `seconds`, by default 1. A request
  that is held back takes effect even if the client has given up meanwhile.
- `status`: an answer with `status` (503 by default), and with `substatus`, `code` and `retryAfterMs` where the
  part's protocol has them.

A part may know more, and act on them itself: `local.cosmos` knows `throttle`, with `requestUnits`, and `stale`.
"""

import asyncio
import json
import re
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HTTP_KINDS = frozenset({"reset", "hang", "cut", "slow", "status"})


class Fault(BaseModel):
    """One injected fault; `count` (None: until it is cleared) and `skip` are what remains of them."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    id: str = ""
    kind: str
    when: Literal["before", "after"] = "before"
    method: str | None = None
    path: re.Pattern[str] | None = None
    operation: str | None = None
    status: int = Field(default=503, ge=200, le=599)
    substatus: int | None = Field(default=None, ge=0, le=65_535)
    code: str | None = None
    retry_after_ms: int | None = Field(default=None, ge=0, le=10**8)
    request_units: int | None = Field(default=None, ge=1, le=10**9)
    seconds: float | None = Field(default=None, ge=0, le=3_600)
    count: int | None = Field(default=None, ge=1, le=10**9)
    skip: int = Field(default=0, ge=0, le=10**9)

    @property
    def name(self) -> str:
        """What it does, in the words by which statistics know it: `reset after`, `status 503`."""
        return self.kind + f" {self.status}" * (self.kind == "status") + " after" * (self.when == "after")

    def matches(self, method: str, path: str, operation: str) -> bool:
        """Whether a request is one that this fault is meant for."""
        named = self.method in (None, method) and self.operation in (None, operation)
        return named and (self.path is None or self.path.search(path) is not None)


class Faults:
    """The faults in force, oldest first, of the kinds that the part knows."""

    def __init__(self, kinds: Collection[str] = HTTP_KINDS) -> None:
        self._kinds, self._faults, self._made = kinds, list[Fault](), 0

    def add(self, wish: object) -> Fault:
        """Put the fault that a JSON value describes in force. Raises ValueError, naming what isn't valid."""
        try:
            fault = Fault.model_validate(wish)
        except ValidationError as error:
            [first, *_] = error.errors(include_url=False, include_input=False)
            raise ValueError(
                f"invalid value for {''.join(map(str, first['loc'])) or 'a fault'!r}: {first['msg']}"
            ) from None
        if fault.kind not in self._kinds:
            raise ValueError(f"unknown kind {fault.kind!r}; known: {', '.join(sorted(self._kinds))}")
        self._made += 1
        fault.id = f"fault-{self._made}"
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str, operation: str) -> Fault | None:
        """The fault that strikes this request, if any; that counts as a hit, and passing one by as a skip."""
        for fault in filter(lambda each: each.matches(method, path, operation), self._faults):
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
                if not fault.count:
                    self._faults.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        """End every fault. What one has struck already, a hanging request say, stays struck."""
        self._faults.clear()

    def snapshot(self) -> list[dict[str, object]]:
        """The faults in force, as JSON, with what remains of `count` and `skip`."""
        return [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in self._faults]


class Stats:
    """Counters since the part started, some of them also `by` what they are about."""

    def __init__(self, by: str = "") -> None:
        self._totals: dict[str, float] = {"requests": 0, "faults": 0}
        self._by, self._owns, self._operations = by, dict[str, dict[str, float]](), Counter[str]()
        self._faults = Counter[str]()

    def request(self, operation: str) -> None:
        """Count one request."""
        self.add("requests")
        self._operations[operation] += 1

    def fault(self, fault: Fault) -> None:
        """Count that a fault has struck."""
        self.add("faults")
        self._faults[fault.name] += 1

    def add(self, name: str, amount: float = 1, of: str | None = None) -> None:
        """Add to a counter of the part's own, and to that `of` a thing; a fractional amount is kept to three places."""
        for counters in [self._totals] if of is None else [self._totals, self._owns.setdefault(of, {})]:
            counters[name] = round(counters.get(name, 0) + amount, 3)

    def charge(self, request_units: float, container: str | None) -> None:
        """Count what a request cost, and whose it was where it was about a container's content."""
        self.add("requestUnits", request_units, container)
        if container is not None:
            own = self._owns[container]
            own["requests"] = own.get("requests", 0) + 1

    def snapshot(self) -> dict[str, object]:
        """The counters, as JSON: `{"requests": n, …, "byOperation": {…}, "byFault": {…}}`, and those by thing."""
        found = {**self._totals, "byOperation": self._operations, "byFault": self._faults}
        return found | ({self._by: self._owns} if self._owns else {})


def control_routes(faults: Faults, stats: Stats, health: Callable[[], bool] = lambda: True) -> list[Route]:
    """The routes `/_health` (503 until `health()` is true), `/_stats` and `/_faults`."""

    async def get_health(_: Request) -> Response:
        return JSONResponse({"status": "ready"}) if health() else JSONResponse({"status": "starting"}, 503)

    async def get_stats(_: Request) -> Response:
        return JSONResponse(stats.snapshot())

    async def change_faults(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
            return Response(status_code=204)
        if request.method == "GET":
            return JSONResponse({"faults": faults.snapshot()})
        try:
            return JSONResponse({"id": faults.add(json.loads(await request.body())).id}, 201)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)

    return [
        Route("/_health", get_health),
        Route("/_stats", get_stats),
        Route("/_faults", change_faults, methods=["GET", "POST", "DELETE"]),
    ]


def plain_status(fault: Fault) -> Response:
    """The answer of a `status` fault where the part gives none in its own protocol's form."""
    return JSONResponse({"error": f"injected by {fault.id}"}, fault.status)


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection, if it is open: the client sees a TCP RST instead of an answer."""
    if not transport.is_closing():
        # Without lingering for zero seconds the client would see an orderly end.
        no_linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        transport.abort()


async def client_gone(receive: Receive) -> None:
    """Wait until the request's connection is closed, from either side."""
    while (await receive())["type"] != "http.disconnect":
        pass


class FaultMiddleware:
    """Counts requests and strikes them with the faults in force; the control's paths (`/_…`) pass untouched.

    `operation` names a request's operation. `answers` builds the answers of the kinds that are just another
    answer (`status` among them), in the part's own protocol. A fault of any other kind is the application's
    to act on: it is the request's `scope["extensions"]["fault"]["fault"]`.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        stats: Stats,
        operation: Callable[[Scope], str],
        answers: Mapping[str, Callable[[Fault], Response]] = {},
    ) -> None:
        self._app, self._faults, self._stats, self._operation = app, faults, stats, operation
        self._answers = {"status": plain_status, **answers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._app(scope, receive, send)
            return
        operation = self._operation(scope)
        self._stats.request(operation)
        fault = self._faults.take(scope["method"], scope["path"], operation)
        if fault is None:
            await self._app(scope, receive, send)
            return
        self._stats.fault(fault)
        try:
            if fault.kind in HTTP_KINDS or fault.kind in self._answers:
                await self._strike(fault, scope, receive, send)
            else:
                scope["extensions"]["fault"] = {"fault": fault}
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server is ending, and a request that is still held back ends with it.
            reset(scope["extensions"]["connection"]["transport"])
            await client_gone(receive)

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        # The request is here as a whole before anything strikes, so that its effect needs the client no more.
        receive = await _received(receive)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if fault.when == "after":
            await self._app(scope, receive, keep)
        match fault.kind:
            case "reset":
                reset(scope["extensions"]["connection"]["transport"])
            case "hang":
                try:
                    await asyncio.wait_for(client_gone(receive), fault.seconds)
                except TimeoutError:
                    reset(scope["extensions"]["connection"]["transport"])
            case "cut":
                await _send_half(answer, send)
                scope["extensions"]["connection"]["transport"].close()
                await client_gone(receive)
            case "slow":
                await asyncio.sleep(1 if fault.seconds is None else fault.seconds)
                if fault.when == "before":
                    await self._app(scope, receive, send)
                for message in answer:
                    await send(message)
            case _:
                await self._answers[fault.kind](fault)(scope, receive, send)
        if fault.kind in ("reset", "hang"):
            # uvicorn expects an answer as long as it doesn't know that the connection is gone.
            await client_gone(receive)


async def _received(receive: Receive) -> Receive:
    first = [await receive()]
    while first[-1].get("more_body"):
        first.append(await receive())

    async def again() -> Message:
        return first.pop(0) if first else await receive()

    return again


async def _send_half(answer: list[Message], send: Send) -> None:
    body = b"".join(message.get("body", b"") for message in answer) or b'{"cut": "in the middle"}'
    start: Message = answer[0] if answer else {"type": "http.response.start", "status": 200, "headers": []}
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also shows the application its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"connection": {"transport": self.transport}}


def server(app: ASGIApp, port: int) -> uvicorn.Server:
    """A server for `app` on 127.0.0.1 (port 0: a free one), quiet but for warnings and errors, on stderr."""
    config = uvicorn.Config(app, port=port, loop="uvloop", http=_Protocol, log_config=None, access_log=False)
    config.timeout_graceful_shutdown, config.proxy_headers = 1, False
    return uvicorn.Server(config)


def end_on_signals() -> None:
    """From now on, SIGTERM and SIGINT end the process with 0."""
    # uvicorn shuts down, then raises the signal again, which by default would be the process's exit status.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))


def serve(app: ASGIApp, port: int) -> None:
    """Serve `app` until SIGTERM or SIGINT, then end the process with 0: the main loop of a part."""
    end_on_signals()
    server(app, port).run()
