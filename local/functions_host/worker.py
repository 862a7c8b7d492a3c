"""The worker's half: Microsoft's `azure-functions-runtime`, which Azure itself runs from Python 3.13 on.

Written against version 1.3.0, and the only module that knows it. On Azure a proxy hands the library protocol-buffer
messages; here plain namespaces stand in for their classes, and invocations take the library's own entry that needs
none.
"""

import asyncio
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure_functions_runtime import handle_event, invocation_id_cv, start_threadpool_executor, stop_threadpool_executor
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native

Value = Any  # the library's Datum, which has `value` and `type`; untyped there

log = logging.getLogger("local.functions_host")

_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_running: dict[str, str] = {}  # invocation id -> function name


class AppRefused(Exception):
    """The application is one that Azure, or this host, does not run. The message says why."""

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.traceback = traceback


class InvocationFailed(Exception):
    """The function raised, or returned what its binding can't take. It is logged already."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """An indexed function. Its bindings are those of `function.json`, settings not yet resolved."""

    name: str
    id: str
    bindings: tuple[dict[str, Any], ...]

    @property
    def trigger(self) -> dict[str, Any]:
        """The binding that starts it."""
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))


class _Protos:
    class BindingInfo(SimpleNamespace):
        undefined, out, inout = 0, 1, 2  # of the enumerations DataType and Direction

    class StatusResult(SimpleNamespace):
        Failure, Success = 0, 1

    def __getattr__(self, name: str) -> type:
        return SimpleNamespace


async def load(folder: Path) -> list[Function]:
    """Import and index the application in the folder, which must be on `sys.path`. AppRefused if Azure would refuse
    it."""
    # The library logs what it also returns.
    logging.getLogger("azure.functions").disabled = True
    init = SimpleNamespace(capabilities={}, function_app_directory=str(folder))
    properties = {"host": "127.0.0.1", "protos": _Protos()}
    request = SimpleNamespace(request=SimpleNamespace(worker_init_request=init), properties=properties)
    result = (await handle_event.worker_init_request(request)).result
    if result.status != _Protos.StatusResult.Success:
        raise AppRefused(result.exception.message, result.exception.stack_trace)
    if handle_event.HttpV2Registry.http_v2_enabled():
        raise AppRefused("HTTP streams (azurefunctions-extensions-http-…) aren't supported by this host")
    indexed = (await handle_event.functions_metadata_request(request)).function_metadata_results
    if not indexed:
        raise AppRefused(f"0 functions found in {folder}/function_app.py")
    start_threadpool_executor()
    return [Function(f.name, f.function_id, tuple(map(json.loads, f.raw_bindings))) for f in indexed]


def unload() -> None:
    """Wait for functions in threads, and end the threads."""
    stop_threadpool_executor()


def text(value: str) -> Value:
    """A string for a function."""
    return Datum(value, "string")


def data(value: bytes) -> Value:
    """Bytes for a function."""
    return Datum(value, "bytes")


def json_of(value: object) -> Value:
    """A JSON value for a function; what JSON doesn't know becomes a string."""
    return Datum(json.dumps(value, default=str), "json")


def http_request(**parts: Value) -> Value:
    """An HTTP request for a function: method, url, headers, query, params, body."""
    return Datum(parts, "http")


def current() -> tuple[str, str] | None:
    """The name of the function and the id of the invocation that this code runs in, if any."""
    invocation = invocation_id_cv.get()
    return (_running[invocation], invocation) if invocation in _running else None


async def invoke(
    function: Function,
    value: Value,
    metadata: Mapping[str, Value] = {},
    *,
    trace_parent: str = "",
    trace_state: str = "",
) -> Value | None:
    """Call the function with its trigger's value and metadata; returns what its `$return` binding made of the result.

    As on Azure the function sees a trace context of the caller's trace, with a span of the host's own. InvocationFailed
    when it raises.
    """
    with _around(function, trace_parent) as context:
        return await _invoke(function, value, metadata, context, trace_state)


async def _invoke(
    function: Function, value: Value, metadata: Mapping[str, Value], trace_parent: str, trace_state: str
) -> Value | None:
    invocation, inputs = str(uuid.uuid4()), [(function.trigger["name"], value)]
    _running[invocation] = function.name
    try:
        ok, returned, _, error, traceback = await invocation_request_native(
            invocation, function.id, inputs, metadata, trace_parent, trace_state
        )
    except asyncio.CancelledError as cancelled:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        ok, returned, error, traceback = False, None, repr(cancelled), ""  # the function's own doing
    finally:
        del _running[invocation]
    if not ok:
        details = {"function": function.name, "invocationId": invocation, "exception": traceback}
        log.error("Executed 'Functions.%s' (Failed): %s", function.name, error, extra=details)
        raise InvocationFailed(error)
    return returned


@contextmanager
def _made_up(_function: Function, parent: str) -> Iterator[str]:
    trace = _TRACE_PARENT.match(parent)
    trace_id, flags = trace.groups() if trace else (os.urandom(16).hex(), "00")
    yield f"00-{trace_id}-{os.urandom(8).hex()}-{flags}"


type Around = Callable[[Function, str], AbstractContextManager[str]]
_around: Around = _made_up


def record(around: Around) -> None:
    """From now on there are spans of invocations; before, what a function sees of them is made up."""
    global _around  # noqa: PLW0603
    _around = around
