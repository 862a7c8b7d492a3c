"""Shipping's commands and requests."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from services.shipping.domain import (
    PROCESS,
    Act,
    CannotCorrect,
    CannotDispatch,
    Destination,
    PaymentLapsed,
    Shipment,
    ShipmentLine,
    State,
    order_of,
)
from services.shipping.repositories import Shipments
from shared.audit import Actor, Recorded
from shared.contracts.customers import CustomerForgotten
from shared.contracts.shipping import (
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentCorrected,
    ShipmentCreated,
    ShipmentDispatchedV2,
)
from shared.errors import Refused, TooEarly, not_found, precondition_failed, sentence
from shared.headers import Preconditions
from shared.messaging import Message, fact, first
from shared.outbox import Outbox
from shared.ports import System
from shared.telemetry import current_traceparent


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need."""

    shipments: Shipments
    outbox: Outbox
    system: System


async def handle(command: CreateShipment | CancelShipment, deps: Dependencies) -> None:
    """Do what the shipment's state makes of the command."""
    shipment = await deps.shipments.get(command.order_id)
    act = PROCESS[type(command).__name__][shipment.state if shipment else None]
    new = shipment or _new(command, deps.system.now())
    created = fact(ShipmentCreated(new.order_id, new.id), new.order_id, deps.system)
    cancelled = fact(ShipmentCancelled(new.order_id), new.order_id, deps.system)
    match act:
        case Act.CREATE:
            await deps.shipments.save(new, [created])
        case Act.TOMBSTONE | Act.CANCEL:
            await deps.shipments.save(replace(new, state=State.CANCELLED), [cancelled])
        case Act.CREATED_AGAIN:
            await deps.outbox.publish_again(created)
        case Act.DISPATCHED_AGAIN:
            await deps.outbox.publish_again(_dispatched(new, deps))
        case Act.CANCELLED_AGAIN:
            await deps.outbox.publish_again(cancelled)
        case Act.NOTHING:
            pass


def _new(command: CreateShipment | CancelShipment, now: datetime) -> Shipment:
    if isinstance(command, CancelShipment):
        return Shipment(command.order_id, State.PENDING, now, traceparent=current_traceparent())
    return Shipment(
        order_id=command.order_id,
        state=State.PENDING,
        created_at=now,
        lines=tuple(ShipmentLine(line.sku, line.quantity) for line in command.lines),
        shipping_address=Destination(**asdict(command.shipping_address)),
        authorised_until=command.authorised_until,
        traceparent=current_traceparent(),
    )


async def forget(event: CustomerForgotten, deps: Dependencies) -> None:
    """Put a mark in place of the shipment's address. An order that ended before it was to be sent has none."""
    shipment = await deps.shipments.get(event.order_id)
    if shipment is None or shipment == (forgotten := shipment.forgotten()):
        return
    if shipment.state is State.PENDING:
        raise TooEarly(f"the shipment of order {event.order_id} still needs its address")
    await deps.shipments.save(forgotten)


async def get_shipment(shipment_id: str, deps: Dependencies) -> Shipment:
    """One shipment. Refused with 404; the warehouse repeats that."""
    shipment = await deps.shipments.get(order_of(shipment_id))
    if shipment is None:
        raise not_found(f"shipment {shipment_id[:100]}")
    return shipment


async def dispatch(
    shipment_id: str, carrier: str, tracking_number: str, by: Actor, deps: Dependencies, *, accept_risk: bool = False
) -> Shipment:
    """The goods are on their way. The same again is fine; refused with 409 for other data, where cancelled, or where
    the payment has lapsed and nobody accepts that risk."""
    shipment = await get_shipment(shipment_id, deps)
    try:
        dispatched = shipment.dispatched(carrier, tracking_number, deps.system.now(), accept_risk=accept_risk)
    except PaymentLapsed as fault:
        detail = f"{sentence(fault)} To send it all the same, say acceptPaymentRisk: true."
        raise Refused(409, "payment-lapsed", "The payment for the shipment has lapsed.", detail) from None
    except CannotDispatch as fault:
        raise Refused(409, "cannot-dispatch", "The shipment can't be dispatched.", sentence(fault)) from None
    if dispatched is shipment:
        return shipment
    audit = by.changed("shipment", shipment.id, _recorded(shipment), _recorded(dispatched))
    return await deps.shipments.save(dispatched, [_dispatched(dispatched, deps)], audit)


async def correct(
    shipment_id: str,
    carrier: str,
    tracking_number: str,
    preconditions: Preconditions,
    by: Actor,
    deps: Dependencies,
) -> Shipment:
    """Put right what was typed at the dispatch, where an empty text leaves it.

    What is so already is fine, whatever the preconditions say: a repeat whose first answer was lost has an ETag that is
    past. Refused with 409 unless it was dispatched, with 412 where a precondition doesn't hold.
    """
    shipment = await get_shipment(shipment_id, deps)
    try:
        corrected = shipment.corrected(carrier, tracking_number)
    except CannotCorrect as fault:
        raise Refused(409, "cannot-correct", "The shipment can't be corrected.", sentence(fault)) from None
    if corrected is shipment:
        return shipment
    if not preconditions.hold(shipment.etag):
        raise precondition_failed("shipment")
    audit = by.changed("shipment", shipment.id, _recorded(shipment), _recorded(corrected))
    return await deps.shipments.save(corrected, [_announced(corrected, deps)], audit)


def _dispatched(shipment: Shipment, deps: Dependencies) -> Message:
    # Of one that was dispatched before it was kept what was typed, what is right is told.
    carrier = shipment.typed_carrier or shipment.carrier
    tracking_number = shipment.typed_tracking_number or shipment.tracking_number
    assert carrier
    assert tracking_number
    event = ShipmentDispatchedV2(shipment.order_id, shipment.id, carrier, tracking_number)
    return replace(fact(event, shipment.order_id, deps.system), traceparent=shipment.traceparent)


def _announced(corrected: Shipment, deps: Dependencies) -> Message:
    assert corrected.carrier
    assert corrected.tracking_number
    event = ShipmentCorrected(
        corrected.order_id, corrected.id, corrected.carrier, corrected.tracking_number, corrected.corrections
    )
    message = first(event, corrected.order_id, deps.system.now(), corrected.corrections)
    return replace(message, traceparent=corrected.traceparent)


def _recorded(shipment: Shipment) -> Recorded:
    """What the audit sees of a shipment; no request changes its address."""
    return {
        "status": shipment.state,
        "carrier": shipment.carrier,
        "trackingNumber": shipment.tracking_number,
    }
