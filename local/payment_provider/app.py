"""The provider over HTTP: keys, parameters, idempotency and the operations, with faults and a ledger for tests.

Kinds of fault beside those of `local.faults`:

- `html502`: a gateway's 502 with HTML, `empty200`: 200 without a body; both before or after the effect.
- `stored500`: an error 500, before or after the effect, that is kept under the idempotency key and replayed.
- `status` takes a `code` of Stripe's, too: with 402 the code of a decline.
- `late`: a reset at once, the effect `seconds` (by default 1) later; the idempotency key is in use until then.
"""

import asyncio
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from local.faults import HTTP_KINDS, Fault, FaultMiddleware, Faults, Stats, control_routes, reset
from local.payment_provider.errors import Refusal, invalid, refused, unknown_error, unsupported
from local.payment_provider.intents import OPERATIONS, lapse, shown
from local.payment_provider.store import Kept, Store

_PATH = re.compile(r"/v1/payment_intents(?:/(\w+)(?:/(confirm|capture|cancel))?)?", re.ASCII)
_METADATA = re.compile(r"metadata\[[^\[\]]+\]")
_FORM = "application/x-www-form-urlencoded"
_NO_FAULT = Fault(id="none", kind="none")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _operation(method: str, path: str) -> tuple[str, str]:
    """The operation that a request asks for, and the intent that it names."""
    found = _PATH.fullmatch(path)
    intent_id, action = found.groups(default="") if found else ("", "")
    if found and method == "GET" and not action:
        return "retrieve" if intent_id else "list", intent_id
    if found and method == "POST" and bool(intent_id) == bool(action):
        return action or "create", intent_id
    return "unsupported", ""


