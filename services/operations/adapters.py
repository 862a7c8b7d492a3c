"""The contexts over HTTP, asked as operations itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property

import aiohttp

from services.operations.ports import Said
from shared.adapters.json_answers import json_object
from shared.adapters.opening import Opening
from shared.errors import Transient, Unavailable
from shared.failures import told
from shared.ports import System
from shared.telemetry import log

type Issue = Callable[[], Awaitable[tuple[str, datetime]]]
"""Makes a token, and says until when it is good."""

TIMEOUT_SECONDS = 1.0
_RENEWED = timedelta(minutes=1)


class OwnToken:
    """Operations' own token, which is had once for all who ask, and anew shortly before it ends."""

    def __init__(self, issue: Issue, system: System, open_timeout: timedelta) -> None:
        self._issued = Opening(issue, open_timeout.total_seconds())
        self._system = system

    async def get(self) -> str:
        """The token. Raises what having it raised."""
        token, until = await self._issued.get()
        if until - self._system.now() < _RENEWED:
            self._issued.forget()
            token, _ = await self._issued.get()
        return token

    def forget(self) -> None:
        """Have another one: this one was refused."""
        self._issued.forget()


class ContextsOverHttp:
    """services.operations.ports.Contexts, at the addresses of the settings, on connections that stay open: the console
    asks every two seconds."""

    def __init__(self, addresses: Mapping[str, str], token: OwnToken) -> None:
        self._addresses = addresses
        self._token = token

    @property
    def names(self) -> tuple[str, ...]:
        """Those whose addresses are known."""
        return tuple(self._addresses)

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        # Made at the first question, in its event loop. A cookie would bind us to one of a context's instances.
        return aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ask(self, context: str, path: str, method: str = "GET") -> Said | None:
        """What the context answers within a second, or None."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                headers = {"Authorization": f"Bearer {await self._token.get()}", "Accept-Encoding": "identity"}
                address = f"{self._addresses[context]}/{path}"
                async with self._session.request(method, address, headers=headers, allow_redirects=False) as response:
                    if response.status in (401, 403):
                        self._token.forget()
                        raise Unavailable("it refuses our token: see that operations has its role")
                    return Said(response.status, await json_object(response, "its answer"))
        except (aiohttp.ClientError, OSError, KeyError, ValueError, Transient) as failure:
            log.warning("%s gave no answer: %s", context, told(failure))
            return None
