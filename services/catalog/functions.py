"""Catalog's functions."""

from collections.abc import Callable
from datetime import timedelta

import azure.functions as func

from services.catalog import handlers
from services.catalog.api_page import serve_api_page
from services.catalog.http_models import ImportReport, ProductsImport, ProductView
from services.catalog.repositories import Products
from shared.access import EVERYBODY, Role
from shared.context import BoundedContext
from shared.fields import sku_in_route
from shared.functions import context_blueprint
from shared.http import UNCHANGED, Call, HttpFunctions, Reply
from shared.json_body import MIB
from shared.pages import SigningIn


def blueprint(
    context: BoundedContext, open_products: Callable[[], Products], import_timeout: timedelta, signing_in: SigningIn
) -> func.Blueprint:
    """Every function of the context; `open_products` is called for each request."""
    http = HttpFunctions(context.system, context.authenticator)
    validation = {"currency": context.settings.currency}

    @http.function(
        "POST products/import",
        roles={Role.ADMIN},
        summary="Create, change or delist up to 5,000 products",
        statuses={200: "What became of each product, in order", 422: "Not a list of up to 5,000 products"},
        max_body=8 * MIB,
    )
    async def import_products(call: Call[ProductsImport]) -> Reply[ImportReport]:
        products, refusals = call.body.examined(validation)
        outcomes = await handlers.import_products(products, open_products(), call.actor, context.system, import_timeout)
        return Reply(ImportReport.of(products, outcomes, refusals))

    @http.function(
        "GET products/{sku}",
        roles=EVERYBODY,
        summary="One product, delisted or not",
        statuses={200: "The product, with its ETag", 304: UNCHANGED, 404: "No such product"},
    )
    async def get_product(call: Call[None]) -> Reply[ProductView]:
        product = await handlers.get_product(sku_in_route(call.route), open_products())
        return Reply(ProductView.of(product), headers={"ETag": product.etag})

    serve_api_page(http, signing_in)
    return context_blueprint(http, context)
