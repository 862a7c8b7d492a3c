"""An app that Azure would refuse, or that this host can't run, ends it with one line that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.functions_host.__main__ import build
from local.functions_host.worker import AppRefused
from tests.local.functions_host.conftest import StartHost, WriteApp

_APP = "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
_HTTP = "async def f(req: func.HttpRequest) -> func.HttpResponse: ...\n"
_QUEUE = "async def f(msg: func.ServiceBusMessage) -> None: ...\n"
_BUS = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=YQ==;UseDevelopmentEmulator=true;"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "no_such_module"),
        (_APP, "0 functions found"),
        (f"{_APP}@app.route('x')\n@app.function_name('9f')\n{_HTTP}", "function 9f: not a valid name"),
        (f"{_APP}@app.route('x')\n@app.function_name('Host')\n{_HTTP}", "function Host: not a valid name"),
        (f"{_APP}@app.route('Admin/x')\n{_HTTP}", "function f: the route 'Admin/x' conflicts"),
        (f"{_APP}@app.route('/runtime')\n{_HTTP}", "function f: the route 'runtime' conflicts"),
        (f"{_APP}@app.route('{{when:datetime}}')\n{_HTTP}", "function f: in its route, the constraint 'datetime'"),
        (f"{_APP}@app.queue_trigger('msg', 'q', 'C')\nasync def f(msg) -> None: ...", "the binding queueTrigger"),
        (f"{_APP}@app.timer_trigger('t', '* *')\nasync def f(t) -> None: ...", "function f: its schedule '* *'"),
        (f"{_APP}@app.timer_trigger('t', '%WHEN%')\nasync def f(t) -> None: ...", "function f: the setting WHEN"),
        (f"{_APP}@app.service_bus_queue_trigger('msg', 'C', '%Q%', data_type='binary')\n{_QUEUE}", "the setting Q "),
        (
            f"{_APP}@app.service_bus_queue_trigger('msg', 'C', 'q', data_type='binary')\n{_QUEUE}",
            "function f: the setting C or C__fullyQualifiedNamespace is missing",
        ),
        (f"{_APP}@app.service_bus_queue_trigger('msg', 'BUS', 'q')\n{_QUEUE}", 'only data_type="binary"'),
        (
            f"{_APP}@app.service_bus_queue_trigger('msg', 'BUS', 'q', is_sessions_enabled=True)\n{_QUEUE}",
            "isSessionsEnabled True isn't supported",
        ),
        (
            f"{_APP}@app.service_bus_queue_trigger('msg', 'BUS', 'q', cardinality='many')\n{_QUEUE}",
            "cardinality 'MANY' isn't supported",
        ),
    ],
)
async def test_what_cannot_run_is_named(
    write_app: WriteApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    monkeypatch.setenv("BUS", _BUS)

    with pytest.raises(AppRefused) as refused:
        await build(write_app(source), tmp_path)

    assert reason in str(refused.value)


async def test_a_connection_may_be_an_identity_instead_of_a_string(
    write_app: WriteApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"{_APP}@app.service_bus_queue_trigger('msg', 'C', 'q', data_type='binary')\n{_QUEUE}"
    monkeypatch.setenv("C__fullyQualifiedNamespace", "shop.servicebus.windows.net")
    for credential in ("", "managedidentity"):
        monkeypatch.setenv("C__credential", credential)

        _, alongside = await build(write_app(source), tmp_path)

        assert alongside


def test_a_refused_app_ends_the_process_with_one_line_that_says_why(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(_APP)

    host = start_host(tmp_path)

    assert host.process.wait(20) == 1
    (refusal,) = [line["message"] for line in host.lines if line["level"] == "CRITICAL"]
    assert "0 functions found" in refusal


def test_the_traceback_of_a_failing_import_is_told(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(f"{_APP}\ndef broken():\n    raise KeyError('why')\nbroken()")

    host = start_host(tmp_path)

    assert host.process.wait(20) == 1
    assert "in broken" in host.lines[-1]["exception"]
