"""HTTP functions, each declared once: what it is called, what it takes and what it answers.

`endpoint` stands over the decorators of the v2 programming model. It checks the body's type, size and shape before the
handler runs, retries what another writer was faster at, and turns every refusal into `application/problem+json`
(RFC 9457). A handler sees parsed values and returns a Reply; it never formats an error.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import azure.functions as func
from pydantic import BaseModel, ValidationError

from shared.errors import Contended, FieldError, Refused, Throttled, Transient, invalid
from shared.headers import Preconditions, idempotency_key, preconditions, refuse_preconditions
from shared.json_body import MIB, parse_json, pointer
from shared.ports import System
from shared.retry import at_once
from shared.telemetry import log, logged_with, traced

API = "/api"
"""What every path begins with, host.json's prefix of routes. Links are paths, so that they hold behind any proxy."""
PROBLEM_TYPES = "urn:orderflow:problem:"


@dataclass(frozen=True, slots=True)
class Call[Body]:
    """One request: the parsed body, and the route's and the query's texts. Header names are lower case.

    `request_id` is drawn once, however often the handler is tried: what was written under it, was written by this call.
    """

    request_id: str
    body: Body
    route: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    preconditions: Preconditions = field(default_factory=Preconditions)

    @property
    def idempotency_key(self) -> str | None:
        """The caller's own name for what is asked. Refused with 400 where the header holds none."""
        return idempotency_key(self.headers)


@dataclass(frozen=True, slots=True)
class Reply:
    """A success."""

    body: BaseModel
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An HTTP function's declaration, kept on the function as `operation` for whoever describes the API."""

    id: str
    method: str
    route: str
    summary: str
    request: type[BaseModel] | None
    response: type[BaseModel]
    statuses: Mapping[int, str]


def endpoint(
    blueprint: func.Blueprint,
    system: System,
    *,
    operation: str,
    method: str,
    route: str,
    summary: str,
    response: type[BaseModel],
    statuses: Mapping[int, str],
    request: type[BaseModel] | None = None,
    context: Mapping[str, Any] | None = None,
    max_body: int = MIB,
    conditional: bool = False,
    query: Collection[str] = (),
) -> Callable[[Callable[[Call[Any]], Awaitable[Reply]]], None]:
    """Register the decorated handler as the HTTP function named `operation`.

    `statuses` says when each status is answered. `context` reaches the request model's validators,
    beside `seen`, a set that is empty for each request. `conditional`: the handler heeds the call's preconditions;
    where it doesn't, one on a request that writes is refused. `query` names the parameters that there are.
    """
    declared = Operation(operation, method, route, summary, request, response, statuses)

    def register(handler: Callable[[Call[Any]], Awaitable[Reply]]) -> None:
        async def answer(req: func.HttpRequest) -> func.HttpResponse:
            with logged_with(function=operation), traced(req.headers.get("traceparent", "").strip()):
                try:
                    _refuse_unknown(req.params, query)
                    body = _parsed(req, request, max_body, context) if request else None
                    asked = preconditions(req.headers) if conditional else Preconditions()
                    if not conditional and method != "GET":
                        refuse_preconditions(req.headers)
                    call = Call(system.new_id(), body, req.route_params, req.params, req.headers, asked)
                    return _success(await at_once(lambda: handler(call), system))
                except Exception as error:  # noqa: BLE001 - the edge: the caller gets a problem, the log the rest
                    return _problem(_refusal(error))

        answer.operation = declared  # type: ignore[attr-defined]
        decorated = blueprint.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(answer)
        blueprint.function_name(operation)(decorated)

    return register


def _refuse_unknown(given: Mapping[str, str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise invalid_query(name[:40], f"It is not a known one: remove it. This operation {takes}.")


def invalid_query(name: str, detail: str) -> Refused:
    """400 for a query parameter that isn't understood."""
    return Refused(400, "invalid-query", f"The query parameter {name} is not valid.", detail)


def _parsed(
    req: func.HttpRequest, model: type[BaseModel], max_body: int, context: Mapping[str, Any] | None
) -> BaseModel:
    data = parse_json(req.headers, req.get_body(), max_body)
    try:
        return model.model_validate(data, context={**(context or {}), "seen": set()})
    except ValidationError as error:
        raise invalid(field_errors(error)) from None


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each wrong field once, in the words of whoever checks it; values are never repeated back."""
    return [
        FieldError(pointer(each["loc"]), _detail(each)) for each in error.errors(include_url=False, include_input=False)
    ]


def _detail(error: Any) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "too_short":
            return f"should have at least {_items(error['ctx']['min_length'])}"
        case "too_long":
            return f"should have at most {_items(error['ctx']['max_length'])}"
        case "model_type":
            return "should be an object"
        case "extra_forbidden":
            return "is not a known field: remove it"
        case _:
            return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def _refusal(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, Transient | Contended):
        log.warning("answered 503: %r", error)
        wait = max(5, ceil(error.wait)) if isinstance(error, Throttled) else 2
        return Refused(503, "unavailable", "Please try again in a moment.", headers={"Retry-After": str(wait)})
    log.error("the request failed", exc_info=error)
    return Refused(500, "internal", "Something went wrong on our side.")


def _success(reply: Reply) -> func.HttpResponse:
    return func.HttpResponse(
        reply.body.model_dump_json(by_alias=True),
        status_code=reply.status,
        headers=dict(reply.headers),
        mimetype="application/json",
    )


def _problem(refused: Refused) -> func.HttpResponse:
    problem: dict[str, Any] = {
        "type": PROBLEM_TYPES + refused.type,
        "title": refused.title,
        "status": refused.status,
    }
    if refused.detail:
        problem["detail"] = refused.detail
    if refused.errors:
        problem["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in refused.errors]
    return func.HttpResponse(
        json.dumps(problem, ensure_ascii=False),
        status_code=refused.status,
        headers=refused.headers,
        mimetype="application/problem+json",
    )
