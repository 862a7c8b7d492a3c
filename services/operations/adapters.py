"""Operations' storage, each event a document in its order's partition; and the contexts over HTTP, asked as itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import aiohttp

from services.operations.domain import Recorded
from services.operations.ports import Said
from shared.adapters.json_answers import json_object
from shared.adapters.opening import Opening
from shared.codec import decode, encode
from shared.errors import Transient, Unavailable
from shared.failures import told
from shared.ports import Condition, Container, Create, Document, Query, System
from shared.telemetry import log


class EventAdapter:
    """services.operations.ports.Events: what is kept goes by itself, later than anybody needs it."""

    def __init__(self, container: Container, keep: timedelta) -> None:
        self._container = container
        # An event tells of what happened up to `keep` later, and that of a day as long ago: see decision 24.
        self._ttl = int((2 * keep + timedelta(days=2)).total_seconds())

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        # What is no order's has a partition that no order's id can name.
        pk = event.order_id or f"{event.context}:{event.subject}"
        document = {"id": f"event:{event.event_id}", "pk": pk, "kind": "event", "ttl": self._ttl, **encode(event)}
        await self._container.write(pk, [Create(document)])

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        of = (Condition("pk", "=", order_id),)
        found = map(_recorded, await self._container.find(Query("event", of, limit=most)))
        return [event for event in found if event.order_id == order_id]


def _recorded(document: Document) -> Recorded:
    return replace(decode(Recorded, document), recorded_at=document["_ts"])


type Issue = Callable[[], Awaitable[tuple[str, datetime]]]
"""Makes a token, and says until when it is good."""

PATIENCE_SECONDS = 1.0
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
    """services.operations.ports.Contexts, at the addresses of the settings."""

    def __init__(self, addresses: Mapping[str, str], token: OwnToken) -> None:
        self._addresses = addresses
        self._token = token

    @property
    def names(self) -> tuple[str, ...]:
        """Those whose addresses are known."""
        return tuple(self._addresses)

    async def ask(self, context: str, path: str) -> Said | None:
        """What the context answers within a second, or None."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession(auto_decompress=False) as session:
                headers = {"Authorization": f"Bearer {await self._token.get()}", "Accept-Encoding": "identity"}
                address = f"{self._addresses[context]}/{path}"
                async with session.get(address, headers=headers, allow_redirects=False) as response:
                    if response.status in (401, 403):
                        self._token.forget()
                        raise Unavailable("it refuses our token: see that operations has its role")
                    return Said(response.status, await json_object(response, "its answer"))
        except (aiohttp.ClientError, OSError, KeyError, ValueError, Transient) as failure:
            log.warning("%s gave no answer: %s", context, told(failure))
            return None
