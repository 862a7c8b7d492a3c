"""An order as its customer and support see it, and lists of them."""

from services.orders.domain import Order
from services.orders.process import Reason
from shared.codec import encode, rfc3339
from shared.contracts.orders import Status
from shared.fields import Moment, MoneyView, Several, Subject, View, optional
from shared.paging import Page, PageParameters


class LineView(View):
    """So many of one product at its frozen price."""

    sku: str
    quantity: int
    unit_price: MoneyView
    line_total: MoneyView


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


class ShortLineView(View):
    """A line that was short when the order was rejected: so many were wanted, and so many were to be had."""

    sku: str
    wanted: int
    available: int


class ShortagesView(View):
    """How many lines were short, and the first of them."""

    count: int
    lines: list[ShortLineView]


class OrderView(View):
    """An order as its customer sees it; `settledAt` is null until it is final, `customerId` where nobody owns it."""

    order_id: str
    status: Status
    customer_id: str | None
    """Null where nobody owns it."""
    lines: list[LineView]
    total: MoneyView
    """At the prices of when it was placed."""
    shipping_address: AddressView
    placed_at: Moment
    settled_at: Moment | None
    """Null until the status is a final one."""
    reason: Reason | None = optional()
    """Where it was rejected."""
    shortages: ShortagesView | None = optional()
    """Where it was rejected as `out_of_stock`."""
    decline_code: str | None = optional()
    """Where it was rejected as `payment_declined`: why, such as `card_declined` or `insufficient_funds`."""

    @classmethod
    def of(cls, order: Order) -> "OrderView":
        """The order as callers see it; a reason only where it was rejected."""

        def money(amount: int) -> MoneyView:
            return MoneyView(amount=amount, currency=order.currency)

        return cls(
            order_id=order.id,
            status=order.status,
            customer_id=order.customer_id,
            lines=[
                LineView(
                    sku=line.sku,
                    quantity=line.quantity,
                    unit_price=money(line.unit_price),
                    line_total=money(line.total),
                )
                for line in order.lines
            ],
            total=money(order.total),
            shipping_address=AddressView.model_validate(encode(order.shipping_address)),
            placed_at=rfc3339(order.placed_at),
            settled_at=rfc3339(order.settled_at) if order.settled_at else None,
            reason=order.reason if order.status == "rejected" else None,
            shortages=_shortages(order),
            decline_code=order.decline_code if order.status == "rejected" else None,
        )


class OrderPage(Page[OrderView]):
    """Some orders, and where the next ones are."""


class OrdersQuery(PageParameters):
    """Whose orders, and with which statuses; by default all that the caller may see."""

    customer_id: Subject | None = None
    """Whose; a customer's own without."""
    status: Several[Status] | None = None
    """Parted by commas; all without."""


def _shortages(order: Order) -> ShortagesView | None:
    if not order.shortages:
        return None
    lines = [ShortLineView(sku=each.sku, wanted=each.wanted, available=each.available) for each in order.shortages]
    return ShortagesView(count=order.shortage_count, lines=lines)
