"""An app says that it answers, and which release it is, whatever becomes of its stores."""

import json
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from shared.health import report_liveness
from shared.http import HttpFunctions
from tests.unit.world import CONTEXTS, PlainTokens, VirtualSystem, World


async def answer(release: Path) -> Any:
    """What a context of this release answers."""
    app = func.FunctionApp()
    functions = func.Blueprint()
    report_liveness(HttpFunctions(functions, VirtualSystem(), PlainTokens()), "lamps", release)
    app.register_functions(functions)
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
