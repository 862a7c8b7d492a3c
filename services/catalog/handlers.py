"""Catalog's requests."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import batched

from services.catalog.domain import Product
from services.catalog.ports import Products
from shared.concurrency import for_each
from shared.errors import Contended, not_found
from shared.ports import System
from shared.retry import at_once

_PUBLISHED_TOGETHER = 500


class Outcome(StrEnum):
    """What became of one product of an import."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


async def get_product(sku: str, products: Products) -> Product:
    """One product, delisted or not. Refused with 404."""
    product = await products.get(sku)
    if product is None:
        raise not_found(f"product {sku}")
    return product


async def import_products(imports: Sequence[Product], products: Products, system: System) -> list[Outcome]:
    """Store each product (no SKU twice) and announce what changed; what became of each, in their order.

    A crash half-way leaves some stored, their events in the outbox; importing the same again does the rest. What hasn't
    changed, and was announced over a minute ago, is announced again, so that an import puts others' replicas right.
    """
    outcomes: list[Outcome] = []
    for some in batched(imports, _PUBLISHED_TOGETHER, strict=False):
        stored = await products.find([product.sku for product in some])

        async def one(product: Product, stored: Mapping[str, Product] = stored) -> Outcome:
            return await _import(product, stored, products, system)

        try:
            outcomes += await for_each(some, one)
        finally:
            await products.publish()
    return outcomes


async def _import(product: Product, stored: Mapping[str, Product], products: Products, system: System) -> Outcome:
    try:
        return await _put(product, stored.get(product.sku), products, system)
    except Contended:

        async def read_again() -> Outcome:
            return await _put(product, await products.get(product.sku), products, system)

        return await at_once(read_again, system)


async def _put(product: Product, before: Product | None, products: Products, system: System) -> Outcome:
    now = system.now()
    after = product.imported_over(before, now)
    if after is before:
        if told := before.announcement_to_repeat(now):
            products.announce_again(before, told)
        return Outcome.UNCHANGED
    is_news = before is None or after.announcement != before.announcement
    await products.put(after, after.announcement if is_news else None)
    return Outcome.UPDATED if before else Outcome.CREATED
