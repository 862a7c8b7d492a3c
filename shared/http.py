"""HTTP functions, each declared once: who may call it, and by its handler's annotations what it takes and answers.

`HttpFunctions` stands over the decorators of the v2 programming model. It checks who calls and whether they may, then
the body's type, size and shape, before the handler runs; it retries what another writer was faster at, and turns every
refusal into `application/problem+json` (RFC 9457). A handler sees parsed values and returns a Reply; it never formats
an error.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, get_args, get_type_hints

import azure.functions as func
from pydantic import BaseModel, ValidationError

from shared.access import Authenticator, Caller, Role
from shared.audit import Actor
from shared.errors import Refused, invalid
from shared.headers import (
    Preconditions,
    bearer_token,
    correlation,
    idempotency_key,
    names,
    preconditions,
    preconditions_of_change,
    refuse_preconditions,
)
from shared.json_body import JSON, MERGE_PATCH, MIB, parse_json, refuse_body
from shared.ports import System
from shared.problems import fault, field_errors, problem, refusal
from shared.retry import at_once
from shared.telemetry import span, span_failed

API = "/api"
"""What every path begins with, host.json's prefix of routes. Links are paths, so that they hold behind any proxy."""
UNCHANGED = "If-None-Match names it: the caller has it as it is"
_NOBODY = Caller("", frozenset()), Role.CUSTOMER


_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer that doesn't say otherwise: no browser shall guess its type, show it in a frame, or keep it."""
_REVALIDATED = {"Cache-Control": "private, no-cache"}
"""On what has an entity tag: its caller alone may keep it, and asks each time whether it is still so."""


@dataclass(frozen=True, slots=True)
class Call[Body, Query = None]:
    """One request: its caller, the parsed body and query, and the route's texts.

    `request_id` is drawn once, however often the handler is tried: what was written under it, was written by this call.
    It is the answer's X-Request-Id unless the caller chose one: that names nothing that is written.
    `role` is the one as which the caller calls; where a function is open, they are nobody.
    """

    operation: str
    request_id: str
    caller: Caller
    role: Role
    body: Body
    query: Query
    route: Mapping[str, str]
    idempotency_key: str | None = None
    """The caller's own name for what is asked. An operation that is repeatable anyway has no use for it."""
    preconditions: Preconditions = field(default_factory=Preconditions)

    @property
    def customer(self) -> str | None:
        """Whose things alone the caller may see and touch: a customer's own; None where staff may anybody's."""
        return self.caller.subject if self.role is Role.CUSTOMER else None

    @property
    def actor(self) -> Actor:
        """Who is answerable for what the call writes."""
        return Actor(self.caller.subject, self.role, self.operation, self.request_id)


@dataclass(frozen=True, slots=True)
class File:
    """What is answered as it is."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Reply[Body: BaseModel | File]:
    """A success."""

    body: Body
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An HTTP function's declaration, kept on the function as `operation` for whoever describes the API."""

    id: str
    method: str
    route: str
    roles: AbstractSet[Role]
    owned: bool
    summary: str
    request: type[BaseModel] | None
    query: type[BaseModel] | None
    response: type[BaseModel] | None
    statuses: Mapping[int, str]
    sends: Collection[str]
    conditional: bool

    @property
    def media_type(self) -> str:
        """What its request's body is."""
        return MERGE_PATCH if self.method == "PATCH" else JSON


