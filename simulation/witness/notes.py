"""What every part of the witness has at hand: the stored documents, the message that is being handled, its notes."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from shared.ports import Document, WireMessage

if TYPE_CHECKING:
    from simulation.world import World


@dataclass(eq=False, slots=True)
class Delivery:
    """The handling of one message. `began`: after so many writes; `at`: by the clock of the context that handles it;
    `has_acted`: wrote or sent something; `is_postponed`: the same message is on its way once more; `knows`: the
    provider's intents of which it was told."""

    message: WireMessage
    began: int
    at: datetime
    has_acted: bool = False
    is_postponed: bool = False
    knows: set[str] = field(default_factory=set)

    @property
    def short_since(self) -> datetime | None:
        """When this command to reserve first found a line short."""
        return self._moment("shortSince")

    @property
    def is_past_its_time(self) -> bool:
        """Whether its order had given up before."""
        return self.has_given_up(self.at)

    def has_given_up(self, now: datetime) -> bool:
        """Whether its order has."""
        gives_up_at = self._moment("giveUpAt")
        return gives_up_at is not None and gives_up_at <= now

    def _moment(self, name: str) -> datetime | None:
        moment = data_of(self.message).get(name)
        return datetime.fromisoformat(moment) if moment else None


DELIVERY: ContextVar[Delivery | None] = ContextVar("delivery", default=None)
"""What the code that runs is handling; None in a request, a sweep or a test."""
SWEEP_BEGAN: ContextVar[int] = ContextVar("sweep_began")
"""After how many writes the sweep began that the code that runs is part of."""


@dataclass(slots=True)
class Notes:
    """The world that is watched, the number of writes so far, the orders that are excused, and what was seen that must
    never be."""

    world: "World"
    writes: int = 0
    excused: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def partition(self, context: str, pk: str) -> Mapping[str, Document]:
        """The documents of a partition, by id."""
        return self.world.containers[context].partition(pk)

    def now(self, context: str) -> datetime:
        """By that context's clock."""
        return self.world.contexts[context].system.now()

    def is_dispatched(self, order_id: str) -> bool:
        """Whether the order's goods have left."""
        shipment = self.partition("shipping", order_id).get(f"shp_{order_id}")
        return shipment is not None and shipment["state"] == "dispatched"

    def note_act(self) -> None:
        """The code that runs has written or sent something."""
        if delivery := DELIVERY.get():
            delivery.has_acted = True


def name_of(message: WireMessage) -> str:
    """What kind of message it is."""
    return str((message.properties or {})["cloudEvents_type"]).split(".")[2]


def data_of(message: WireMessage) -> Document:
    """What it says."""
    data: Document = json.loads(message.body)
    return data
