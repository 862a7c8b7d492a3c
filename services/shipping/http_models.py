"""Shipping's bodies."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

from services.shipping.domain import Shipment
from shared.codec import encode, rfc3339
from shared.errors import Refused
from shared.fields import Body, Text, View, optional


class DispatchNote(Body):
    """Who carries the goods, and under which number."""

    carrier: Text
    tracking_number: Text


class LineView(View):
    """So many of one product."""

    sku: str
    quantity: int


class AddressView(View):
    """Where the goods go."""

    name: str
    line1: str
    line2: str | None = optional()
    city: str
    postal_code: str | None = optional()
    country: str


class ShipmentView(View):
    """What goes to one customer for one order."""

    shipment_id: str
    order_id: str
    status: str
    created_at: str
    lines: list[LineView]
    shipping_address: AddressView | None = optional()
    carrier: str | None = optional()
    tracking_number: str | None = optional()
    dispatched_at: str | None = optional()

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentView":
        """The shipment as callers see it."""
        return cls.model_validate({"shipmentId": shipment.id, "status": shipment.state, **encode(shipment)})


class ShipmentPage(View):
    """Some shipments, and where the next ones are."""

    value: list[ShipmentView]
    next_link: str | None = optional()


def cursor(shipment: Shipment) -> str:
    """What `after` takes to go on behind this shipment."""
    return urlsafe_b64encode(f"{rfc3339(shipment.created_at)} {shipment.id}".encode()).decode().rstrip("=")


def keyset(cursor: str) -> tuple[datetime, str]:
    """The shipment's creation and id behind a cursor. Refused with 400 where `after` isn't one."""
    try:
        created_at, _, id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        moment = datetime.fromisoformat(created_at)
        rfc3339(moment)
        return moment, id
    except (ValueError, OverflowError):
        detail = "Take it from a nextLink as it is."
        raise Refused(400, "invalid-query", "The query parameter after is not valid.", detail) from None