class HttpFunctions:
    """The HTTP functions of a blueprint."""

    def __init__(self, system: System, authenticator: Authenticator) -> None:
        self.blueprint = func.Blueprint()
        self._system = system
        self._authenticator = authenticator

    def function(
        self,
        method_and_route: str,
        *,
        roles: AbstractSet[Role],
        summary: str,
        statuses: Mapping[int, str],
        operation: str | None = None,
        context: Mapping[str, Any] | None = None,
        sends: Collection[str] = (),
        max_body: int = MIB,
        conditional: bool = False,
        owned: bool = False,
    ) -> Callable[[Callable[[Call[Any, Any]], Awaitable[Reply[Any]]]], None]:
        """Register the decorated handler at a method and route, `GET stock/{sku}` say, for callers in one of the
        `roles`; the HTTP function has the handler's name unless `operation` is another.

        What it takes and answers stands in the handler's annotations, `Call[<body>, <query parameters>]` and
        `Reply[<body>]`: with a `File`, it is for people. `statuses` says when each status is answered, and names the
        types of problem in backticks that no other operation has. `context` reaches the request model's validators,
        beside `seen`, a set that is empty for each request. `conditional`: the handler heeds the call's preconditions;
        where it doesn't, one on a request that writes is refused. A PATCH takes a merge patch, and is refused without
        If-Match. `sends` are the headers that a success may have, but for the ETag of what a GET answers with 304: that
        of its Reply, or else a digest of the body.
        `owned`: what it is about belongs to a customer, and the handler heeds `Call.customer`.
        """
        method, route = method_and_route.split()

        def register(handler: Callable[[Call[Any, Any]], Awaitable[Reply[Any]]]) -> None:
            hints = get_type_hints(handler)
            request, query, response = map(_model, (*get_args(hints["call"]), *get_args(hints["return"])))
            name = operation or handler.__name__
            declared = Operation(
                name, method, route, roles, owned, summary, request, query, response, statuses, sends, conditional
            )

            async def call(req: func.HttpRequest, id: str) -> Reply[Any]:
                caller, role = await self._admitted(req, declared)
                key = idempotency_key(req.headers)
                parameters = _parameters(req.params, query)
                body = _parsed(req, declared, max_body, context)
                asked = _preconditions(req, declared)
                call = Call(name, id, caller, role, body, parameters, req.route_params, key, asked)
                return await at_once(lambda: handler(call), self._system)

            async def answer(req: func.HttpRequest) -> func.HttpResponse:
                id = self._system.new_id()
                told = correlation(req.headers, id)
                with span(name, told["traceparent"], function=name, request=told["X-Request-Id"]):
                    try:
                        response = _success(await call(req, id), req, declared)
                    except Exception as error:  # noqa: BLE001 - the edge: the caller gets a problem, the log the rest
                        response = _problem(refusal(error))
                    if response.status_code >= 500:
                        span_failed(str(response.status_code))
                response.headers.update(told)
                return response

            answer.operation = declared  # type: ignore[attr-defined]
            at = self.blueprint.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)
            self.blueprint.function_name(name)(at(answer))

        return register

    async def _admitted(self, req: func.HttpRequest, operation: Operation) -> tuple[Caller, Role]:
        """Who calls, and as what. Refused before anything else of the request is looked at."""
        if not operation.roles:
            return _NOBODY
        caller = await self._authenticator.authenticate(bearer_token(req.headers))
        role = caller.role_among(operation.roles)
        if role is None:
            needed = " or ".join(each for each in Role if each in operation.roles)
            raise Refused(403, "forbidden", "You may not do this.", f"It takes the role {needed}.")
        return caller, role


def _model(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _parameters(given: Mapping[str, str], model: type[BaseModel] | None) -> BaseModel | None:
    known = [each.alias or name for name, each in model.model_fields.items()] if model else []
    for name in given:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise invalid_query(name[:40], f"It is not a known one: remove it. This operation {takes}.")
    try:
        return model.model_validate(given) if model else None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid_query(str(first["loc"][0]), f"It {fault(first)}.") from None


def invalid_query(name: str, detail: str) -> Refused:
    """400 for a query parameter that isn't understood."""
    return Refused(400, "invalid-query", f"The query parameter {name} is not valid.", detail)


def _preconditions(req: func.HttpRequest, operation: Operation) -> Preconditions:
    if operation.method == "PATCH":
        return preconditions_of_change(req.headers)
    if operation.conditional:
        return preconditions(req.headers)
    if operation.method != "GET":
        refuse_preconditions(req.headers)
    return Preconditions()


def _parsed(
    req: func.HttpRequest, operation: Operation, max_body: int, context: Mapping[str, Any] | None
) -> BaseModel | None:
    model = operation.request
    if model is None:
        if req.method != "GET":  # of which a body has no meaning
            refuse_body(req.headers, req.get_body())
        return None
    data = parse_json(req.headers, req.get_body(), max_body, operation.media_type)
    try:
        return model.model_validate(data, context={**(context or {}), "seen": set()})
    except ValidationError as error:
        raise invalid(field_errors(error)) from None


def _success(reply: Reply[Any], req: func.HttpRequest, operation: Operation) -> func.HttpResponse:
    headers = _SECURITY | dict(reply.headers)
    file = reply.body if isinstance(reply.body, File) else _json(reply.body)
    body, status = file.content, reply.status
    if 304 in operation.statuses:
        headers = {"ETag": reply.headers.get("ETag") or entity_tag(body)} | headers | _REVALIDATED
        if names(req.headers, headers["ETag"]):
            body, status = b"", 304
    return func.HttpResponse(body, status_code=status, headers=headers, mimetype=file.media_type)


def entity_tag(content: bytes) -> str:
    """What tells a content from any other."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def _json(body: BaseModel) -> File:
    return File(body.model_dump_json(by_alias=True).encode(), "application/json")


def _problem(refused: Refused) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps(problem(refused), ensure_ascii=False),
        status_code=refused.status,
        headers=_SECURITY | refused.headers,
        mimetype="application/problem+json",
    )
