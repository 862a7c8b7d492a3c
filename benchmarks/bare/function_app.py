"""The application composed without its surface: every context's own handlers, stores and messages behind HTTP functions
that check no token, validate nothing and turn no failure into a problem. For measuring what those cost, and for nothing
else: it can't be reached by a setting of the application, and is in no package.
"""

import json
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from importlib import import_module
from pkgutil import iter_modules
from types import NoneType
from typing import Any, get_args, get_type_hints

import azure.functions as func
from pydantic import BaseModel

import services
import shared.http
from shared.access import Authenticator, Caller, Role
from shared.http import Call, File, Reply
from shared.ports import System

ADA = Caller("ada", frozenset(Role))


class BareHttpFunctions:
    """shared.http.HttpFunctions that believe everybody everything."""

    def __init__(self, system: System, authenticator: Authenticator) -> None:
        self.blueprint = func.Blueprint()
        self._system = system

    def function(
        self, method_and_route: str, *, roles: AbstractSet[Role], operation: str | None = None, **_: Any
    ) -> Callable[[Callable[[Call[Any, Any]], Awaitable[Reply[Any]]]], None]:
        """Register the decorated handler; everybody is Ada, in the least of the roles that may call it."""
        method, route = method_and_route.split()
        role = next((each for each in Role if each in roles), Role.CUSTOMER)

        def register(handler: Callable[[Call[Any, Any]], Awaitable[Reply[Any]]]) -> None:
            name = operation or handler.__name__
            request, _ = get_args(get_type_hints(handler)["call"])

            async def answer(req: func.HttpRequest) -> func.HttpResponse:
                asked = None if request is NoneType else constructed(request, json.loads(req.get_body()))
                call = Call(name, self._system.new_id(), ADA, role, asked, None, req.route_params)
                reply = await handler(call)
                body = reply.body.content if isinstance(reply.body, File) else reply.body.model_dump_json(by_alias=True)
                return func.HttpResponse(
                    body, status_code=reply.status, headers=reply.headers, mimetype="application/json"
                )

            at = self.blueprint.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)
            self.blueprint.function_name(name)(at(answer))

        return register


def constructed(kind: Any, value: Any) -> Any:
    """JSON as the objects that a model declares, without a look at what it holds."""
    if isinstance(value, list):
        [each] = get_args(kind)
        return [constructed(each, member) for member in value]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        members = {
            name: constructed(field.annotation, value[field.alias or name])
            for name, field in kind.model_fields.items()
            if (field.alias or name) in value
        }
        return kind.model_construct(**members)
    return value


# Before the contexts are imported, which take it from there.
shared.http.HttpFunctions = BareHttpFunctions  # type: ignore[assignment, misc]

app = func.FunctionApp()
for context in sorted(each.name for each in iter_modules(services.__path__)):
    app.register_functions(import_module(f"services.{context}.bootstrap").blueprint())
