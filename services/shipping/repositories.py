"""Shipping's storage: one document in each order's partition."""

from datetime import datetime
from functools import partial

from services.shipping.domain import Shipment, State, Wanted, shipment_id
from shared.codec import encode
from shared.listing import find_readable, keyset
from shared.ports import Document, Query
from shared.repository import Repository, restored


class Shipments(Repository[Shipment]):
    """One shipment an order."""

    aggregate = Shipment

    async def get(self, order_id: str) -> Shipment | None:
        """The shipment of an order, or None."""
        return await self._read(order_id, shipment_id(order_id))

    async def page(self, wanted: Wanted, after: tuple[datetime, str] | None, size: int) -> list[Shipment]:
        """The next of those wanted, oldest first, strictly after (created at, id). What can't be read is left out."""
        query = Query("shipment", (), ("createdAt", "id"), keyset(after), size)
        values = {"carrier": wanted.carriers} if wanted.carriers else {}
        # As a shipment moves on, so that one which does so meanwhile is found.
        values |= {"state": tuple(str(state) for state in State if state in wanted.states)}
        return await find_readable(self._container, query, values, partial(restored, Shipment))

    def _document(self, shipment: Shipment) -> Document:
        return {"id": shipment.id, "pk": shipment.order_id, "kind": "shipment", **encode(shipment)}
