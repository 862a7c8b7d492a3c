"""Aggregates in a container: each a document, written in one batch with the messages that its change sends."""

from collections.abc import Sequence
from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol

from shared.audit import AuditEntry
from shared.codec import decode
from shared.messaging import Message
from shared.outbox import Outbox
from shared.ports import Container, Create, Document, Operation, Replace


class Versioned(Protocol):
    """A dataclass that knows which state of it was read, by the ETag of that; "" of what is new."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def etag(self) -> str:
        """As the store gave it."""
        ...


def restored[Aggregate: Versioned](cls: type[Aggregate], document: Document) -> Aggregate:
    """The aggregate that was stored. Raises Unparseable."""
    return replace(decode(cls, document), etag=document["_etag"])


def storing(document: Document, etag: str) -> Operation:
    """What stores the document: as a new one, or over the one that was read with this ETag."""
    return Replace(document, etag) if etag else Create(document)


class Repository[Aggregate: Versioned]:
    """Those of one kind, in one context's container."""

    aggregate: type[Aggregate]

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def save(
        self, aggregate: Aggregate, messages: Sequence[Message] = (), audit: AuditEntry | None = None
    ) -> Aggregate:
        """Store it, new or over the one that was read, together with what that sends and with who did it.

        Raises AlreadyExists, or ConditionFailed where it has changed since it was read.
        """
        document = self._document(aggregate)
        [etag] = await self._outbox.commit(document["pk"], [storing(document, aggregate.etag)], messages, audit)
        return replace(aggregate, etag=etag)

    async def _read(self, pk: str, id: str) -> Aggregate | None:
        document = await self._container.read(pk, id)
        return restored(self.aggregate, document) if document else None

    async def _read_many(self, keys: Sequence[tuple[str, str]]) -> list[Aggregate]:
        return [restored(self.aggregate, document) for document in await self._container.read_many(keys)]

    def _document(self, aggregate: Aggregate) -> Document:
        """As it is stored."""
        raise NotImplementedError
