"""Whether an app answers, whether it can work, and what it is."""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import azure.functions as func

from shared.access import OPEN, Role
from shared.codec import parse_rfc3339, rfc3339
from shared.concurrency import INNER_TIMEOUT_SECONDS
from shared.context import BoundedContext
from shared.errors import Refused
from shared.failures import told
from shared.fields import Moment, View
from shared.http import API, Call, HttpFunctions, Reply

RELEASE = Path(__file__).parents[1] / "release.json"
"""Version and commit, which `scripts/package` writes into a package. A checkout has none."""
UP = "up"
FRESH = timedelta(seconds=5)
"""How long a look at what a context depends on stands for all who ask."""
STALE = 2 * FRESH
"""From when on it isn't told any more, not even while the next one takes its time: it would be of another day."""
LONGEST_LOOK_SECONDS = 3.0
"""What gives no answer for so long is away."""


class Liveness(View):
    """That the app runs, and what."""

    status: Literal["live"] = "live"
    version: str = "unreleased"
    commit: str = "unknown"


class Readiness(View):
    """That the context can work, and what it is made of."""

    status: Literal["ready"] = "ready"
    version: str
    commit: str
    checked_at: Moment
    """When its dependencies were looked at."""
    dependencies: dict[str, str]
    """What it can't work without: `up`, or what is wrong with it."""
    functions: dict[str, str]
    """What starts each of its functions: a request, a queue, or the `timer`."""


def report_liveness(http: HttpFunctions, context: str, release: Path = RELEASE) -> None:
    """Register `<context>_live`, open to all. It asks no store, so that one which is away ends no instance."""
    answer = _liveness(release)

    @http.function(
        f"GET health/{context}/live",
        operation=f"{context}_live",
        roles=OPEN,
        summary=f"Whether {context} answers, and in which release",
        statuses={200: "It does"},
    )
    async def live(call: Call[None]) -> Reply[Liveness]:
        return Reply(answer)


def report_readiness(http: HttpFunctions, context: BoundedContext, destination: str) -> None:
    """Register `<context>_ready`, which looks at the container and at the broker, where messages to `destination` would
    be taken; at most once in five seconds, whoever asks. A look that takes its time goes on: who asks meanwhile is told
    of the one before, soon enough for operations, unless that is too old."""
    release = _liveness(RELEASE)
    declared = cache(lambda: _declared(http.blueprint))
    known: Readiness | None = None
    looking: asyncio.Task[Readiness] | None = None
    began_at: datetime

    async def look() -> Readiness:
        looks = {
            "container": context.container.read("ready", "ready"),
            "broker": context.sender.check(destination),
        }
        states = await asyncio.gather(*map(_state, looks.values()))
        return Readiness(
            version=release.version,
            commit=release.commit,
            checked_at=rfc3339(began_at),
            dependencies=dict(zip(looks, states, strict=True)),
            functions=declared(),
        )

    @http.function(
        f"GET health/{context.name}/ready",
        operation=f"{context.name}_ready",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary=f"Whether {context.name} can work, and what it is made of",
        statuses={200: "It can", 503: "`not-ready`: its container or the broker is away"},
    )
    async def ready(call: Call[None]) -> Reply[Readiness]:
        nonlocal known, looking, began_at
        now = context.system.now()
        if looking is None or (looking.done() and now - began_at >= FRESH):
            began_at = now
            looking = asyncio.create_task(look())
        is_told = known and now - parse_rfc3339(known.checked_at) < STALE
        await asyncio.wait({looking}, timeout=INNER_TIMEOUT_SECONDS if is_told else None)
        known = looking.result() if looking.done() or known is None else known
        if away := [name for name, state in known.dependencies.items() if state != UP]:
            whole = known.model_dump(by_alias=True, exclude={"status"})
            detail = f"It can't reach its {' and its '.join(away)}."
            headers = {"Retry-After": str(FRESH.seconds)}
            raise Refused(503, "not-ready", f"{context.name} can't work.", detail, headers=headers, extension=whole)
        return Reply(known)


def _liveness(release: Path) -> Liveness:
    return Liveness.model_validate(json.loads(release.read_text()) if release.exists() else {})


async def _state(look: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(LONGEST_LOOK_SECONDS):
            await look
    except Exception as failure:  # noqa: BLE001 - whatever it is, the context can't work with it
        return told(failure)
    return UP


def _declared(functions: func.Blueprint) -> dict[str, str]:
    app = func.FunctionApp()
    app.register_functions(functions)
    return {
        str(each.get_function_name()): _trigger(json.loads(each.get_raw_bindings()[0])) for each in app.get_functions()
    }


def _trigger(binding: Mapping[str, Any]) -> str:
    if "route" in binding:
        return f"{binding['methods'][0]} {API}/{binding['route']}"
    return f"queue {binding['queueName']}" if "queueName" in binding else "timer"
