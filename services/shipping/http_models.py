"""Shipping's bodies."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

from services.shipping.domain import Shipment, State
from shared.codec import encode, rfc3339
from shared.fields import Body, PageSize, Parameters, Text, View, optional
from shared.http import invalid_query


class DispatchNote(Body):
    """Who carries the goods, and under which number; and whether they shall leave though the payment has lapsed."""

    carrier: Text
    tracking_number: Text
    accept_payment_risk: bool = False


class LineView(View):
    """So many of one product."""

    sku: str
    quantity: int


class AddressView(View):
    """Where the goods go."""

    name: str
    company: str | None = optional()
    line1: str
    line2: str | None = optional()
    city: str
    state: str | None = optional()
    postal_code: str | None = optional()
    phone: str | None = optional()
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
    authorised_until: str | None = optional()

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentView":
        """The shipment as callers see it."""
        return cls.model_validate({"shipmentId": shipment.id, "status": shipment.state, **encode(shipment)})


class ShipmentPage(View):
    """Some shipments, and where the next ones are."""

    value: list[ShipmentView]
    next_link: str | None = optional()


class ShipmentsQuery(Parameters):
    """Which shipments, by default those to be packed, and how many of them at most."""

    status: State = State.PENDING
    limit: PageSize = 100
    after: str | None = None


def cursor(shipment: Shipment) -> str:
    """What `after` takes to go on behind this shipment, among those in its state."""
    return (
        urlsafe_b64encode(f"{shipment.state} {rfc3339(shipment.created_at)} {shipment.id}".encode())
        .decode()
        .rstrip("=")
    )


def keyset(cursor: str | None, state: State) -> tuple[datetime, str] | None:
    """The creation and the id behind which to go on. Refused with 400 where `after` is none, or another state's."""
    if cursor is None:
        return None
    try:
        of, created_at, id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        moment = datetime.fromisoformat(created_at)
        rfc3339(moment)
    except (ValueError, OverflowError):
        raise invalid_query("after", "Take it from a nextLink as it is.") from None
    if of != state:
        raise invalid_query("after", "It goes with another status: take both from one nextLink.")
    return moment, id
