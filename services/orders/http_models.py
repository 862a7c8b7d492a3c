"""Orders' bodies."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from services.orders.domain import Address, Order
from services.orders.messages import contract_of
from services.orders.placing import NewOrder, WantedLine
from services.orders.prices import Price
from services.orders.process import WAITING, Reason
from services.orders.status import Status
from shared.codec import encode, rfc3339
from shared.countries import country_code
from shared.fields import (
    Body,
    Email,
    Link,
    Moment,
    MoneyView,
    OptionalSubject,
    OptionalText,
    Quantity,
    Several,
    ShopCurrency,
    Sku,
    Subject,
    Text,
    View,
    described,
    optional,
)
from shared.messaging import type_name
from shared.paging import Page, PageParameters
from shared.waits import WaitView

MOST_LINES = 1000
_PAYMENT_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,100}", re.ASCII)


class AddressBody(Body):
    """Where the goods go."""

    name: Text
    company: OptionalText = None
    line1: Text
    line2: OptionalText = None
    city: Text
    state: OptionalText = None
    postal_code: OptionalText = None
    phone: OptionalText = None
    country: Annotated[str, AfterValidator(country_code), described(pattern="^[A-Z]{2}$")]
    """ISO 3166-1, two capital letters, or XK."""


def _once(sku: str, info: ValidationInfo) -> str:
    """An order has one line for each SKU: its reservation is one document."""
    seen: set[str] = (info.context or {})["seen"]
    if sku in seen:
        raise PydanticCustomError("field", "is the SKU of an earlier line, too: put them into one line")
    seen.add(sku)
    return sku


class LineBody(Body):
    """So many of one product."""

    sku: Annotated[Sku, AfterValidator(_once)]
    """No other line of the order has it."""
    quantity: Quantity


def _payment_method(value: str) -> str:
    if not _PAYMENT_METHOD.fullmatch(value):
        raise PydanticCustomError("field", "should be pm_ and up to 100 letters (A-Z, a-z), digits or underscores")
    return value


class ExpectedTotalBody(Body):
    """What the buyer was told that the order costs, in minor units of the shop's currency."""

    amount: Annotated[int, Field(ge=0)]
    currency: ShopCurrency


class OrderBody(Body):
    """What a customer asks for, or support for one. The `customerId` is the customer's subject, a guest's too."""

    customer_id: OptionalSubject = None
    """Whose order it is, the subject of their token: support names whom it orders for, a customer may leave it out."""
    email: Email
    currency: ShopCurrency
    """The shop's."""
    payment_method: Annotated[str, AfterValidator(_payment_method), described(pattern=f"^{_PAYMENT_METHOD.pattern}$")]
    """The payment provider's id of a payment method."""
    shipping_address: AddressBody
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MOST_LINES)]
    expected_total: ExpectedTotalBody | None = None
    """What the buyer was told that it costs: where it costs something else, nothing is placed."""

    def new_order(self, owner: str) -> NewOrder:
        """The request in the domain's words, of the customer who shall own the order."""
        return NewOrder(
            email=self.email,
            currency=self.currency,
            payment_method=self.payment_method,
            shipping_address=Address(**self.shipping_address.model_dump()),
            lines=tuple(WantedLine(line.sku, line.quantity) for line in self.lines),
            customer_id=owner,
            expected_total=self.expected_total.amount if self.expected_total else None,
        )


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


class OrdersQuery(PageParameters):
    """Whose orders, and with which statuses; by default all that the caller may see."""

    customer_id: Subject | None = None
    """Whose; a customer's own without."""
    status: Several[Status] | None = None
    """Parted by commas; all without."""


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


class StandingView(WaitView):
    """What an order waits for, how far it is and what it comes to."""

    status: Status
    total: MoneyView
    units: int
    """How many were ordered in all."""

    @classmethod
    def of(cls, order: Order) -> "StandingView":
        """The order as whoever compares it with what the others say sees it."""
        return cls(
            **wait_of(order).model_dump(),
            status=order.status,
            total=MoneyView(amount=order.total, currency=order.currency),
            units=sum(line.quantity for line in order.lines),
        )


class AnnouncedView(View):
    """Which facts were announced again."""

    order_id: str
    events: list[str]


def _shortages(order: Order) -> ShortagesView | None:
    if not order.shortages:
        return None
    lines = [ShortLineView(sku=each.sku, wanted=each.wanted, available=each.available) for each in order.shortages]
    return ShortagesView(count=order.shortage_count, lines=lines)


class PriceView(View):
    """A product's price as orders knows it."""

    sku: str
    price: MoneyView
    listed: bool

    @classmethod
    def of(cls, price: Price) -> "PriceView":
        """The price as callers see it."""
        return cls(sku=price.sku, price=MoneyView(amount=price.price, currency=price.currency), listed=price.listed)
