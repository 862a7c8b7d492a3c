"""Shipping's storage: one document in each order's partition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.shipping.domain import Shipment, State, shipment_id
from shared.codec import decode, encode, rfc3339
from shared.errors import Unparseable
from shared.messaging import Message
from shared.outbox import Outbox
from shared.ports import Condition, Container, Create, Document, Query, Replace
from shared.telemetry import log_event


class ShipmentAdapter:
    """services.shipping.ports.Shipments."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox

    async def get(self, order_id: str) -> Shipment | None:
        """The shipment of an order, or None."""
        document = await self._container.read(order_id, shipment_id(order_id))
        return _shipment(document) if document else None

    async def add(self, shipment: Shipment, messages: Sequence[Message]) -> None:
        """Store a new one. Raises AlreadyExists."""
        await self._outbox.commit(shipment.order_id, [Create(_document(shipment))], messages)

    async def save(self, shipment: Shipment, messages: Sequence[Message]) -> Shipment:
        """Replace the one that was read. Raises ConditionFailed."""
        [etag] = await self._outbox.commit(shipment.order_id, [Replace(_document(shipment), shipment.etag)], messages)
        return replace(shipment, etag=etag)

    async def page(self, state: State, after: tuple[datetime, str] | None, size: int) -> list[Shipment]:
        """The next ones in a state, oldest first, by keyset."""
        keyset = (rfc3339(after[0]), after[1]) if after else ()
        query = Query("shipment", (Condition("state", "=", str(state)),), ("createdAt", "id"), keyset, size)
        found: list[Shipment] = []
        while documents := await self._container.find(query):
            for document in documents:
                try:
                    found.append(_shipment(document))
                except Unparseable as fault:
                    # The others are to be packed all the same.
                    log_event("unreadable_document", "shipment %s is left out: %s", document["id"], fault)
            if len(found) == size or len(documents) < query.limit:
                break
            query = replace(query, after=(documents[-1]["createdAt"], documents[-1]["id"]), limit=size - len(found))
        return found


def _shipment(document: Document) -> Shipment:
    return replace(decode(Shipment, document), etag=document["_etag"])


def _document(shipment: Shipment) -> Document:
    return {"id": shipment.id, "pk": shipment.order_id, "kind": "shipment", **encode(shipment)}
