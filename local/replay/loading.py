"""Brings the planned catalogue and stock into the store, and waits until orders knows every price."""

import asyncio
from itertools import batched
from typing import Any
from urllib.parse import quote

from local.replay.client import ADMIN, WAREHOUSE, Api, RefusedError, UnansweredError, each, explain
from local.replay.plan import Plan, Product
from local.replay.progress import Gauge

PRODUCTS_A_REQUEST = 500
_AT_A_TIME = 8
_PATIENCE = 600.0


async def load(api: Api, plan: Plan, gauge: Gauge) -> list[str]:
    """Imports what isn't there yet; the products that the catalogue refused, with its reasons.

    RefusedError where a whole request is refused, UnansweredError where prices stop arriving."""
    refused = await _import(api, plan, gauge)
    wanted = [product for product in plan.products.values() if product.sku not in refused]
    gauge.begin("stock", len(plan.stock))
    await each(plan.stock.items(), _AT_A_TIME, lambda item: _stock(api, *item, gauge))
    gauge.begin("prices", len(wanted))
    await each(wanted, _AT_A_TIME, lambda product: _price(api, product, plan.currency, gauge))
    return list(refused.values())


async def _import(api: Api, plan: Plan, gauge: Gauge) -> dict[str, str]:
    everything = list(plan.products.values())
    gauge.begin("products", len(everything))
    refused = {}
    for some in batched(everything, PRODUCTS_A_REQUEST, strict=False):
        listed = [
            {"sku": product.sku, "name": product.name, "price": _money(product, plan.currency)} for product in some
        ]
        while listed:
            response = await api.call(ADMIN, "POST", "products/import", {"products": listed})
            if response.status_code != 200:
                raise RefusedError(f"The catalogue refused the import: {explain(response)}")
            results = response.json()["results"]
            for result in results:
                if result["status"] == "refused":
                    refused[result["sku"]] = f"product {result['sku']}: {result.get('errors')}"
            pairs = zip(listed, results, strict=True)
            failed = [product for product, result in pairs if result["status"] == "failed"]
            if done := len(listed) - len(failed):
                gauge.step("products", done)
            elif gauge.idle("products") > _PATIENCE:
                raise UnansweredError(f"The catalogue could store no product for {_PATIENCE:.0f} s: {results[0]}")
            else:
                await asyncio.sleep(1.0)
            listed = failed
    return refused


async def _stock(api: Api, sku: str, on_hand: int, gauge: Gauge) -> None:
    response = await api.call(
        WAREHOUSE, "PUT", f"stock/{quote(sku, safe='')}", {"onHand": on_hand}, {"If-None-Match": "*"}
    )
    if response.status_code not in (200, 201, 204, 412):
        raise RefusedError(f"Inventory refused a stock of {on_hand} for {sku}: {explain(response)}")
    gauge.step("stock")


async def _price(api: Api, product: Product, currency: str, gauge: Gauge) -> None:
    pause = 0.1
    while True:
        response = await api.call(ADMIN, "GET", f"prices/{quote(product.sku, safe='')}")
        if response.status_code == 200:
            known = response.json()
            if known["price"] == _money(product, currency) and known["listed"]:
                break
        elif response.status_code != 404:
            raise RefusedError(f"Orders refused to tell the price of {product.sku}: {explain(response)}")
        if gauge.idle("prices") > _PATIENCE:
            raise UnansweredError(
                f"Orders has not learnt the price of {product.sku}: no price came for {_PATIENCE:.0f} s"
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)
    gauge.step("prices")


def _money(product: Product, currency: str) -> dict[str, Any]:
    return {"amount": product.price, "currency": currency}
