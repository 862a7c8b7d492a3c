"""Shipping's storage: one document in each order's partition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.shipping.domain import Shipment, State, Wanted, shipment_id
from shared.audit import AuditEntry
from shared.codec import decode, encode
from shared.listing import find_readable, keyset
from shared.messaging import Message
from shared.outbox import Outbox
from shared.ports import Container, Create, Document, Query, Replace


class ShipmentAdapter:
    """services.shipping.ports.Shipments."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, order_id: str) -> Shipment | None:
        """The shipment of an order, or None."""
        document = await self._container.read(order_id, shipment_id(order_id))
        return _shipment(document) if document else None

    async def add(self, shipment: Shipment, messages: Sequence[Message], audit: AuditEntry | None = None) -> None:
        """Store a new one. Raises AlreadyExists."""
        await self._outbox.commit(shipment.order_id, [Create(_document(shipment))], messages, audit)

    async def save(self, shipment: Shipment, messages: Sequence[Message], audit: AuditEntry | None = None) -> Shipment:
        """Replace the one that was read. Raises ConditionFailed."""
        replaced = Replace(_document(shipment), shipment.etag)
        [etag] = await self._outbox.commit(shipment.order_id, [replaced], messages, audit)
        return replace(shipment, etag=etag)

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Shipment]:
        """The next ones in one of the states and with one of the carriers, oldest first, by keyset."""
        query = Query("shipment", (), ("createdAt", "id"), keyset(after), size)
        values = {"carrier": wanted.carriers} if wanted.carriers else {}
        # As a shipment moves on, so that one which does so meanwhile is found.
        values |= {"state": tuple(str(state) for state in State if state in wanted.states)}
        return await find_readable(self._container, query, values, _shipment)


def _shipment(document: Document) -> Shipment:
    return replace(decode(Shipment, document), etag=document["_etag"])


def _document(shipment: Shipment) -> Document:
    return {"id": shipment.id, "pk": shipment.order_id, "kind": "shipment", **encode(shipment)}
