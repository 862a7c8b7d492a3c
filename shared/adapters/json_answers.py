"""What another server answers, as JSON: a little of it, whatever it says."""

import json
from typing import Any

import aiohttp

from shared.errors import Unavailable

MOST_BYTES = 512 * 1024


async def json_object(response: aiohttp.ClientResponse, what: str) -> dict[str, Any]:
    """The object that a body holds. Raises Unavailable, naming `what` it should be."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            raise Unavailable(f"{what} is longer than {MOST_BYTES} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unavailable(f"{what} is no JSON object")
    return document
