"""What shipping takes and announces."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Line, OrderCommand, OrderEvent


@dataclass(frozen=True, slots=True)
class Address:
    """Where the goods go; `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    country: str
    line2: str | None = None
    postal_code: str | None = None
    company: str | None = None
    state: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class CreateShipment(OrderCommand):
    """Have the warehouse pack and send these goods. `authorised_until`: when the money for them is no longer held."""

    lines: tuple[Line, ...]
    shipping_address: Address
    authorised_until: datetime | None = None


class CancelShipment(OrderCommand):
    """Don't send them, if they aren't on their way yet."""


@dataclass(frozen=True, slots=True)
class ShipmentCreated(OrderEvent):
    """The warehouse has been told."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class ShipmentDispatched(OrderEvent):
    """The goods are on their way; the shipment can't be cancelled any more."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class ShipmentDispatchedV2(OrderEvent):
    """The goods are on their way, with this carrier under this number, as it was typed at the dispatch; the shipment
    can't be cancelled any more."""

    shipment_id: str
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class ShipmentCorrected(OrderEvent):
    """They went with this carrier under this number, otherwise than was typed before. Of several the one with the
    highest `number` stands, in whatever order they come; the first is 1."""

    shipment_id: str
    carrier: str
    tracking_number: str
    number: int


class ShipmentCancelled(OrderEvent):
    """The goods stay, and never will be sent."""
