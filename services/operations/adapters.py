"""Operations' storage: each event a document in its order's partition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.operations.domain import Recorded
from shared.codec import decode, encode
from shared.ports import Condition, Container, Create, Document, Query


class EventAdapter:
    """services.operations.ports.Events: what is kept goes by itself, later than anybody needs it."""

    def __init__(self, container: Container, keep: timedelta) -> None:
        self._container = container
        # An event tells of what happened up to `keep` later, and that of a day as long ago: see decision 24.
        self._ttl = int((2 * keep + timedelta(days=2)).total_seconds())

    async def add(self, event: Recorded) -> None:
        """Keep a new one. Raises AlreadyExists."""
        # What is no order's has a partition that no order's id can name.
        pk = event.order_id or f"{event.context}:{event.subject}"
        document = {"id": f"event:{event.event_id}", "pk": pk, "kind": "event", "ttl": self._ttl, **encode(event)}
        await self._container.write(pk, [Create(document)])

    async def of_order(self, order_id: str, most: int) -> Sequence[Recorded]:
        """So many of an order's, in any order."""
        of = (Condition("pk", "=", order_id),)
        found = map(_recorded, await self._container.find(Query("event", of, limit=most)))
        return [event for event in found if event.order_id == order_id]


def _recorded(document: Document) -> Recorded:
    return replace(decode(Recorded, document), recorded_at=document["_ts"])
