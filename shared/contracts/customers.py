"""What orders announces of customers rather than of one order's way: on a topic of its own, since every subscription to
it would look at each event of each order on the other."""

from shared.contracts import OrderEvent


class CustomerForgotten(OrderEvent):
    """The order is final, and nothing of it shall tell of its customer any more: whoever keeps a name, an address or an
    e-mail address of it puts a mark in their place. It says nothing of the customer; there is one for each order."""
