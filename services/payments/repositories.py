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

    async def find(self, order_ids: Collection[str]) -> list[Payment]:
        """Those of these orders that there are, in any order, in one request."""
        return await self._read_many([(order_id, "payment") for order_id in order_ids])

    def _document(self, payment: Payment) -> Document:
        return {"id": "payment", "pk": payment.order_id, "kind": "payment", **encode(payment)}
