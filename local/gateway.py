"""`python -m local.gateway --state DIR --port P --host URL --host URL …`: one address for several Functions hosts.

It asks each host for its functions, and passes every request to the host whose route it matches, as one host with all
the functions would do. While a host is away its routes answer 503, or 502 when it went before it answered.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import uvloop
from starlette.types import Receive, Scope, Send

from local import part
from local.functions_host.routes import Route, Routes, Template
from local.functions_host.server import decoded, read_body, respond, serve

# RFC 9110, section 7.6.1; of an answer also what frames it, and the date, which the server here sets.
_NOT_PASSED_ON = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"}
_NOT_PASSED_BACK = _NOT_PASSED_ON | {b"transfer-encoding", b"date"}


class Gateway:
    """The application (ASGI). `GET /_health` is 200 once the functions of every host are known and all are running."""

    def __init__(self, hosts: Sequence[str], transport: httpx.AsyncBaseTransport) -> None:
        self._hosts, self._transport = [host.rstrip("/") for host in hosts], transport
        self._known: dict[str, list[Route[str]]] = {}
        self._routes: Routes[str] = Routes([])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, unknown = decoded(scope["raw_path"]), [host for host in self._hosts if host not in self._known]
        for host in unknown:
            await self._learn(host)
        if path == "/_health":
            statuses = await asyncio.gather(*(self._ask(host, "/admin/host/status") for host in self._hosts))
            ready = all(status and status["state"] == "Running" for status in statuses) and not unknown
            answer = (200, b'{"status": "ready"}') if ready else (503, b'{"status": "starting"}')
            await respond(send, *answer, [("content-type", "application/json")])
        elif found := self._routes.find(scope["method"], path) or self._routes.find(_preflight_for(scope), path):
            await self._pass_on(found[0], scope, receive, send)
        elif len(self._known) < len(self._hosts):
            await _refuse(send, 503, "The host of this function may be one that has not started yet.")
        else:
            await respond(send, 404)

    async def _learn(self, host: str) -> None:
        functions = await self._ask(host, "/admin/functions")
        if functions is not None:
            self._known[host] = [_route(function, host) for function in functions if function["invoke_url_template"]]
            self._routes = Routes([route for routes in self._known.values() for route in routes])

    async def _ask(self, host: str, path: str) -> Any:
        """What the host says at one of its own addresses; None while it is away."""
        try:
            answer, content = await self._send(httpx.Request("GET", host + path))
        except httpx.TransportError:
            return None
        return json.loads(content) if answer.status_code == 200 else None

    async def _pass_on(self, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive, send)
        if body is None:
            return
        # The target goes on as it came: a URL would lose its dots and be encoded anew.
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        request = httpx.Request(
            scope["method"],
            host,
            headers=[_passed_on(*header) for header in scope["headers"] if header[0] not in _NOT_PASSED_ON],
            content=body,
            extensions={"target": target},
        )
        try:
            answer, content = await self._send(request)
        except httpx.ConnectError:
            await _refuse(send, 503, "The host of this function is away.")
        except httpx.TransportError:
            await _refuse(send, 502, "The host of this function went away before it answered.")
        else:
            headers = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [header for header in headers if header[0] not in _NOT_PASSED_BACK]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    async def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        answer = await self._transport.handle_async_request(request)
        try:
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            return answer, b"".join([chunk async for chunk in answer.stream])  # as it is: not decompressed
        finally:
            await answer.aclose()


def _preflight_for(scope: Scope) -> str:
    """The method that a browser asks about before it uses it: the host that has it says who may."""
    asked = scope["method"] == "OPTIONS" and dict(scope["headers"]).get(b"access-control-request-method")
    return asked.decode("latin-1") if asked else ""


def _passed_on(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """White space around a value is no part of it (RFC 9110, section 5.5). A body that came in chunks goes on so,
    empty as the host finds it."""
    return name, b"chunked" if name == b"transfer-encoding" else value.strip(b" \t")


def _route(function: Mapping[str, Any], host: str) -> Route[str]:
    trigger = next(binding for binding in function["config"]["bindings"] if binding["type"] == "httpTrigger")
    methods = frozenset(method.upper() for method in trigger.get("methods", ()))
    template = Template(function["invoke_url_template"].split("/", 3)[3])
    return Route(function["name"], methods or None, template, host)


async def _refuse(send: Send, status: int, detail: str) -> None:
    title = {502: "Bad Gateway", 503: "Service Unavailable"}[status]
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = [("content-type", "application/problem+json"), ("retry-after", "1")]
    await respond(send, status, json.dumps(problem).encode(), headers)


async def _run(hosts: Sequence[str], port: int) -> None:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncHTTPTransport(limits=limits) as transport:
        await serve(Gateway(hosts, transport), port)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = part.parser(__doc__)
    parser.add_argument("--host", action="append", required=True, help="the address of a host; once for each")
    arguments = parser.parse_args()
    asyncio.run(_run(arguments.host, arguments.port), loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
