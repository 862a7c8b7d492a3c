"""An OpenID issuer's keys, over HTTP: its discovery document, and the key set that this names.

Whatever answers at the address, or doesn't, costs five seconds and half a megabyte at most. Nothing that it says is
repeated in an error: that is logged.
"""

import asyncio
import json
from typing import Any

import aiohttp

from shared.errors import Unavailable
from shared.settings import is_encrypted_or_local

TIMEOUT_SECONDS = 5.0
"""For both documents."""
MOST_BYTES = 512 * 1024
"""Of each."""


async def published_keys(issuer: str) -> list[object]:
    """What the issuer lists in its key set. Raises Unavailable with the reason."""
    try:
        # A session for each reading, one in five minutes: nothing is left open, in whatever event loop it ran. What is
        # compressed is no JSON to us: a little of it may be a lot.
        async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.ClientSession(auto_decompress=False) as session:
            configuration = await _document(
                session, f"{issuer.removesuffix('/')}/.well-known/openid-configuration", "its configuration"
            )
            if configuration.get("issuer") != issuer:
                raise Unavailable("the configuration at the issuer's address is another issuer's: mend IDENTITY_ISSUER")
            address = configuration.get("jwks_uri")
            if not isinstance(address, str) or not is_encrypted_or_local(address):
                raise Unavailable("the issuer's configuration names no key set (jwks_uri) at an https:// address")
            keys = (await _document(session, address, "its key set")).get("keys")
    except TimeoutError:
        raise Unavailable(f"the issuer didn't answer within {TIMEOUT_SECONDS:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(f"the issuer couldn't be asked ({type(error).__name__})") from None
    if not isinstance(keys, list):
        raise Unavailable("the issuer's key set has no list of keys")
    return keys


async def _document(session: aiohttp.ClientSession, address: str, what: str) -> dict[str, Any]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with session.get(address, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise Unavailable(f"the issuer answered {response.status} for {what}")
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > MOST_BYTES:
                raise Unavailable(f"the issuer's answer for {what} is longer than {MOST_BYTES} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unavailable(f"the issuer's answer for {what} is no JSON object")
    return document
