"""Whether an app answers, and which release it is."""

import json
from pathlib import Path
from typing import Literal

from shared.access import OPEN
from shared.fields import View
from shared.http import Call, HttpFunctions, Reply

RELEASE = Path(__file__).parents[1] / "release.json"
"""Version and commit, which `scripts/package` writes into a package. A checkout has none."""


class Liveness(View):
    """That the app runs, and what."""

    status: Literal["live"] = "live"
    version: str = "unreleased"
    commit: str = "unknown"


def report_liveness(http: HttpFunctions, context: str, release: Path = RELEASE) -> None:
    """Register `<context>_live`, open to all. It asks no store, so that one which is away ends no instance."""
    answer = Liveness.model_validate(json.loads(release.read_text()) if release.exists() else {})

    @http.function(
        operation=f"{context}_live",
        method="GET",
        route=f"health/{context}/live",
        roles=OPEN,
        summary=f"Whether {context} answers, and in which release",
        response=Liveness,
        statuses={200: "It does"},
    )
    async def live(call: Call[None]) -> Reply:
        return Reply(answer)
