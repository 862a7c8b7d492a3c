"""What orders knows of prices."""

from services.orders.prices import Price
from shared.fields import MoneyView, View


class PriceView(View):
    """A product's price as orders knows it."""

    sku: str
    price: MoneyView
    listed: bool

    @classmethod
    def of(cls, price: Price) -> "PriceView":
        """The price as callers see it."""
        return cls(sku=price.sku, price=MoneyView(amount=price.price, currency=price.currency), listed=price.listed)
