"""Payments' storage: one document in each order's partition."""

from collections.abc import Collection

from services.payments.domain import Payment
from shared.codec import encode
from shared.ports import Document
from shared.repository import Repository


class Payments(Repository[Payment]):
    """One payment an order."""

    aggregate = Payment

    async def get(self, order_id: str) -> Payment | None:
        """The payment of an order, or None."""
        return await self._read(order_id, "payment")

    async def intents(self, order_ids: Collection[str]) -> dict[str, str | None]:
        """The intents that the payments of these orders name, by order; without those that have no payment."""
        found = await self._container.read_many([(order_id, "payment") for order_id in sorted(order_ids)])
        return {document["pk"]: document.get("intentId") for document in found}

    def _document(self, payment: Payment) -> Document:
        return {"id": "payment", "pk": payment.order_id, "kind": "payment", **encode(payment)}
