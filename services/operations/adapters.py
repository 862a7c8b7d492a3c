"""Operations' storage: each event a document in its order's partition, and the sums in one of their own. And the
contexts over HTTP, asked as itself."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, cached_property

import aiohttp

from services.operations.domain import Cursor, Disagreement, Recorded
from services.operations.ports import Said
from services.operations.projections import FACTS, Head, Place, nonzero
from shared.adapters.json_answers import json_object
from shared.adapters.opening import Opening
from shared.audit import AuditEntry
from shared.codec import decode, encode
from shared.contracts import Contract
from shared.errors import Transient, Unavailable
from shared.failures import told
from shared.listing import find_readable, keyset, readable
from shared.messaging import catalogue, contract_name, derived_id, event_id
from shared.outbox import Outbox
from shared.ports import Condition, Container, Create, Delete, Document, Operation, Query, Replace, System
from shared.telemetry import log

_SUMS = "sums"
_CURSORS = "cursors"


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
        found = await find_readable(self._container, Query("event", of, limit=most), {}, _recorded)
        return [event for event in found if event.order_id == order_id]

    async def after(self, place: tuple[int, str], until: int | None, most: int) -> Sequence[Recorded]:
        """The next ones behind (recorded at, event id)."""
        settled = (Condition("_ts", "<=", until),) if until is not None else ()
        query = Query("event", settled, ("_ts", "id"), (place[0], f"event:{place[1]}"), most)
        return await find_readable(self._container, query, {}, _recorded)

    async def facts(self, order_ids: Collection[str]) -> Sequence[Recorded]:
        """Those that the sums depend on, by their ids, which derive from type and order."""
        keys = {(order_id, f"event:{event_id(fact, order_id)}") for order_id in order_ids for fact in _facts()}
        return list(readable(await self._container.read_many(sorted(keys)), _recorded))


@cache
def _facts() -> Sequence[type[Contract]]:
    return [cls for cls in catalogue().values() if contract_name(cls) in FACTS]


def _recorded(document: Document) -> Recorded:
    return replace(decode(Recorded, document), recorded_at=document["_ts"])


class SumAdapter:
    """services.operations.ports.Sums: all in one partition, so that what was counted and how far is one write."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def head(self) -> Head | None:
        """How far they have come."""
        document = await self._container.read(_SUMS, "head")
        if document is None:
            return None
        return replace(decode(Head, document), etag=document["_etag"], written_at=document["_ts"])

    async def save(
        self, head: Head, sums: Mapping[Place, Mapping[str, int]] | None = None, audit: AuditEntry | None = None
    ) -> Head:
        """Replace what was read, and add to the sums. Raises Contended."""
        head, added = head.adding(sums or {})
        stored = await self._stored(added)
        operations = [_put({"id": "head", "kind": "head", **encode(head)}, head.etag)]
        for place, counts in added.items():
            was = stored.get(place.id, {})
            total = _counts(was, place)
            total.update(counts)
            document = {"id": place.id, "kind": "sum", "model": place.model, "counts": nonzero(total)}
            life = {"ttl": place.seconds} if place.seconds else {}
            operations.append(_put(document | life, was.get("_etag", "")))
        [etag, *_] = await self._outbox.commit(_SUMS, operations, [], audit)
        return replace(head, etag=etag)

    async def of(self, head: Head, places: Collection[Place]) -> Mapping[str, Mapping[str, int]]:
        """The sums at these places."""
        stored = await self._stored(places)
        found = {place: _counts(stored.get(place.id, {}), place) for place in places}
        for each in head.held:
            if each.place in found:
                found[each.place].update(each.counts)
        return {place.id: nonzero(counts) for place, counts in found.items()}

    async def _stored(self, places: Collection[Place]) -> dict[str, Document]:
        found = await self._container.read_many([(_SUMS, place.id) for place in places])
        return {document["id"]: document for document in found}


def _counts(document: Document, place: Place) -> Counter[str]:
    """What was counted there: in its slot may be the sums of a model of before."""
    return Counter(document["counts"] if document.get("model") == place.model else {})


def _put(document: Document, etag: str) -> Operation:
    document["pk"] = _SUMS
    return _stored(document, etag)


class DisagreementAdapter:
    """services.operations.ports.Disagreements: each in a partition of its own, by an id that any text may have."""

    def __init__(self, container: Container, outbox: Outbox, keep: timedelta) -> None:
        self._container = container
        self._outbox = outbox
        self._keep = keep

    async def cursor(self, name: str) -> Cursor | None:
        """The cursor of that name, or None."""
        document = await self._container.read(_CURSORS, name)
        return replace(decode(Cursor, document), etag=document["_etag"]) if document else None

    async def move(self, cursor: Cursor) -> Cursor:
        """Store it. Raises Contended."""
        document = {"id": cursor.name, "pk": _CURSORS, "kind": "cursor", **encode(cursor)}
        [etag] = await self._container.write(_CURSORS, [_stored(document, cursor.etag)])
        return replace(cursor, etag=etag)

    async def get(self, id: str) -> Disagreement | None:
        """The one about this, or None."""
        key = _key(id)
        document = await self._container.read(key, key)
        return _disagreement(document) if document else None

    async def open(self, after: tuple[datetime, str] | None, size: int) -> Sequence[Disagreement]:
        """The next that nobody has let be, by keyset."""
        behind = keyset((after[0], _key(after[1])) if after else None)
        query = Query("disagreement", (), ("createdAt", "id"), behind, size)
        return await find_readable(self._container, query, {}, _disagreement)

    async def save(self, disagreement: Disagreement, audit: AuditEntry | None = None) -> None:
        """Store it; one that was let be is forgotten some time after nobody finds it any more. Raises Contended."""
        key = _key(disagreement.id)
        document = {"id": key, "pk": key, "kind": "disagreement", **encode(disagreement)}
        if disagreement.reason is not None:
            document |= {"kind": "let-be", "ttl": int(self._keep.total_seconds())}
        await self._outbox.commit(key, [_stored(document, disagreement.etag)], [], audit)

    async def end(self, disagreement: Disagreement) -> None:
        """Delete the one that was read. Raises Contended."""
        key = _key(disagreement.id)
        await self._container.write(key, [Delete(key, disagreement.etag)])


def _key(id: str) -> str:
    return derived_id("disagreement", id)


def _disagreement(document: Document) -> Disagreement:
    return replace(decode(Disagreement, document), etag=document["_etag"])


def _stored(document: Document, etag: str) -> Operation:
    return Replace(document, etag) if etag else Create(document)


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
