"""An app says that it answers, and which release it is, whatever becomes of its stores; and whether it can work."""

import asyncio
import json
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ServiceRequestError

from shared import health
from shared.errors import Unavailable
from shared.health import report_liveness
from shared.http import HttpFunctions
from simulation.callers import OPERATIONS, PlainTokens
from simulation.clock import VirtualSystem
from simulation.topology import CONTEXTS
from tests.unit.world import World


async def answer(release: Path) -> Any:
    """What a context of this release answers."""
    app = func.FunctionApp()
    http = HttpFunctions(VirtualSystem(), PlainTokens())
    report_liveness(http, "lamps", release)
    app.register_functions(http.blueprint)
    (function,) = app.get_functions()
    request = func.HttpRequest(method="GET", url="/api/health/lamps/live", body=b"")
    return json.loads((await function.get_user_function()(request)).get_body())


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_context_is_live_and_a_checkout_claims_no_release(context: str) -> None:
    answer = await World().call(f"{context}_live")

    assert (answer.status, answer.body) == (200, {"status": "live", "version": "unreleased", "commit": "unknown"})


async def test_a_package_tells_its_version_and_commit(tmp_path: Path) -> None:
    release = tmp_path / "release.json"
    release.write_text('{"version": "1.2.3", "commit": "abc"}')

    assert await answer(release) == {"status": "live", "version": "1.2.3", "commit": "abc"}


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_context_is_ready_and_tells_what_it_is_made_of(context: str) -> None:
    world = World()

    answer = await world.call(f"{context}_ready", caller=OPERATIONS)

    assert (answer.status, answer.body["status"]) == (200, "ready")
    assert (answer.body["version"], answer.body["commit"]) == ("unreleased", "unknown")
    assert answer.body["dependencies"] == {"container": "up", "broker": "up"}
    assert answer.body["functions"][f"{context}_sweep"] == "timer"
    assert answer.body["functions"][f"{context}_ready"] == f"GET /api/health/{context}/ready"


async def test_the_contexts_tell_of_all_functions_that_there_are() -> None:
    world = World()

    told = [each for context in CONTEXTS for each in (await world.call(f"{context}_ready")).body["functions"].items()]

    assert sorted(name for name, _ in told) == sorted(world.functions)
    assert {start for _, start in told if start.startswith("queue")} == {f"queue {name}" for name in world.queues}


async def fails(*_: Any) -> None:
    raise ServiceRequestError("AccountKey=s3cret")


async def hangs(*_: Any) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("what", "fault"), [(fails, "ServiceRequestError"), (hangs, "TimeoutError")])
async def test_what_is_away_is_named_in_time_and_without_what_it_said(
    what: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LONGEST_LOOK_SECONDS", 0.01)
    world = World()
    monkeypatch.setattr(world.containers["orders"], "read", what)
    monkeypatch.setattr(world.broker, "check", what)

    answer = await world.call("orders_ready")

    assert (answer.status, answer.body["type"]) == (503, "urn:orderflow:problem:not-ready")
    assert answer.body["detail"] == "It can't reach its container and its broker."
    assert answer.body["dependencies"] == {"container": fault, "broker": fault}
    assert answer.body["functions"].keys() >= {"get_order", "orders_sweep"}


async def test_a_look_stands_for_all_who_ask_within_five_seconds_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    with monkeypatch.context() as patched:
        patched.setattr(world.broker, "check", fails)
        first = await world.call("orders_ready")
    await world.system.sleep(4.9)
    second = await world.call("orders_ready")
    await world.system.sleep(0.1)
    third = await world.call("orders_ready")

    assert [each.status for each in (first, second, third)] == [503, 503, 200]
    assert first.body["checkedAt"] == second.body["checkedAt"] < third.body["checkedAt"]


async def test_while_a_look_takes_its_time_what_is_told_is_what_the_one_before_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "INNER_TIMEOUT_SECONDS", 0.01)
    world, answered = World(), asyncio.Event()

    async def is_slow(_: str) -> None:
        await answered.wait()
        raise Unavailable("the broker is away")

    first = await world.call("orders_ready")
    monkeypatch.setattr(world.broker, "check", is_slow)
    await world.system.sleep(5)
    meanwhile = [await world.call("orders_ready") for _ in range(2)]
    answered.set()
    then = await world.call("orders_ready")

    assert [each.body for each in meanwhile] == [first.body] * 2
    assert then.body["dependencies"]["broker"] == "Unavailable('the broker is away')"


async def test_a_look_of_long_ago_is_not_told_however_long_the_next_one_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "INNER_TIMEOUT_SECONDS", 0)
    world = World()

    async def is_slow(_: str) -> None:
        for _turn in range(5):
            await asyncio.sleep(0)
        raise Unavailable("the broker is away")

    await world.call("orders_ready")
    monkeypatch.setattr(world.broker, "check", is_slow)
    await world.system.sleep(10)
    answer = await world.call("orders_ready")

    assert (answer.status, answer.body["dependencies"]["broker"]) == (503, "Unavailable('the broker is away')")


async def test_all_who_ask_at_once_have_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    world, looks = World(), 0

    async def look(_: str) -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)

    monkeypatch.setattr(world.broker, "check", look)

    answers = await asyncio.gather(*(world.call("orders_ready") for _ in range(5)))

    assert ([answer.status for answer in answers], looks) == ([200] * 5, 1)
