"""Catalog's storage: one partition a product."""

from collections.abc import Sequence

from services.catalog.domain import Announced, Announcement, Product
from shared.audit import AuditEntry
from shared.codec import encode
from shared.contracts.catalog import PriceChanged, ProductDelisted, ProductListed
from shared.errors import Unparseable
from shared.messaging import Message, first
from shared.outbox import Outbox, Unpublished
from shared.ports import Container
from shared.repository import restored, storing
from shared.telemetry import log_event

_PRODUCT = "product"
_EVENTS = {
    Announced.LISTED: ProductListed,
    Announced.PRICE_CHANGED: PriceChanged,
    Announced.DELISTED: ProductDelisted,
}


class Products:
    """The catalogue. One for each request: it remembers what is still to be published."""

    def __init__(self, container: Container, outbox: Outbox) -> None:
        self._container = container
        self._outbox = outbox
        self._unpublished: list[Unpublished] = []
        self._repeated: list[Message] = []

    async def get(self, sku: str) -> Product | None:
        """One product, or None."""
        document = await self._container.read(sku, _PRODUCT)
        return restored(Product, document) if document else None

    async def find(self, skus: Sequence[str]) -> dict[str, Product]:
        """Those of the products that exist, by SKU; without any that can't be read, which `get` raises for."""
        found = {}
        for document in await self._container.read_many([(sku, _PRODUCT) for sku in skus]):
            try:
                found[document["pk"]] = restored(Product, document)
            except Unparseable as fault:
                log_event("unreadable_document", "product %s is left out: %s", document["pk"], fault)
        return found

    async def put(self, product: Product, announcement: Announcement | None, audit: AuditEntry | None) -> None:
        """Store the product, new or over the one that was read, with who did it and what is announced of it, with
        `publish`.

        Raises AlreadyExists or ConditionFailed when it has changed since it was read.
        """
        document = {"id": _PRODUCT, "pk": product.sku, "kind": _PRODUCT, **encode(product)}
        messages = [_message(product, announcement)] if announcement else []
        _, unpublished = await self._outbox.write(product.sku, [storing(document, product.etag)], messages, audit)
        self._unpublished += unpublished

    def announce_again(self, product: Product, announcement: Announcement) -> None:
        """Tell with `publish` once more what was told of a product that hasn't changed."""
        self._repeated.append(_message(product, announcement))

    async def publish(self) -> None:
        """Publish, together, what is to be announced of everything that was put. Then what is announced again: raises
        Unavailable or Throttled where that can't be."""
        unpublished, self._unpublished = self._unpublished, []
        repeated, self._repeated = self._repeated, []
        await self._outbox.publish(unpublished)
        await self._outbox.publish_again(*repeated)


def _message(product: Product, announcement: Announcement) -> Message:
    """The event, the same one whenever it is made: others' replicas go by the version that it names."""
    state = (product.sku, product.price, product.currency, product.listed, announcement.version)
    return first(_EVENTS[announcement.event](*state), product.sku, announcement.at, announcement.version)
