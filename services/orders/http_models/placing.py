"""What is asked for when an order is placed."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from services.orders.domain import Address
from services.orders.placing import NewOrder, WantedLine
from shared.countries import country_code
from shared.fields import Body, Email, OptionalSubject, OptionalText, Quantity, ShopCurrency, Sku, Text, described

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
