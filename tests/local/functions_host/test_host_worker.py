"""Microsoft's worker library behind one module, written against version 1.3.0: read a newer one's sources first."""

from __future__ import annotations

import asyncio
import gc
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from local.functions_host import worker
from local.functions_host.worker import AppRefused, Function, InvocationFailed
from tests.local.functions_host.conftest import WriteApp

_APP = """
import asyncio, logging, typing
import azure.functions as func
from local.functions_host import worker
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""
_HTTP = "@app.route('x')\n"
_QUEUE = "@app.service_bus_queue_trigger(arg_name='msg', queue_name='q', connection='C', data_type='binary')\n"


def _request(**parts: str) -> worker.Value:
    asked = {"method": "GET", "url": "http://host/api/x", **parts}
    values = {name: worker.text(value) for name, value in asked.items()}
    return worker.http_request(**values, headers={}, query={}, params={}, body=worker.data(b""))


def test_the_library_is_the_version_that_this_was_written_against_and_one_module_knows_it() -> None:
    local = Path(worker.__file__).parents[1]
    knowing = [file.name for file in local.rglob("*.py") if "azure_functions_runtime" in file.read_text()]

    assert version("azure-functions-runtime") == "1.3.0"
    assert knowing == ["worker.py"]


async def test_functions_are_indexed_with_the_bindings_of_function_json(write_app: WriteApp) -> None:
    functions = await worker.load(
        write_app(f"{_APP}{_HTTP}async def f(req: func.HttpRequest) -> func.HttpResponse: ...")
    )

    trigger = {"direction": "IN", "type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS", "route": "x"}
    assert [function.name for function in functions] == ["f"]
    assert functions[0].bindings == (trigger, {"direction": "OUT", "type": "http", "name": "$return"})
    assert functions[0].trigger == trigger


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import azure.functions", "Could not find top level function app instances"),
        (f"{_APP}", "0 functions found"),
        (f"{_APP}other = func.FunctionApp()", "More than one FunctionApp"),
        (f"{_APP}import no_such_module", "no_such_module"),
        (f"{_APP}1 / 0", "division by zero"),
        (f"{_APP}@app.function_name('f')\ndef f(): ...", "does not have a trigger"),
        (
            f"{_APP}{_HTTP}def f(req): ...\n@app.route('y')\n@app.function_name('f')\ndef g(req): ...",
            "unique function name",
        ),
        (f"{_APP}{_HTTP}def f(req: func.HttpRequest) -> None: ...", "does not match binding type"),
        (f"{_APP}{_HTTP}def f(req: func.HttpRequest) -> dict: ...", "does not match binding type"),
        (f"{_APP}{_HTTP}def f(req: func.HttpRequest) -> typing.Optional[func.HttpResponse]: ...", "non-type return"),
        (f"{_APP}{_HTTP}def f(req: func.HttpRequest, more=1) -> func.HttpResponse: ...", "'more'"),
        (f"{_APP}{_HTTP}def f(req: func.HttpRequest, **more) -> func.HttpResponse: ...", "'more'"),
        (
            f"{_APP}{_HTTP}def f(req: func.HttpRequest, context: str) -> func.HttpResponse: ...",
            "azure.functions.Context",
        ),
        (f"{_APP}{_HTTP}def f(other: func.HttpRequest) -> func.HttpResponse: ...", "'other'"),
        (f"{_APP}{_QUEUE}def f(msg: dict) -> None: ...", "do not match"),
        (f"{_APP}{_QUEUE}def f(msg: 'NoSuchClass') -> None: ...", "NoSuchClass"),
    ],
)
async def test_an_app_that_azure_refuses_is_refused(write_app: WriteApp, source: str, reason: str) -> None:
    with pytest.raises(AppRefused) as refused:
        await worker.load(write_app(source))

    assert reason in str(refused.value)


@pytest.mark.parametrize("hint", ["func.ServiceBusMessage", "str", "bytes", "typing.List[func.ServiceBusMessage]"])
async def test_these_hints_of_a_service_bus_parameter_are_taken(write_app: WriteApp, hint: str) -> None:
    assert await worker.load(write_app(f"{_APP}{_QUEUE}def f(msg: {hint}) -> None: ..."))


async def test_get_functions_works_once_and_so_loading_indexes_once(write_app: WriteApp) -> None:
    source = f"{_APP}{_HTTP}async def f(req: func.HttpRequest) -> func.HttpResponse: ..."
    await worker.load(write_app(source))

    assert len(await worker.load(write_app(source))) == 1


@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_a_function_is_invoked_and_its_answer_encoded(write_app: WriteApp, kind: str) -> None:
    source = f"{_APP}{_HTTP}{kind} f(req: func.HttpRequest) -> func.HttpResponse: return func.HttpResponse(req.method)"
    (function,) = await worker.load(write_app(source))

    answer = await worker.invoke(function, _request(method="PUT"))

    assert answer is not None
    assert answer.type == "http"
    assert answer.value["status_code"].value == "200"
    assert answer.value["body"].value == b"PUT"


@pytest.mark.parametrize("kind", ["async def", "def"])
@pytest.mark.parametrize("body", ["raise LookupError('the reason')", "return 7"])
async def test_an_exception_or_a_result_that_has_no_binding_fails_the_invocation(
    write_app: WriteApp, caplog: pytest.LogCaptureFixture, kind: str, body: str
) -> None:
    (function,) = await worker.load(write_app(f"{_APP}{_QUEUE}{kind} f(msg: func.ServiceBusMessage) -> None: {body}"))

    with pytest.raises(InvocationFailed):
        await worker.invoke(function, worker.data(b""), {"UserProperties": worker.json_of({})})

    (record,) = [record for record in caplog.records if "(Failed)" in record.message]
    assert vars(record)["function"] == "f"
    assert "Traceback" in vars(record)["exception"]


@pytest.mark.filterwarnings("ignore:coroutine 'f' was never awaited")
async def test_a_coroutine_behind_a_sync_wrapper_fails(write_app: WriteApp) -> None:
    wrapper = "def wrap(f):\n import functools\n @functools.wraps(f)\n def w(*a, **k): return f(*a, **k)\n return w\n"
    source = f"{_APP}{wrapper}{_HTTP}@wrap\nasync def f(req: func.HttpRequest) -> func.HttpResponse: ..."
    (function,) = await worker.load(write_app(source))

    with pytest.raises(InvocationFailed, match="coroutine"):
        await worker.invoke(function, _request())


async def test_a_cancellation_of_the_functions_own_fails_it_and_one_from_outside_ends_it(write_app: WriteApp) -> None:
    source = f"{_APP}{_HTTP}async def f(req: func.HttpRequest) -> func.HttpResponse:\n"
    (own,) = await worker.load(write_app(f"{source} raise asyncio.CancelledError"))
    with pytest.raises(InvocationFailed):
        await worker.invoke(own, _request())

    (endless,) = await worker.load(write_app(f"{source} await asyncio.sleep(60)"))
    running = asyncio.create_task(worker.invoke(endless, _request()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_timer_is_given_its_state(write_app: WriteApp) -> None:
    (function,) = await worker.load(
        write_app(
            f"{_APP}{_HTTP.replace('route', 'function_name')}@app.timer_trigger(arg_name='t', schedule='* * * * * *')\n"
            "async def f(t: func.TimerRequest) -> None: raise ValueError((t.past_due, t.schedule_status, t.schedule))"
        )
    )
    state = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": True}

    with pytest.raises(InvocationFailed, match=r"\(True, \{\}, \{'AdjustForDST': True\}\)"):
        await worker.invoke(function, worker.json_of(state))


async def _trace_of(function: Function, parent: str) -> tuple[str, str, str, str]:
    answer = await worker.invoke(function, _request(), trace_parent=parent, trace_state="a=1")
    assert answer is not None
    made: tuple[str, str, str, str] = tuple(json.loads(answer.value["body"].value)[0].split("-"))
    return made


async def test_the_trace_goes_on_with_a_span_of_the_hosts_own(write_app: WriteApp) -> None:
    (function,) = await worker.load(
        write_app(
            f"{_APP}import json\n{_HTTP}"
            "async def f(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:\n"
            " c = context.trace_context; return func.HttpResponse(json.dumps([c.trace_parent, c.trace_state]))"
        )
    )
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    _, same_trace, new_span, flags = await _trace_of(function, f"00-{trace}-{span}-01")
    others = [await _trace_of(function, parent) for parent in ("", "nonsense", f"00-{'0' * 32}-{span}-01")]

    assert (same_trace, flags) == (trace, "01")
    assert new_span != span
    assert len({trace, *(other[1] for other in others)}) == 4


async def test_five_hundred_invocations_leave_nothing_behind(write_app: WriteApp) -> None:
    body = "(req: func.HttpRequest) -> func.HttpResponse: return func.HttpResponse('x')\n"
    source = f"{_APP}{_HTTP}async def f{body}@app.route('y')\ndef g{body}"
    functions = await worker.load(write_app(source))

    async def objects_after(rounds: int) -> int:
        for _ in range(rounds):
            for function in functions:
                await worker.invoke(function, _request())
        gc.collect()
        return len(gc.get_objects())

    before = await objects_after(50)
    after = await objects_after(250)

    assert after - before < 100


async def test_the_current_invocation_is_known_inside_it_only(write_app: WriteApp) -> None:
    source = f"{_APP}{_HTTP}KIND f(req: func.HttpRequest) -> func.HttpResponse: raise ValueError(worker.current()[0])"
    for kind in ("async def", "def"):
        (function,) = await worker.load(write_app(source.replace("KIND", kind)))
        with pytest.raises(InvocationFailed, match=r"ValueError\('f'\)"):
            await worker.invoke(function, _request())

    assert worker.current() is None
