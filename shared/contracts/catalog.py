"""What catalog announces. Each event carries the product's whole state, so that any one makes a replica right."""

from dataclasses import dataclass

from shared.contracts import Event


@dataclass(frozen=True, slots=True)
class _ProductState(Event):
    sku: str
    price: int
    currency: str
    listed: bool
    version: int


class ProductListed(_ProductState):
    """The product can be bought from now on."""


class PriceChanged(_ProductState):
    """The product has another price; whether it can be bought is as before."""


class ProductDelisted(_ProductState):
    """The product can't be bought any more."""
