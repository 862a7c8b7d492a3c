"""An OpenID issuer over HTTP: its keys, and a token of our own by client credentials.

Whatever answers at the address, or doesn't, costs five seconds and half a megabyte at most. Nothing that it says is
repeated in an error: that is logged.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from shared.adapters.json_answers import json_object
from shared.errors import Unavailable
from shared.settings import is_encrypted_or_local

TIMEOUT_SECONDS = 5.0
"""For all that is asked at once."""


async def published_keys(issuer: str) -> list[object]:
    """What the issuer lists in its key set. Raises Unavailable with the reason."""
    async with _asking() as session:
        address = await _address(session, issuer, "jwks_uri", "key set (jwks_uri)")
        keys = (await _document(session, "GET", address, "its key set")).get("keys")
    if not isinstance(keys, list):
        raise Unavailable("the issuer's key set has no list of keys")
    return keys


async def token_of_client(issuer: str, client_id: str, secret: str, scope: str) -> tuple[str, int]:
    """A token for this client itself (RFC 6749, section 4.4), and for how many seconds it is good. Raises Unavailable
    with the reason."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
    async with _asking() as session:
        address = await _address(session, issuer, "token_endpoint", "token_endpoint")
        granted = await _document(session, "POST", address, "a token", form)
    match granted:
        case {"access_token": str(token), "expires_in": int(seconds)}:
            return token, seconds
    raise Unavailable("the issuer's answer has no token with the time that it is good for")


@asynccontextmanager
async def _asking() -> AsyncIterator[aiohttp.ClientSession]:
    try:
        # A session for each reading, one in five minutes: nothing is left open, in whatever event loop it ran. What is
        # compressed is no JSON to us: a little of it may be a lot.
        async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.ClientSession(auto_decompress=False) as session:
            yield session
    except TimeoutError:
        raise Unavailable(f"the issuer didn't answer within {TIMEOUT_SECONDS:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(f"the issuer couldn't be asked ({type(error).__name__})") from None


async def _address(session: aiohttp.ClientSession, issuer: str, member: str, what: str) -> str:
    """The address that the issuer's configuration has in this member. Raises Unavailable, naming `what` it is of."""
    discovery = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
    configuration = await _document(session, "GET", discovery, "its configuration")
    if configuration.get("issuer") != issuer:
        raise Unavailable("the configuration at the issuer's address is another issuer's: mend IDENTITY_ISSUER")
    address = configuration.get(member)
    if not isinstance(address, str) or not is_encrypted_or_local(address):
        raise Unavailable(f"the issuer's configuration names no {what} at an https:// address")
    return address


async def _document(
    session: aiohttp.ClientSession, method: str, address: str, what: str, form: dict[str, str] | None = None
) -> dict[str, Any]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with session.request(method, address, headers=headers, data=form, allow_redirects=False) as response:
        if response.status != 200:
            raise Unavailable(f"the issuer answered {response.status} for {what}")
        return await json_object(response, f"the issuer's answer for {what}")
