"""Whether an app answers, and which release it is."""

import json
from pathlib import Path
from typing import Literal

import azure.functions as func

from shared.fields import View
from shared.http import Call, Reply, endpoint
from shared.ports import System

RELEASE = Path(__file__).parents[1] / "release.json"
"""Version and commit, which `scripts/package` writes into a package. A checkout has none."""


class Liveness(View):
    """That the app runs, and what."""

    status: Literal["live"] = "live"
    version: str = "unreleased"
    commit: str = "unknown"


def liveness(context: str, system: System, release: Path = RELEASE) -> func.Blueprint:
    """The function `<context>_live`, open to all. It asks no store, so that one which is away ends no instance."""
    functions = func.Blueprint()
    answer = Liveness.model_validate(json.loads(release.read_text()) if release.exists() else {})

    @endpoint(
        functions,
        system,
        operation=f"{context}_live",
        method="GET",
        route=f"health/{context}/live",
        summary=f"Whether {context} answers, and in which release",
        response=Liveness,
        statuses={200: "It does"},
    )
    async def live(call: Call[None]) -> Reply:
        return Reply(answer)

    return functions
