"""`python -m local.functions_host --state DIR --port P [--app DIR]`: run a function app until SIGTERM or SIGINT.

An application that Azure would refuse, or that has no functions, is refused: one line on stderr says why, and the exit
status is 1.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

import uvloop
from starlette.types import ASGIApp

from local import part
from local.functions_host import logs, settings, worker
from local.functions_host.cors import Cors
from local.functions_host.server import Alongside, serve
from local.functions_host.service_bus import receivers_of
from local.functions_host.timers import Timer
from local.functions_host.web import Web
from local.functions_host.worker import AppRefused, Function, log


async def build(app: Path, state: Path) -> tuple[ASGIApp, list[Alongside]]:
    """The app's HTTP functions, and what drives its others; AppRefused if it, or one of its functions, can't run."""
    settings.load_local_settings(app)
    host = settings.read_host_json(app)
    functions = await worker.load(app)
    if os.environ.get("PYTHON_ENABLE_OPENTELEMETRY") == "true":
        from local.functions_host.spans import Spans, exported

        worker.record(Spans(exported()).around)
    kinds = [(_kind(function), function) for function in functions]
    receivers = [
        receiver for kind, function in kinds if kind == "serviceBusTrigger" for receiver in receivers_of(function, host)
    ]
    timers = [Timer(function, state) for kind, function in kinds if kind == "timerTrigger"]
    log.info("Functions: %s", ", ".join(function.name for function in functions))
    web = Web(functions, host)
    origins, credentials = settings.allowed_origins(app)
    answering = Cors(web, origins, credentials=credentials) if origins else web
    return answering, [*(receiver.run for receiver in receivers), *(timer.run for timer in timers)]


async def _run(app: Path, state: Path, port: int) -> None:
    web, alongside = await build(app, state)
    try:
        await serve(web, port, *alongside)
    except TimeoutError:
        log.warning("Functions that ran on long after the stop were cut off")
        os._exit(0)  # threads can't be ended otherwise
    worker.unload()


def _kind(function: Function) -> str:
    """Its trigger's type, when this host can run such a function."""
    if not re.fullmatch(r"[a-z][a-z0-9_\-]{0,127}", function.name, re.IGNORECASE) or function.name.lower() == "host":
        raise AppRefused(f"function {function.name}: not a valid name for a function")
    for binding in function.bindings:
        if binding["type"] not in ("httpTrigger", "http", "serviceBusTrigger", "timerTrigger"):
            raise AppRefused(f"function {function.name}: this host doesn't support the binding {binding['type']}")
    return str(function.trigger["type"])


def main() -> int:
    """Run the app named on the command line; the exit status."""
    parser = part.parser(__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="the folder of function_app.py (default: this one)")
    arguments = parser.parse_args()
    app, state = arguments.app.absolute(), arguments.state.absolute() / "functions_host"
    if not app.is_dir():
        parser.error(f"--app: there is no folder {app}")
    logs.set_up()
    os.chdir(app)
    sys.path.insert(0, str(app))
    try:
        asyncio.run(_run(app, state, arguments.port), loop_factory=uvloop.new_event_loop)
    except AppRefused as refused:
        details = {"exception": refused.traceback} if refused.traceback else {}
        log.critical("The function app is refused: %s", refused, extra=details)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
