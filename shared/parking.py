"""Messages that can't succeed, kept whole for a person: each fact or command once, however often it comes.

A parked document stands in the context's container, in a partition of its own: that of the event id, which is the same
for what is sent again; of what can't be read, that of the message id. It counts what comes again, and is
deleted by the store once its time is over, since it may hold personal data. Of an order whose customer is forgotten
the message's ids alone are kept. `shared/replaying.py` is how a person sees to it.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from shared import metrics
from shared.codec import decode, encode, rfc3339
from shared.concurrency import for_each
from shared.contracts.customers import CustomerForgotten
from shared.errors import AlreadyExists
from shared.messaging import LONGEST_ATTRIBUTE, derived_id, type_name
from shared.ports import Condition, Container, Create, Document, Query, Replace, System, WireMessage
from shared.retry import at_once
from shared.telemetry import log, log_event
from shared.texts import FORGOTTEN

PARKED = "parked"
"""The kind of a parked document, and its id in its partition."""
_MARKER = "forgotten"
_GOES_INTO_A_PATH = re.compile("[A-Za-z0-9_-]{1,100}")


class Cause(Enum):
    """What has a message parked."""

    UNREADABLE = auto()
    FAILURE = auto()
    BROKEN_PROMISE = auto()


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as JSON can hold it."""

    message_id: str
    correlation_id: str
    properties: Document
    body: str
    encoding: str | None = None
    content_type: str = ""

    @classmethod
    def of(cls, wire: WireMessage) -> "Kept":
        """The message, whole."""
        try:
            body, encoding = wire.body.decode(), None
        except UnicodeDecodeError:
            body, encoding = b64encode(wire.body).decode(), "base64"
        return cls(wire.id, wire.correlation_id, dict(wire.properties or {}), body, encoding, wire.content_type)

    @property
    def wire(self) -> WireMessage:
        """As it came."""
        body = b64decode(self.body) if self.encoding else self.body.encode()
        return WireMessage(self.message_id, body, self.content_type, self.correlation_id, self.properties)


@dataclass(frozen=True, slots=True)
class Parked:
    """What is parked in one place (`pk`): the message, the queue that it came from, and why it can't succeed."""

    pk: str
    queue: str
    reason: str
    attempts: int
    parked_at: datetime
    last_parked_at: datetime
    message: Kept
    is_broken_promise: bool = False
    occurrences: int = 1
    etag: str = field(default="", compare=False, metadata={"stored": False})

    @property
    def is_forgotten(self) -> bool:
        """Whether its words are gone, with the order's customer."""
        return self.message.body == FORGOTTEN and not self.message.properties


def parked_of(document: Document) -> Parked:
    """What a document says. Raises Unparseable."""
    return replace(decode(Parked, document), etag=document["_etag"])


def place_of(id: str) -> str:
    """The partition of what is parked under this id, which goes into a path as it is: a stranger's may be anything."""
    return id if _GOES_INTO_A_PATH.fullmatch(id) else derived_id(PARKED, id)


class ParkedMessages:
    """Those of one context; each is kept for so long after it came last."""

    def __init__(self, container: Container, system: System, kept: timedelta) -> None:
        self._container = container
        self._system = system
        self._ttl = int(kept.total_seconds())

    async def park(self, id: str, wire: WireMessage, queue: str, cause: Cause, reason: str, attempts: int = 1) -> None:
        """Store the message under this id, or count it where it is parked already. Raises Transient or Contended."""
        place = place_of(id)

        async def stored_or_counted() -> None:
            if parked := await self._container.read(place, PARKED):
                await self._count(parked)
                return
            # Before it is stored: rather said twice than never, should the answer to the write be lost.
            log_event("message_parked", "%s", reason)
            metrics.PARKED.record(queue=queue, cause=cause.name.lower())
            now = self._system.now()
            broken = cause is Cause.BROKEN_PROMISE
            new = Parked(place, queue, reason[:1000], attempts, now, now, Kept.of(wire), broken)
            stored = {"id": PARKED, "kind": PARKED, "subject": wire.correlation_id, "ttl": self._ttl, **encode(new)}
            await self._container.write(place, [Create(stored)])

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
        parked = Query("parked", (Condition("subject", "=", order_id),), ("parkedAt", "pk"))
        while found := await self._container.find(parked):
            await for_each((each["pk"] for each in found), self._forget)

    async def _forget(self, place: str) -> None:
        async def forgotten() -> None:
            parked = await self._container.read(place, PARKED)
            if parked and parked.pop("subject", None):
                message = parked["message"]
                # What has it forgotten names the order alone, and may have to be replayed itself.
                if message["properties"].get("cloudEvents_type") != type_name(CustomerForgotten):
                    ids = {name: message[name] for name in ("messageId", "correlationId")}
                    parked["message"] = ids | {"properties": {}, "body": FORGOTTEN}
                await self._container.write(place, [Replace(parked, parked["_etag"])])

        await at_once(forgotten, self._system)

    async def count(self, id: str) -> None:
        """One more has come of what is parked under this id."""

        async def counted() -> None:
            if parked := await self._container.read(place_of(id), PARKED):
                await self._count(parked)

        await at_once(counted, self._system)

    async def has_broken_promise(self, id: str) -> bool:
        """Whether what is parked under this id was ruled out by the protocol, and nobody has seen to it since."""
        parked = await self._container.read(place_of(id), PARKED)
        return bool(parked and parked.get("isBrokenPromise"))

    async def _count(self, parked: Document) -> None:
        more = {"occurrences": parked.get("occurrences", 1) + 1, "lastParkedAt": rfc3339(self._system.now())}
        await self._container.write(parked["pk"], [Replace(parked | more, parked["_etag"])])
        log.info("parked already, and counted there")
