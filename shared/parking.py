"""Messages that can't succeed, kept whole for a person: each fact or command once, however often it comes.

A parked document stands in the context's container, in a partition of its own: that of the event id, which is the same
for what is sent again; of what can't be read, that of the message id. It counts what comes again, and is
deleted by the store once its time is over, since it may hold personal data. Of an order whose customer is forgotten
the message's ids alone are kept.
"""

from base64 import b64encode
from datetime import timedelta
from enum import Enum, auto

from shared.codec import rfc3339
from shared.concurrency import for_each
from shared.errors import AlreadyExists
from shared.messaging import LONGEST_ATTRIBUTE
from shared.ports import Condition, Container, Create, Document, Query, Replace, System, WireMessage
from shared.retry import at_once
from shared.telemetry import log, log_event
from shared.texts import FORGOTTEN

_ID = "parked"
_MARKER = "forgotten"


class Cause(Enum):
    """What has a message parked."""

    UNREADABLE = auto()
    FAILURE = auto()
    BROKEN_PROMISE = auto()


class ParkedMessages:
    """Those of one context; each is kept for so long after it came last."""

    def __init__(self, container: Container, system: System, kept: timedelta) -> None:
        self._container = container
        self._system = system
        self._ttl = int(kept.total_seconds())

    async def park(
        self, place: str, wire: WireMessage, queue: str, cause: Cause, reason: str, attempts: int = 1
    ) -> None:
        """Store the message there, or count it where it is parked already. Raises Transient or Contended."""

        async def stored_or_counted() -> None:
            if parked := await self._container.read(place, _ID):
                await self._count(parked)
                return
            # Before it is stored: rather said twice than never, should the answer to the write be lost.
            log_event("message_parked", "%s", reason)
            await self._container.write(place, [Create(self._document(place, wire, queue, cause, reason, attempts))])

        await at_once(stored_or_counted, self._system)
        # Only now: whoever forgets leaves the marker first, so that one of the two sees what the other did.
        order_id = wire.correlation_id
        if 0 < len(order_id) <= LONGEST_ATTRIBUTE and await self._container.read(order_id, _MARKER):
            await self._forget(place)

    async def forget(self, order_id: str) -> None:
        """Keep nothing of what the order's parked messages say, those that are parked later included."""
        marker = {"id": _MARKER, "pk": order_id, "kind": _MARKER, "ttl": self._ttl}
        try:
            await self._container.write(order_id, [Create(marker)])
        except AlreadyExists:
            log.info("forgotten before")
        # One that is forgotten has no subject any more, and so isn't found again.
        parked = Query("parked", (Condition("subject", "=", order_id),), ("parkedAt",))
        while found := await self._container.find(parked):
            await for_each((each["pk"] for each in found), self._forget)

    async def _forget(self, place: str) -> None:
        async def forgotten() -> None:
            parked = await self._container.read(place, _ID)
            if parked and parked.pop("subject", None):
                ids = {name: parked["message"][name] for name in ("messageId", "correlationId")}
                parked["message"] = ids | {"properties": {}, "body": FORGOTTEN}
                await self._container.write(place, [Replace(parked, parked["_etag"])])

        await at_once(forgotten, self._system)

    async def count(self, place: str) -> None:
        """One more has come of what is parked there."""

        async def counted() -> None:
            if parked := await self._container.read(place, _ID):
                await self._count(parked)

        await at_once(counted, self._system)

    async def has_broken_promise(self, place: str) -> bool:
        """Whether what is parked there was ruled out by the protocol, and nobody has seen to it since."""
        parked = await self._container.read(place, _ID)
        return bool(parked and parked.get("isBrokenPromise"))

    async def _count(self, parked: Document) -> None:
        more = {"occurrences": parked.get("occurrences", 1) + 1, "lastParkedAt": rfc3339(self._system.now())}
        await self._container.write(parked["pk"], [Replace(parked | more, parked["_etag"])])
        log.info("parked already, and counted there")

    def _document(
        self, place: str, wire: WireMessage, queue: str, cause: Cause, reason: str, attempts: int
    ) -> Document:
        now = rfc3339(self._system.now())
        return {
            "id": _ID,
            "pk": place,
            "kind": "parked",
            "queue": queue,
            "subject": wire.correlation_id,
            "reason": reason[:1000],
            "attempts": attempts,
            "isBrokenPromise": cause is Cause.BROKEN_PROMISE,
            "occurrences": 1,
            "parkedAt": now,
            "lastParkedAt": now,
            "ttl": self._ttl,
            "message": {
                "messageId": wire.id,
                "correlationId": wire.correlation_id,
                "contentType": wire.content_type,
                "properties": dict(wire.properties or {}),
                **_body(wire.body),
            },
        }


def _body(body: bytes) -> Document:
    """A body as JSON can hold it."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "encoding": "base64"}
