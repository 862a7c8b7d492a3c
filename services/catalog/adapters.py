"""Catalog's storage: one partition a product."""

from collections.abc import Sequence
from dataclasses import replace

from services.catalog.domain import Product
from shared.codec import decode, encode
from shared.contracts import Contract
from shared.messaging import first
from shared.outbox import Outbox
from shared.ports import Container, Create, Document, Replace, System

_PRODUCT = "product"


class ProductAdapter:
    """services.catalog.ports.Products. One for each request: it remembers what is still to be published."""

    def __init__(self, container: Container, outbox: Outbox, system: System) -> None:
        self._container = container
        self._outbox = outbox
        self._system = system
        self._unpublished: list[Document] = []

    async def get(self, sku: str) -> Product | None:
        """One product, or None."""
        document = await self._container.read(sku, _PRODUCT)
        return _product(document) if document else None

    async def find(self, skus: Sequence[str]) -> dict[str, Product]:
        """Those of the products that exist, by SKU."""
        documents = await self._container.read_many([(sku, _PRODUCT) for sku in skus])
        return {document["sku"]: _product(document) for document in documents}

    async def put(self, product: Product, event: Contract | None) -> None:
        """Store the product with its event, to be published."""
        document = {"id": _PRODUCT, "pk": product.sku, "kind": _PRODUCT, **encode(product)}
        change = Replace(document, product.etag) if product.etag else Create(document)
        messages = [first(event, product.sku, self._system.now(), product.version)] if event else []
        _, unpublished = await self._outbox.write(product.sku, [change], messages)
        self._unpublished += unpublished

    async def publish(self) -> None:
        """Publish the events of everything that was put, together."""
        unpublished, self._unpublished = self._unpublished, []
        await self._outbox.publish(unpublished)


def _product(document: Document) -> Product:
    return replace(decode(Product, document), etag=document["_etag"])
