"""What an order needs of Cosmos DB, Service Bus and the payment provider, derived on paper: step by step, from what
each promises. The benchmark `operations` holds the application to it, `end_to_end` does just this and nothing else, and
README.md shows it.

An order of so many lines, placed by somebody who has placed none in this minute, dispatched, completed; the reply about
its payment is there before the one about its stock.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

KEPT_BY_OPERATIONS = 1
"""Requests that the context `operations` makes of each event: it keeps it. Its timer's come on top."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a request or a message makes a context do. The last write is one batch, the aggregate and what is to be
    sent; what was sent is cleared in another."""

    on: str
    context: str
    why: str
    reads: int = 1
    """Point reads: the aggregate, whose state tells what has been handled."""
    looks: int = 0
    """Queries that name the documents of all lines."""
    before: int = 0
    """Batches of one document, before the last."""
    before_a_line: int = 0
    """Batches of two documents, a stock item and a reservation of it."""
    sends: Mapping[str, str] = field(default_factory=dict)
    """Messages, and the queue or topic that each goes to."""
    provider: int = 0
    """Requests of the payment provider."""

    def requests(self, lines: int) -> int:
        """Of Cosmos DB."""
        return self.reads + self.looks + self.before + self.before_a_line * lines + 1 + bool(self.sends)


STEPS = (
    Step(
        "POST /api/orders",
        "orders",
        "is it there already, what do its lines cost, how many has this caller placed in this minute",
        looks=1,
        before=1,
        sends={"ReserveStock": "inventory", "OrderPlaced": "orders-events"},
    ),
    Step(
        "ReserveStock",
        "inventory",
        "which lines are scarce, and so come first; each line is taken by itself, from its own partition",
        looks=1,
        before_a_line=1,
        sends={"StockReserved": "inventory-events"},
    ),
    Step("StockReserved", "orders", "the next command", sends={"AuthorisePayment": "payments"}),
    Step(
        "AuthorisePayment",
        "payments",
        "the intent is created, stored, and only then confirmed: of two copies one alone can hold money",
        before=1,
        sends={"PaymentAuthorised": "payments-events"},
        provider=2,
    ),
    Step(
        "PaymentAuthorised",
        "orders",
        "the next command, and the customer's confirmation",
        sends={"CreateShipment": "shipping", "OrderConfirmed": "orders-events"},
    ),
    Step("CreateShipment", "shipping", "the shipment", sends={"ShipmentCreated": "shipping-events"}),
    Step("ShipmentCreated", "orders", "no command has to be sent again"),
    Step(
        "POST /api/shipments/{id}/dispatch",
        "shipping",
        "who of the staff did it is an entry of the audit, in the same batch",
        sends={"ShipmentDispatched": "shipping-events"},
    ),
    Step(
        "ShipmentDispatched",
        "orders",
        "the two last commands",
        sends={"CommitStock": "inventory", "CapturePayment": "payments", "OrderShipped": "orders-events"},
    ),
    Step("CapturePayment", "payments", "the money", sends={"PaymentCaptured": "payments-events"}, provider=1),
    Step("PaymentCaptured", "orders", "one of two replies: nothing is to be sent yet"),
    Step(
        "CommitStock",
        "inventory",
        "each line leaves the house by itself",
        before_a_line=1,
        sends={"StockCommitted": "inventory-events"},
    ),
    Step("StockCommitted", "orders", "the other: the end", sends={"OrderCompleted": "orders-events"}),
)


def requests(lines: int) -> Counter[str]:
    """Of Cosmos DB for one order, by context."""
    found: Counter[str] = Counter()
    for step in STEPS:
        found[step.context] += step.requests(lines)
    return found


def sent() -> Counter[str]:
    """Messages of one order, by the queue or topic that they are sent to."""
    return Counter(destination for step in STEPS for destination in step.sends.values())


def received() -> Counter[str]:
    """Messages of one order that the contexts of its process receive, by context."""
    return Counter(step.context for step in STEPS if not step.on.startswith("POST "))


def events() -> int:
    """Of one order, each of which the context `operations` hears, too."""
    return sum(number for destination, number in sent().items() if destination.endswith("-events"))


def provider_calls() -> int:
    """Requests of the payment provider for one order."""
    return sum(step.provider for step in STEPS)