async def _parameters(request: Request, operation: str) -> dict[str, str]:
    body = await request.body()
    if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise invalid(f"Invalid request (check that your POST content type is {_FORM}).")
    try:
        both = (request.scope["query_string"].decode(), body.decode())
        pairs = [pair for text in both for pair in parse_qsl(text, True, True, errors="strict")]
    except ValueError as error:
        raise invalid(f"Invalid request (not {_FORM} in UTF-8: {error}).") from error
    for name, value in pairs:
        metadata = operation == "create" and _METADATA.fullmatch(name)
        if name not in OPERATIONS[operation][1] and not metadata:
            raise invalid(f"Received unknown parameter: {name}", "parameter_unknown", name)
        if not value and not metadata:
            raise invalid(f"You passed an empty string for '{name}'.", "parameter_invalid_empty", name)
    if len(dict(pairs)) < len(pairs):
        raise invalid("Invalid request (a parameter is given more than once).")
    return dict(pairs)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is understood. `key` is None for one that changes nothing."""

    request_id: str
    key: str | None
    operation: str
    intent_id: str
    parameters: Mapping[str, str]
    fault: Fault

    @property
    def text(self) -> str:
        """What a key is kept with: the same for the same request, in whatever order its parameters come."""
        return json.dumps([self.operation, self.intent_id, sorted(self.parameters.items())])


class _Provider:
    """Answers the SDK's requests. They take effect one at a time, so every change of an intent is atomic."""

    def __init__(self, store: Store, key: str, stats: Stats) -> None:
        self._store, self._key, self._stats, self._in_flight = store, key, stats, set[str]()

    async def answer(self, request: Request) -> Response:
        request_id, key = f"req_{secrets.token_hex(7)}", request.headers.get("idempotency-key")
        try:
            answer = await self._once(await self._understand(request, request_id, key), request)
        except Refusal as refusal:
            answer = Kept("", request_id, refusal.status, json.dumps(refusal.body))
        headers = {"request-id": request_id} | ({"idempotency-key": key} if key else {})
        if answer.request_id != request_id:
            self._stats.add("replays")
            headers |= {"original-request": answer.request_id, "idempotent-replayed": "true"}
        return Response(answer.body, answer.status, headers, "application/json")

    async def _understand(self, request: Request, request_id: str, key: str | None) -> _Asked:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(secret.strip().encode(), self._key.encode()):
            raise invalid(f"Invalid API Key provided: {secret[:8]}***", status=401)
        operation, intent_id = _operation(request.method, request.scope["path"])
        if operation == "unsupported":
            raise unsupported(f"{request.method} {request.scope['path']}")
        parameters = await _parameters(request, operation)
        if key is not None and len(key) > 255:
            raise invalid("An idempotency key has at most 255 characters.")
        fault = request.scope["extensions"].get("fault", {}).get("fault", _NO_FAULT)
        # A POST without a key has one of its own, as it has from the SDK.
        key = None if request.method == "GET" else key or request_id
        return _Asked(request_id, key, operation, intent_id, parameters, fault)

    async def _once(self, asked: _Asked, request: Request) -> Kept:
        """Act, or give the answer that the key was first given."""
        if asked.key is None:
            return self._act(asked)
        if asked.key in self._in_flight:
            message = f"There is another request in progress with this idempotency key: {asked.key}"
            error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": message}
            raise Refusal(409, error)
        kept = self._store.kept(asked.key)
        if kept is not None and kept.request != asked.text:
            message = "Keys for idempotent requests can only be used with the parameters they were first used with"
            raise Refusal(400, {"type": "idempotency_error", "message": f"{message}: {asked.key}"})
        if kept is not None:
            return kept
        self._in_flight.add(asked.key)
        try:
            if asked.fault.kind == "late":
                reset(request.scope["extensions"]["connection"]["transport"])
                await asyncio.sleep(1 if asked.fault.seconds is None else asked.fault.seconds)
            return self._act(asked)
        finally:
            self._in_flight.remove(asked.key)

    def _act(self, asked: _Asked) -> Kept:
        """Do what is asked, and keep the answer under the key unless it was refused before anything began."""
        fails = asked.fault.when if asked.fault.kind == "stored500" else "never"
        with self._store.transaction():
            try:
                if fails == "before":
                    raise unknown_error(500)
                done = OPERATIONS[asked.operation][0](self._store, asked.intent_id, asked.parameters)
                body = shown(done, asked.parameters)
                if fails == "after":
                    raise unknown_error(500)
                status, executed = 200, True
            except Refusal as refusal:
                status, body, executed = refusal.status, refusal.body, refusal.executed
            answer = Kept(asked.text, asked.request_id, status, json.dumps(body))
            if asked.key is not None and executed:
                self._store.keep(asked.key, answer)
        return answer


_BAD_GATEWAY = "<html><body><h1>502 Bad Gateway</h1></body></html>"
_ANSWERS: Mapping[str, Callable[[Fault], Response]] = {
    "status": lambda fault: JSONResponse(
        (refused(fault.status, fault.code) if fault.code else unknown_error(fault.status)).body, fault.status
    ),
    "html502": lambda _: Response(_BAD_GATEWAY, 502, media_type="text/html"),
    "empty200": lambda _: Response(b"", 200, media_type="application/json"),
}


def build(store: Store, key: str) -> ASGIApp:
    """The provider as an application: Stripe's API for the holder of `key`, and the control, which is open.

    `GET /_ledger` is every intent with its movements of money, for a check that nobody was charged twice.
    `POST /_lapse/{id}` makes an authorisation expire.
    """
    faults, stats = Faults(HTTP_KINDS | _ANSWERS.keys() | {"stored500", "late"}), Stats()

    async def get_ledger(_: Request) -> Response:
        return JSONResponse({"intents": store.ledger()})

    async def lapse_intent(request: Request) -> Response:
        try:
            with store.transaction():
                return JSONResponse(lapse(store, request.path_params["id"]))
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)

    routes = [
        *control_routes(faults, stats),
        Route("/_ledger", get_ledger),
        Route("/_lapse/{id}", lapse_intent, methods=["POST"]),
        Route("/{path:path}", _Provider(store, key, stats).answer, methods=_METHODS),
    ]
    app = Starlette(routes=routes)
    return FaultMiddleware(app, faults, stats, lambda of: _operation(of["method"], of["path"])[0], _ANSWERS)
