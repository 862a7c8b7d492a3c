"""What an order sends, as contracts."""

from dataclasses import asdict, replace
from datetime import datetime

from services.orders.domain import Change, Order
from services.orders.process import ENDS, Send
from shared.contracts import Command, Contract, Line
from shared.contracts import orders as events
from shared.contracts.inventory import CommitStock, ReleaseStock, ReserveStock
from shared.contracts.payments import AuthorisePayment, CapturePayment, VoidPayment
from shared.contracts.shipping import Address, CancelShipment, CreateShipment
from shared.messaging import Message, again, first
from shared.ports import System


def first_of(change: Change, now: datetime) -> list[Message]:
    """What the change sends, for the first time."""
    return [_message(send, change.order, now) for send in change.sends]


def sent_again(change: Change, now: datetime, system: System) -> list[Message]:
    """What the change sends once more, under fresh message ids: the broker drops those that it has seen."""
    return [again(_message(send, change.order, now), system.new_id()) for send in change.sends]


def standing(order: Order) -> list[Message]:
    """Its beginning and its end, if it has come to that, as they were announced."""
    facts = [_message(Send.ORDER_PLACED, order, order.placed_at)]
    if order.settled_at:
        facts.append(_message(ENDS[order.step], order, order.settled_at))
    return facts


def _message(send: Send, order: Order, now: datetime) -> Message:
    contract = contract_of(send, order)
    # A command that fails later than its next resend needs no retry of its own: the resend sends it again.
    retry_until = order.resend_at if isinstance(contract, Command) else None
    return replace(first(contract, order.id, now, retry_until=retry_until), traceparent=order.traceparent)


def contract_of(send: Send, order: Order) -> Contract:
    """The command or event, with everything that its handler may need: one may overtake another."""
    lines = tuple(Line(line.sku, line.quantity) for line in order.lines)
    match send:
        case Send.RESERVE_STOCK:
            return ReserveStock(order.id, lines, give_up_at=order.give_up_at)
        case Send.RELEASE_STOCK:
            return ReleaseStock(order.id, lines)
        case Send.COMMIT_STOCK:
            return CommitStock(order.id)
        case Send.AUTHORISE_PAYMENT:
            return AuthorisePayment(order.id, order.total, order.currency, order.payment_method, order.give_up_at)
        case Send.VOID_PAYMENT:
            return VoidPayment(order.id)
        case Send.CAPTURE_PAYMENT:
            return CapturePayment(order.id)
        case Send.CREATE_SHIPMENT:
            address = Address(**asdict(order.shipping_address))
            return CreateShipment(order.id, lines, address, order.authorised_until)
        case Send.CANCEL_SHIPMENT:
            return CancelShipment(order.id)
        case Send.ORDER_PLACED:
            priced = tuple(events.PricedLine(line.sku, line.quantity, line.unit_price) for line in order.lines)
            return events.OrderPlaced(order.id, priced, order.total, order.currency)
        case Send.ORDER_REJECTED:
            return events.OrderRejected(order.id, str(order.reason))
        case Send.ORDER_CONFIRMED:
            return events.OrderConfirmed(order.id)
        case Send.ORDER_CANCELLED:
            return events.OrderCancelled(order.id)
        case Send.ORDER_SHIPPED:
            return events.OrderShipped(order.id)
        case Send.ORDER_COMPLETED:
            return events.OrderCompleted(order.id)
        case Send.ORDER_PAYMENT_DUE:
            return events.OrderPaymentDue(order.id)
