"""What a host and the gateway share of HTTP: the server, and the end of its process; paths, bodies, answers."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from http import HTTPStatus
from urllib.parse import unquote

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

type Alongside = Callable[[asyncio.Event], Coroutine[object, object, None]]
"""What runs beside the server; it is given the event that is set when the process is to end."""

_BODY_LIMIT = 100 * 1024 * 1024
_GRACE = 30.0  # the .NET host's
# Kestrel's limits, and what it answers beyond them.
_KEEP_ALIVE = 130  # longer than clients keep an idle connection
_HEAD_SECONDS = 30.0
_HEAD_BYTES = 32 * 1024
_LINE_BYTES = 8 * 1024
_MOST_HEADERS = 100
_BODY_RATE = 240.0  # bytes a second
_BODY_GRACE = 5.0


class _Connection(HttpToolsProtocol):
    """uvicorn's, but for whoever sends a head that doesn't end, or is none."""

    _clock: asyncio.TimerHandle | None = None
    _head = 0
    _refusal = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._clock = self.loop.call_later(_KEEP_ALIVE, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._clock and not self.transport.is_closing():
            self._head += len(data)
            if self._head > _LINE_BYTES + _HEAD_BYTES:
                self._refuse(self._excess() or HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop_clock()
        self._clock = self.loop.call_later(_HEAD_SECONDS, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def on_headers_complete(self) -> None:
        self._stop_clock()
        if excess := self._excess():
            self._refusal = excess
            raise ValueError(excess)
        super().on_headers_complete()

    def _excess(self) -> HTTPStatus | None:
        if len(self.url) > _LINE_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        too_large = size > _HEAD_BYTES or len(self.headers) > _MOST_HEADERS
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else None

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when a head can't be parsed, or its parsing was broken off here."""
        self._refuse(self._refusal)

    def _refuse(self, status: HTTPStatus) -> None:
        self._stop_clock()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()

    def _stop_clock(self) -> None:
        if self._clock:
            self._clock.cancel()
        self._clock, self._head = None, 0


class Server(uvicorn.Server):
    """A server of `app` on 127.0.0.1, within Kestrel's limits."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        config = uvicorn.Config(
            app, port=port, http=_Connection, ws="none", lifespan="off", log_config=None, access_log=False
        )
        config.server_header, config.proxy_headers, config.timeout_keep_alive = False, False, _KEEP_ALIVE
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # serve() takes them


async def serve(app: ASGIApp, port: int, *alongside: Alongside) -> None:
    """Serve `app` on 127.0.0.1, and run what goes alongside, until SIGTERM or SIGINT or an exception in one of them.

    TimeoutError if what runs has not ended 30 s after that.
    """
    server, stop, loop = Server(app, port), asyncio.Event(), asyncio.get_running_loop()
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
    413, or too slow and was answered with 408.
    """
    length = int(dict(scope["headers"]).get(b"content-length", 0))
    if length > _BODY_LIMIT:
        await respond(send, 413)
        return None
    chunks: list[bytes] = []
    more, slowest = length > 0, asyncio.get_running_loop().time() + _BODY_GRACE
    while more:
        try:
            async with asyncio.timeout_at(slowest):
                message = await receive()
        except TimeoutError:
            await respond(send, 408, headers=[("connection", "close")])
            return None
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        slowest += len(chunks[-1]) / _BODY_RATE
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
