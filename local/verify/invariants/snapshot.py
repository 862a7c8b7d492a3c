"""What the invariants are about, what they find, and the words of the process that they know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

type Document = Mapping[str, Any]

COMPENSATED = {"cancelled", "rejected"}
SHIPPED = {"completed", "payment_due"}
FINAL = COMPENSATED | SHIPPED

REPLIES = {
    "reserving_stock": "StockReserved or StockRejected",
    "authorising_payment": "PaymentAuthorised or PaymentDeclined",
    "awaiting_dispatch": "ShipmentCreated, then ShipmentDispatched",
    "recalling": "ShipmentCancelled or ShipmentDispatched",
    "undoing": "StockReleased, PaymentVoided",
    "settling": "StockCommitted, PaymentCaptured or PaymentNotCaptured",
}
"""What an order at each step that isn't final waits for."""

CONTAINERS = ("orders", "payments", "shipping", "inventory", "catalog")
"""Those that have a field of a snapshot."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one invariant holds, over how many things, and what breaks it: "id: what is wrong with it"."""

    name: str
    holds: bool
    checked: int
    violations: list[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the system holds. `placed` are the ids of orders that a client was told to have placed; `entities` the
    broker's queues with the number of messages in each state; `others` what contexts hold that have no field here."""

    placed: frozenset[str] = frozenset()
    orders: Sequence[Document] = ()
    payments: Sequence[Document] = ()
    intents: Sequence[Document] = ()
    shipping: Sequence[Document] = ()
    inventory: Sequence[Document] = ()
    catalog: Sequence[Document] = ()
    entities: Sequence[Document] = ()
    others: Sequence[Document] = ()
    by_kind: dict[str, list[Document]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, containers: Mapping[str, Sequence[Document]], **rest: Any) -> "Snapshot":
        """The documents of each container, by its name, and `rest`, which is the other fields."""
        others = chain.from_iterable(documents for name, documents in containers.items() if name not in CONTAINERS)
        known: dict[str, Any] = {name: containers.get(name, ()) for name in CONTAINERS}
        return cls(**known, others=tuple(others), **rest)

    def __post_init__(self) -> None:
        for document in self.documents():
            self.by_kind.setdefault(document["kind"], []).append(document)

    def containers(self) -> dict[str, Sequence[Document]]:
        """The documents of each."""
        return {name: getattr(self, name) for name in (*CONTAINERS, "others")}

    def documents(self) -> Iterator[Document]:
        """Those of every container."""
        return chain.from_iterable(self.containers().values())

    def kind(self, kind: str) -> list[Document]:
        """All documents of one kind."""
        return self.by_kind.get(kind, [])


def finding(name: str, checked: int, violations: list[str]) -> Finding:
    """What was found: it holds where there is no violation."""
    return Finding(name, not violations, checked, violations)


def waits_for(order: Document) -> str:
    """The replies that an order waits for, in words."""
    replies = REPLIES.get(order["step"], "nothing")
    return f"{replies} (due: {', '.join(order['waitingFor'])})" if order["waitingFor"] else replies
