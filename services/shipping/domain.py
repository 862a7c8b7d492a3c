"""Shipping's rules. One document an order decides between a cancellation and a dispatch."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.texts import FORGOTTEN


class State(StrEnum):
    """Of a shipment."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    CANCELLED = "cancelled"


class Act(StrEnum):
    """What a command asks for, given the shipment."""

    CREATE = "create it `pending`, with ShipmentCreated"
    TOMBSTONE = "create it `cancelled`, with ShipmentCancelled: no creation can follow"
    CANCEL = "`cancelled`, with ShipmentCancelled"
    CREATED_AGAIN = "answer ShipmentCreated again"
    DISPATCHED_AGAIN = "answer ShipmentDispatched again"
    CANCELLED_AGAIN = "answer ShipmentCancelled again"
    NOTHING = "ignored, because its undoing overtook it"


PROCESS: dict[str, dict[State | None, Act]] = {
    "CreateShipment": {
        None: Act.CREATE,
        State.PENDING: Act.CREATED_AGAIN,
        State.DISPATCHED: Act.DISPATCHED_AGAIN,
        State.CANCELLED: Act.NOTHING,
    },
    "CancelShipment": {
        None: Act.TOMBSTONE,
        State.PENDING: Act.CANCEL,
        State.DISPATCHED: Act.DISPATCHED_AGAIN,
        State.CANCELLED: Act.CANCELLED_AGAIN,
    },
}
"""Every command in every state (None: no shipment yet)."""


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """So many of one product."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Destination:
    """Where it goes."""

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
class Shipment:
    """What goes to one customer for one order."""

    order_id: str
    state: State
    created_at: datetime
    lines: tuple[ShipmentLine, ...] = ()
    shipping_address: Destination | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    typed_carrier: str | None = None
    typed_tracking_number: str | None = None
    """What was typed at the dispatch, which its fact says however often it is told, whatever was put right since."""
    dispatched_at: datetime | None = None
    authorised_until: datetime | None = None
    corrections: int = 0
    traceparent: str | None = None
    """The trace that made it, the order's, in which its dispatch goes on."""
    etag: str = field(default="", compare=False, metadata={"stored": False})

    @property
    def id(self) -> str:
        """Contains the order's, so that it can be found by either."""
        return shipment_id(self.order_id)

    def forgotten(self) -> "Shipment":
        """Without a word of whom it went to, but the country."""
        if self.shipping_address is None:
            return self
        mark = Destination(FORGOTTEN, FORGOTTEN, FORGOTTEN, self.shipping_address.country)
        return replace(self, shipping_address=mark)

    def dispatched(self, carrier: str, tracking_number: str, at: datetime, *, accept_risk: bool) -> "Shipment":
        """On its way; the same again changes nothing. Raises CannotDispatch, and PaymentLapsed where the money is no
        longer held and nobody accepts that risk."""
        if self.state is State.CANCELLED:
            raise CannotDispatch("it was cancelled")
        if self.state is State.DISPATCHED:
            if (self.carrier, self.tracking_number) != (carrier, tracking_number):
                raise CannotDispatch("it was dispatched with other data")
            return self
        if self.authorised_until and self.authorised_until <= at and not accept_risk:
            raise PaymentLapsed(f"the money for it was held until {self.authorised_until:%Y-%m-%d %H:%M} UTC")
        return replace(
            self,
            state=State.DISPATCHED,
            carrier=carrier,
            tracking_number=tracking_number,
            typed_carrier=carrier,
            typed_tracking_number=tracking_number,
            dispatched_at=at,
        )

    def corrected(self, carrier: str, tracking_number: str) -> "Shipment":
        """With what was typed at its dispatch put right, where an empty text leaves it; what is so already changes
        nothing. Raises CannotCorrect."""
        if self.state is not State.DISPATCHED:
            raise CannotCorrect(f"it is {self.state}: only what was typed at a dispatch can be put right")
        right = replace(self, carrier=carrier or self.carrier, tracking_number=tracking_number or self.tracking_number)
        return self if right == self else replace(right, corrections=self.corrections + 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Shipments in one of these states and, where carriers are named, with one of them."""

    states: tuple[State, ...]
    carriers: tuple[str, ...] = ()


class CannotDispatch(Exception):
    """The shipment is not to be sent."""


class CannotCorrect(Exception):
    """Nothing was typed that could be put right."""


class PaymentLapsed(Exception):
    """The goods would leave without money that is held for them."""


_PREFIX = "shp_"


def shipment_id(order_id: str) -> str:
    """The id of the shipment of an order."""
    return _PREFIX + order_id


def order_of(shipment_id: str) -> str:
    """The order whose shipment has this id; of an id that isn't one, something that no order is called."""
    return shipment_id.removeprefix(_PREFIX) if shipment_id.startswith(_PREFIX) else "-"
