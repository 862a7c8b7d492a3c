"""What was parked, and whether it had to be: each message is handled once more, and what becomes of it then tells."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from local import topology
from local.replay.client import ADMIN, Api
from local.verify.stack import read_stack

_QUIET = 6.0
"""Longer than what isn't published at once waits for the sweep, in seconds."""
_BETWEEN_LOOKS = 0.5
_WAITING = ("active", "locked", "scheduled")


class Repeat(StrEnum):
    """What a repeat makes of a message that was parked."""

    REFUSED = "refused"
    """Nobody can read it."""
    PARKED_AGAIN = "parked again"
    HANDLED = "handled"
    """It should never have been parked."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that was parked."""

    context: str
    id: str
    reason: str
    repeat: Repeat


async def repeated(api: Api, state: Path, planted: Collection[str]) -> list[Parked]:
    """Every message that is parked, each handled once more, to its end; those that were `planted` are discarded where
    nobody can read them."""
    found = [Parked(context, message["id"], message["reason"], Repeat.HANDLED) async for context, message in _all(api)]
    refused = {each for each in found if not await _replayed(api, each)}
    if len(refused) < len(found):
        await rest(state, _QUIET)
    again = {(context, message["id"]) async for context, message in _all(api)}
    for each in refused:
        if each.id in planted:
            (await api.call(ADMIN, "DELETE", f"{_path(each)}?reason=chaos")).raise_for_status()

    def outcome(each: Parked) -> Repeat:
        if each in refused:
            return Repeat.REFUSED
        return Repeat.PARKED_AGAIN if (each.context, each.id) in again else Repeat.HANDLED

    return [replace(each, repeat=outcome(each)) for each in found]


async def rest(state: Path, quiet: float = 0.0) -> None:
    """Wait until the broker has had nothing to deliver for so long."""
    loop = asyncio.get_running_loop()
    since: float | None = None
    while since is None or loop.time() - since < quiet:
        await asyncio.sleep(_BETWEEN_LOOKS)
        since = None if await _is_busy(state) else since or loop.time()


async def _is_busy(state: Path) -> bool:
    control = read_stack(state).parts["service_bus"].control
    async with httpx.AsyncClient(base_url=control, trust_env=False, timeout=30) as broker:
        entities = (await broker.get("_entities")).raise_for_status().json()
    return any(entity[waiting] for entity in entities for waiting in _WAITING)


async def _replayed(api: Api, parked: Parked) -> bool:
    """Whether it is sent again; else nobody can read it."""
    answer = await api.call(ADMIN, "POST", f"{_path(parked)}/replay")
    if answer.status_code == 409:
        return False
    answer.raise_for_status()
    return True


def _path(parked: Parked) -> str:
    return f"parked/{parked.context}/{quote(parked.id, safe='')}"


async def _all(api: Api) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    for context in topology.load().contexts:
        link: str | None = f"parked/{context}"
        while link:
            answer = (await api.call(ADMIN, "GET", link)).raise_for_status()
            page = answer.json()
            for message in page["value"]:
                yield context, message
            link = str(answer.url.join(page["nextLink"])) if "nextLink" in page else None
