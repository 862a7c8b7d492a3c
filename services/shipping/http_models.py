"""Shipping's bodies."""

from typing import Annotated

from pydantic import Field

from services.shipping.domain import Shipment, State, Wanted
from shared.codec import encode
from shared.fields import UNREMOVABLE, Body, Moment, Several, Text, View, optional
from shared.paging import Page, PageParameters


class DispatchNote(Body):
    """Who carries the goods, and under which number; and whether they shall leave though the payment has lapsed."""

    carrier: Text
    tracking_number: Text
    accept_payment_risk: bool = False
    """Whether the goods shall leave though the money isn't held any more."""


class CorrectionPatch(Body):
    """What of the dispatch note is put right; what isn't there is empty, and stays."""

    carrier: Annotated[Text, UNREMOVABLE] = Field(default_factory=str)
    tracking_number: Annotated[Text, UNREMOVABLE] = Field(default_factory=str)


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
    status: State
    created_at: Moment
    lines: list[LineView]
    shipping_address: AddressView | None = optional()
    carrier: str | None = optional()
    tracking_number: str | None = optional()
    dispatched_at: Moment | None = optional()
    authorised_until: Moment | None = optional()
    """Until when the money is held: dispatch before."""

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentView":
        """The shipment as callers see it."""
        return cls.model_validate({"shipmentId": shipment.id, "status": shipment.state, **encode(shipment)})


class ShipmentPage(Page[ShipmentView]):
    """Some shipments, and where the next ones are."""


class ShipmentsQuery(PageParameters):
    """Which shipments: by default those to be packed, or where carriers are named, what they took."""

    status: Several[State] | None = None
    """Parted by commas; `pending` without, or where carriers are named `dispatched`."""
    carrier: Several[Text] | None = None
    """As they were told at dispatch, parted by commas; all without."""

    @property
    def wanted(self) -> Wanted:
        """The filters in the domain's words."""
        by_default = State.DISPATCHED if self.carrier else State.PENDING
        return Wanted(self.status or (by_default,), self.carrier or ())
