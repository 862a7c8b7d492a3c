"""The warehouse of a replay: whatever is to be shipped is dispatched, each after a wait of its own."""

import asyncio
import random
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from local.replay.client import WAREHOUSE, Api, explain

_LONGEST_WAIT = 1.0
_BETWEEN_LOOKS = 0.5


def moment(seed: int, name: str, within: float) -> float:
    """A number of seconds up to `within` that depends on nothing but seed and name."""
    return random.Random(f"{seed}:{name}").uniform(0.0, within)


async def dispatch_all(api: Api, seed: int, complain: Callable[[str], None]) -> None:
    """Looks for pending shipments until it is cancelled."""
    seen: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            for shipment in await _pending(api):
                if shipment["shipmentId"] not in seen:
                    seen.add(shipment["shipmentId"])
                    group.create_task(_dispatch(api, shipment["shipmentId"], seed, seen, complain))
            await asyncio.sleep(_BETWEEN_LOOKS)


async def _pending(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    link: str | None = "shipments?status=pending"
    while link:
        response = await api.call(WAREHOUSE, "GET", link)
        response.raise_for_status()
        page = response.json()
        found += page["value"]
        link = str(response.url.join(page["nextLink"])) if "nextLink" in page else None
    return found


async def _dispatch(api: Api, shipment: str, seed: int, seen: set[str], complain: Callable[[str], None]) -> None:
    """The tracking number follows from the shipment alone, so that a second replay asks for the same again."""
    await asyncio.sleep(moment(seed, shipment, _LONGEST_WAIT))
    body = {"carrier": "Royal Mail", "trackingNumber": f"RM{sha256(shipment.encode()).hexdigest()[:12].upper()}"}
    response = await api.call(WAREHOUSE, "POST", f"shipments/{shipment}/dispatch", body)
    if response.status_code == 404:
        seen.discard(shipment)
    elif response.status_code not in (200, 409):
        complain(f"Dispatch of {shipment}: {explain(response)}")
