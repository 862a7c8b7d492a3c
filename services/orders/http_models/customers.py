"""What is kept of a customer, and what of it is still to be forgotten."""

from services.orders.domain import Order
from services.orders.http_models.orders import OrderView
from shared.codec import rfc3339
from shared.fields import Link, Moment, View, optional


class ElsewhereView(View):
    """Under which ids other contexts keep what they know of an order, if they do; `shipping` where it has answered."""

    inventory: str
    payments: str
    shipping: str | None = optional()


class WholeOrderView(OrderView):
    """All that is known of an order and its customer; once it is `forgottenAt`, marks in place of what told of them."""

    email: str
    payment_method: str
    forgotten_at: Moment | None = optional()
    elsewhere: ElsewhereView

    @classmethod
    def of(cls, order: Order) -> "WholeOrderView":
        """The order as its customer may demand to see it."""
        return cls(
            **OrderView.of(order).model_dump(),
            email=order.email,
            payment_method=order.payment_method,
            forgotten_at=rfc3339(order.forgotten_at) if order.forgotten_at else None,
            elsewhere=ElsewhereView(inventory=order.id, payments=order.id, shipping=order.shipment_id),
        )


class CustomerDataPage(View):
    """Some of a customer's orders, the ids of those among them that can't be read, and of all their orders those that
    are still to be forgotten, the first of them where there are many."""

    customer_id: str
    value: list[WholeOrderView]
    unreadable: list[str]
    due: list[str]
    next_link: Link | None = optional()


class ErasureView(View):
    """That what a customer ordered by `until` is to be forgotten, and of which orders that is still due, the first of
    them where there are many."""

    customer_id: str
    until: Moment
    due: list[str]
