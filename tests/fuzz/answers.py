"""What is wrong with an answer, whatever it answers."""

import json
import re
from typing import NamedTuple

from tests.fuzz.requests import Attempt

TELLS = re.compile(
    rb"Traceback|File \"|site-packages|\.py\b|\bpydantic|\bazure|aiohttp|asyncio|Exception|Error\b|object at 0x"
    rb"|services\.|shared\.|cosmos|AccountKey|SharedAccess",
    re.IGNORECASE,
)
"""What no refusal may say: how the system is made."""


class Answer(NamedTuple):
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def fault(attempt: Attempt, answer: Answer | None) -> str | None:
    """What is wrong with the answer; None where there was no more to be had, the connection having been closed."""
    if answer is None:
        return "there was no answer" if attempt.reaches else None
    by_function = "x-request-id" in answer.headers
    if "x-injected" in answer.headers:
        return "a header was injected"
    if answer.status >= 500:
        return f"it is {answer.status}"
    if answer.status >= 400 and (found := TELLS.search(answer.body)):
        return f"{answer.status} tells of {found[0]!r}"
    if not by_function and attempt.reaches:
        return f"{answer.status} is the host's"
    if not attempt.elsewhere and answer.status not in attempt.operation.statuses:
        return f"{answer.status} is undocumented"
    if not by_function:
        return None
    if answer.status == 401 and not answer.headers.get("www-authenticate", "").startswith("Bearer"):
        return "401 without WWW-Authenticate"
    return None if answer.status < 400 or _is_problem(answer) else f"{answer.status} is no problem+json"


def _is_problem(answer: Answer) -> bool:
    if answer.headers.get("content-type") != "application/problem+json":
        return False
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return False
    return bool(problem["status"] == answer.status and problem["type"] and problem["title"])
