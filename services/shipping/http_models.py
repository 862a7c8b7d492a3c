"""Shipping's bodies."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime

from services.shipping.domain import Shipment, State
from shared.codec import encode, rfc3339
from shared.fields import Body, Text, View, optional
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


_MOST_ON_A_PAGE = 1000


def status(query: Mapping[str, str]) -> State:
    """Which shipments are asked for, by default those to be packed. Refused with 400."""
    try:
        return State(query.get("status", State.PENDING))
    except ValueError:
        raise invalid_query("status", f"It should be one of {', '.join(State)}.") from None


def page_size(query: Mapping[str, str]) -> int:
    """How many are asked for at most. Refused with 400."""
    text = query.get("limit", "100")
    if not (re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= _MOST_ON_A_PAGE):
        raise invalid_query("limit", f"It should be a whole number from 1 to {_MOST_ON_A_PAGE}.")
    return int(text)


def cursor(shipment: Shipment) -> str:
    """What `after` takes to go on behind this shipment, among those in its state."""
    return (
        urlsafe_b64encode(f"{shipment.state} {rfc3339(shipment.created_at)} {shipment.id}".encode())
        .decode()
        .rstrip("=")
    )


def keyset(query: Mapping[str, str], state: State) -> tuple[datetime, str] | None:
    """The creation and the id behind which to go on. Refused with 400 where `after` is none, or another state's."""
    cursor = query.get("after")
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
