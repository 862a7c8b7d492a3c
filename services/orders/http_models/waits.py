"""An order as whoever operates it sees it."""

from services.orders.domain import Order
from services.orders.messages import contract_of
from services.orders.process import WAITING
from shared.codec import rfc3339
from shared.fields import MoneyView, View
from shared.messaging import type_name
from shared.waits import StandingView, WaitView


def wait_of(order: Order) -> WaitView:
    """What the order waits for, as whoever operates it sees it."""
    return WaitView(
        order_id=order.id,
        waiting=WAITING.get(order.step),
        since=rfc3339(order.since),
        awaiting=[type_name(type(contract_of(send, order))) for send in order.outstanding],
        chases=order.resends,
        chase_at=rfc3339(order.resend_at) if order.resend_at else None,
        give_up_at=rfc3339(order.give_up_at) if order.give_up_at else None,
        shipment_id=order.shipment_id,
    )


def standing_of(order: Order) -> StandingView:
    """The order as whoever compares it with what the others say sees it."""
    return StandingView(
        **wait_of(order).model_dump(),
        status=order.status,
        total=MoneyView(amount=order.total, currency=order.currency),
        units=sum(line.quantity for line in order.lines),
    )


class AnnouncedView(View):
    """Which facts were announced again."""

    order_id: str
    events: list[str]
