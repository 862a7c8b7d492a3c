"""Messages that can't succeed, kept whole for a person: each fact or command once, however often it comes.

A parked document stands in the context's container, in a partition of its own: that of the event id, which is the same
for what is sent again; of what can't be read, that of the message id. It counts what comes again, and is
deleted by the store once its time is over, since it may hold personal data.
"""

from base64 import b64encode
from datetime import timedelta

from shared.codec import rfc3339
from shared.errors import AlreadyExists
from shared.ports import Container, Create, Document, Replace, System, WireMessage
from shared.retry import at_once
from shared.telemetry import log, log_event

_ID = "parked"


class ParkedMessages:
    """Those of one context; each is kept for so long after it came last."""

    def __init__(self, container: Container, system: System, kept: timedelta) -> None:
        self._container = container
        self._system = system
        self._ttl = int(kept.total_seconds())

    async def park(
        self, place: str, wire: WireMessage, queue: str, reason: str, attempts: int, *, is_broken_promise: bool
    ) -> None:
        """Store the message there, or count it where it is parked already. Raises Transient or Contended."""
        now = rfc3339(self._system.now())
        document: Document = {
            "id": _ID,
            "pk": place,
            "kind": "parked",
            "queue": queue,
            "reason": reason[:1000],
            "attempts": attempts,
            "isBrokenPromise": is_broken_promise,
            "occurrences": 1,
            "parkedAt": now,
            "lastParkedAt": now,
            "ttl": self._ttl,
            "message": {
                "messageId": wire.id,
                "correlationId": wire.correlation_id,
                "contentType": wire.content_type,
                "properties": dict(wire.properties or {}),
                **body_of(wire.body),
            },
        }
        try:
            await self._container.write(place, [Create(document)])
        except AlreadyExists:
            await self.count(place)
        else:
            log_event("message_parked", "%s", reason)

    async def count(self, place: str) -> None:
        """One more has come of what is parked there."""

        async def counted() -> None:
            if stored := await self._container.read(place, _ID):
                more = {"occurrences": stored.get("occurrences", 1) + 1, "lastParkedAt": rfc3339(self._system.now())}
                await self._container.write(place, [Replace(stored | more, stored["_etag"])])

        await at_once(counted, self._system)
        log.info("parked already, and counted there")

    async def has_broken_promise(self, place: str) -> bool:
        """Whether what is parked there was ruled out by the protocol, and nobody has seen to it since."""
        stored = await self._container.read(place, _ID)
        return bool(stored and stored.get("isBrokenPromise"))


def body_of(body: bytes) -> Document:
    """A body as JSON can hold it."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "encoding": "base64"}
