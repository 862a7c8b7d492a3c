"""Catalog's requests."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import batched

from services.catalog.domain import Product
from services.catalog.repositories import Products
from shared.audit import Actor, Recorded
from shared.concurrency import for_each
from shared.errors import Contended, Throttled, Transient, Unparseable, not_found
from shared.ports import System
from shared.retry import at_once
from shared.telemetry import log

_PUBLISHED_TOGETHER = 500


class Outcome(StrEnum):
    """What became of one product of an import."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Failure(StrEnum):
    """Why one product of an import could not be dealt with. Imported again, it may be."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    CONTENDED = "contended"
    UNREADABLE = "unreadable"
    OUT_OF_TIME = "out_of_time"


async def get_product(sku: str, products: Products) -> Product:
    """One product, delisted or not. Refused with 404."""
    product = await products.get(sku)
    if product is None:
        raise not_found(f"product {sku}")
    return product


async def import_products(
    imports: Sequence[Product], products: Products, by: Actor, system: System, timeout: timedelta
) -> list[Outcome | Failure]:
    """Store each product (no SKU twice) and announce what changed; what became of each, in their order.

    A crash half-way leaves some stored, their events in the outbox; importing the same again does the rest. What hasn't
    changed, and was announced over a minute ago, is announced again, so that an import puts others' replicas right.

    A store that asks for fewer requests is waited for, until the timeout. Whatever one product fails for, the others
    are imported. What this request has stored already, and tries again since the answer was lost, is not stored again.
    """
    deadline = system.now() + timeout
    outcomes: list[Outcome | Failure] = []
    for some in batched(imports, _PUBLISHED_TOGETHER, strict=False):
        outcomes += await _import_together(some, products, by, system, deadline)
    if failures := Counter(each for each in outcomes if isinstance(each, Failure)):
        log.warning("of %d products, not imported: %s", len(imports), dict(failures))
    return outcomes


async def _import_together(
    some: Sequence[Product], products: Products, by: Actor, system: System, deadline: datetime
) -> list[Outcome | Failure]:
    async def in_time[T](work: Callable[[], Awaitable[T]]) -> T | Failure:
        """What the work results in, or why it couldn't be done; nothing begins after the deadline."""
        failure = Failure.OUT_OF_TIME
        while system.now() < deadline:
            try:
                return await work()
            except Throttled as throttled:
                failure = Failure.THROTTLED
                await system.sleep(throttled.wait * (1 + system.random() / 2))
            except Transient:
                return Failure.UNAVAILABLE
            except Contended:
                return Failure.CONTENDED
            except Unparseable:
                return Failure.UNREADABLE
        return failure

    stored = await in_time(lambda: products.find([product.sku for product in some]))
    if isinstance(stored, Failure):
        return [stored] * len(some)

    async def import_one(product: Product) -> Outcome | Failure:
        return await in_time(lambda: _import(product, stored, products, by, system))

    try:
        outcomes = await for_each(some, import_one)
    finally:
        unannounced = await _unannounced(products)
    return [unannounced if unannounced and each is Outcome.UNCHANGED else each for each in outcomes]


async def _unannounced(products: Products) -> Failure | None:
    """Why what hasn't changed could not be announced again. What has changed, the outbox keeps."""
    try:
        await products.publish()
    except Transient:
        return Failure.UNAVAILABLE
    return None


async def _import(
    product: Product, stored: Mapping[str, Product], products: Products, by: Actor, system: System
) -> Outcome:
    try:
        return await _put(product, stored.get(product.sku), products, by, system)
    except Contended:

        async def read_again() -> Outcome:
            return await _put(product, await products.get(product.sku), products, by, system)

        return await at_once(read_again, system)


async def _put(product: Product, before: Product | None, products: Products, by: Actor, system: System) -> Outcome:
    if before and (version := before.version_of(by.request_id)):
        return Outcome.CREATED if version == 1 else Outcome.UPDATED
    now = system.now()
    after = product.imported_over(before, by.request_id, now)
    if after is before:
        if told := before.announcement_to_repeat(now):
            products.announce_again(before, told)
        return Outcome.UNCHANGED
    is_news = before is None or after.announcement != before.announcement
    audit = by.changed("product", after.sku, _recorded(before), _recorded(after))
    await products.put(after, after.announcement if is_news else None, audit)
    return Outcome.UPDATED if before else Outcome.CREATED


def _recorded(product: Product | None) -> Recorded:
    """What the audit sees of a product."""
    if product is None:
        return {}
    return {
        "name": product.name,
        "price": product.price,
        "currency": product.currency,
        "listed": product.listed,
    }
