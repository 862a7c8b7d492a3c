"""What a host and the gateway share of HTTP: the server, and the end of its process; paths, bodies, answers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from urllib.parse import unquote

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

type Alongside = Callable[[asyncio.Event], Coroutine[object, object, None]]
"""What runs beside the server; it is given the event that is set when the process is to end."""

_BODY_LIMIT = 100 * 1024 * 1024
_GRACE = 30.0  # the .NET host's
_KEEP_ALIVE = 130  # Kestrel's: longer than clients keep an idle connection


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # serve() takes them


async def serve(app: ASGIApp, port: int, *alongside: Alongside) -> None:
    """Serve `app` on 127.0.0.1, and run what goes alongside, until SIGTERM or SIGINT or an exception in one of them.

    TimeoutError if what runs has not ended 30 s after that.
    """
    config = uvicorn.Config(app, port=port, http="httptools", lifespan="off", log_config=None, access_log=False)
    config.server_header, config.proxy_headers, config.timeout_keep_alive = False, False, _KEEP_ALIVE
    server, stop, loop = _Server(config), asyncio.Event(), asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:

        def end() -> None:
            if not stop.is_set():
                stop.set()
                server.should_exit = True
                limit.reschedule(loop.time() + _GRACE)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        for run in alongside:
            group.create_task(run(stop))
        await server.serve()
        end()


def decoded(raw_path: bytes) -> str:
    """A request's path, decoded once as Kestrel does it: an encoded slash stays encoded."""
    parts = re.split("(%2[Ff])", raw_path.decode("latin-1"))
    return "".join(part if part.lower() == "%2f" else unquote(part) for part in parts)


async def read_body(scope: Scope, receive: Receive, send: Send) -> bytes | None:
    """A request's body; as on Azure it is empty when its length isn't given.

    None when there is no one to answer any more: the client has gone, or the body is too large and was answered with
    413.
    """
    length = int(dict(scope["headers"]).get(b"content-length", 0))
    if length > _BODY_LIMIT:
        await respond(send, 413)
        return None
    chunks: list[bytes] = []
    more = length > 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def respond(send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> None:
    """Send a whole answer. What frames the body is ours: a length or transfer encoding among the headers is dropped."""
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    sent = [header for header in sent if header[0] not in (b"content-length", b"transfer-encoding")]
    if status in (204, 304):
        body = b""
    else:
        sent.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
