"""HTTP functions: from a request to a function, and from its result to the answer, as host and worker do it
together."""

import json
from collections.abc import Iterable, Sequence
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from local.functions_host import worker
from local.functions_host.routes import Route, Routes, Template, TemplateError
from local.functions_host.server import decoded, read_body, respond
from local.functions_host.settings import HostJson, trigger_of
from local.functions_host.worker import AppRefused, Function, Value, log


class Web:
    """The application (ASGI) that answers for the HTTP functions, and for two addresses of the host's own.

    `GET /admin/host/status` and `GET /admin/functions` are those of the real host, with the fields that matter here.
    """

    def __init__(self, functions: Sequence[Function], host: HostJson) -> None:
        self._functions, self._prefix = functions, host.route_prefix
        self._routes = Routes([self._route(f) for f in functions if f.trigger["type"] == "httpTrigger"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], decoded(scope["raw_path"])
        headers = _joined((name.decode(), value.decode("latin-1").strip(" \t")) for name, value in scope["headers"])
        site = f"{scope['scheme']}://{headers.get('host', '')}"
        if method == "GET" and path == "/admin/host/status":
            await respond(send, 200, b'{"state": "Running"}', [("content-type", "application/json")])
        elif method == "GET" and path == "/admin/functions":
            await respond(send, 200, self._listed(site), [("content-type", "application/json")])
        elif not (found := self._routes.find(method, path)):
            await respond(send, 404)
        elif (body := await read_body(scope, receive, send)) is not None:
            function, parameters = found
            query = scope["query_string"].decode("latin-1")
            asked = _joined(parse_qsl(query, keep_blank_values=True))
            request = worker.http_request(
                method=worker.text(method),
                url=worker.text(f"{site}{path}{'?' if query else ''}{query}"),
                headers=_texts(headers),
                query=_texts({name: value for name, value in asked.items() if value}),
                params=_texts(parameters),
                body=worker.data(body),
            )
            await _invoke(function, request, headers, send)

    def _route(self, function: Function) -> Route[Function]:
        trigger = trigger_of(function)
        route = (trigger["route"] or function.name).strip("/")
        if route.lower().startswith(("admin", "runtime")):
            raise AppRefused(f"function {function.name}: the route {route!r} conflicts with the host's own")
        try:
            template = Template(f"{self._prefix}/{route}".strip("/"))
        except TemplateError as error:
            raise AppRefused(f"function {function.name}: in its route, {error}") from error
        methods = frozenset(method.upper() for method in trigger.get("methods", ()))
        return Route(function.name, methods or None, template, function)

    def _listed(self, site: str) -> bytes:
        urls = {route.name: f"{site}/{route.template.text}" for route in self._routes}
        listed = [
            {"name": f.name, "config": {"bindings": f.bindings}, "invoke_url_template": urls.get(f.name)}
            for f in self._functions
        ]
        return json.dumps(listed).encode()


async def _invoke(function: Function, request: Value, headers: dict[str, str], send: Send) -> None:
    trace_parent, trace_state = headers.get("traceparent", ""), headers.get("tracestate", "")
    try:
        answer = await worker.invoke(function, request, trace_parent=trace_parent, trace_state=trace_state)
    except worker.InvocationFailed:
        await respond(send, 500)
        return
    if answer is None or answer.type != "http":
        log.error("function %s returned no HttpResponse, which this host doesn't support", function.name)
        await respond(send, 501, b"This host supports no result of an HTTP function but an HttpResponse.")
        return
    returned = [(name, value.value) for name, value in answer.value["headers"].items()]
    cookies: list[SimpleCookie] = answer.value["cookies"] or []
    returned += [("set-cookie", morsel.OutputString()) for cookie in cookies for morsel in cookie.values()]
    await respond(send, int(answer.value["status_code"].value), answer.value["body"].value, returned)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names, in whatever case, become one with values joined by commas."""
    values: dict[str, list[str]] = {}
    spelt: dict[str, str] = {}
    for name, value in pairs:
        values.setdefault(spelt.setdefault(name.lower(), name), []).append(value)
    return {name: ",".join(all_values) for name, all_values in values.items()}


def _texts(pairs: dict[str, str]) -> dict[str, Value]:
    return {name: worker.text(value) for name, value in pairs.items()}
