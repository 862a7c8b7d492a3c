"""What shipping takes and announces."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts import Command, Event, Line


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
class CreateShipment(Command):
    """Have the warehouse pack and send these goods. `authorised_until`: when the money for them is no longer held."""

    order_id: str
    lines: tuple[Line, ...]
    shipping_address: Address
    authorised_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CancelShipment(Command):
    """Don't send them, if they aren't on their way yet."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ShipmentCreated(Event):
    """The warehouse has been told."""

    order_id: str
    shipment_id: str


@dataclass(frozen=True, slots=True)
class ShipmentDispatched(Event):
    """The goods are on their way; the shipment can't be cancelled any more."""

    order_id: str
    shipment_id: str


@dataclass(frozen=True, slots=True)
class ShipmentDispatchedV2(Event):
    """The goods are on their way, with this carrier under this number, as it was typed at the dispatch; the shipment
    can't be cancelled any more."""

    order_id: str
    shipment_id: str
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class ShipmentCorrected(Event):
    """They went with this carrier under this number, otherwise than was typed before. Of several the one with the
    highest `number` stands, in whatever order they come; the first is 1."""

    order_id: str
    shipment_id: str
    carrier: str
    tracking_number: str
    number: int


@dataclass(frozen=True, slots=True)
class ShipmentCancelled(Event):
    """The goods stay, and never will be sent."""

    order_id: str
