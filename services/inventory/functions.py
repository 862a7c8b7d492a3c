"""Inventory's functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.inventory import handlers
from services.inventory.http_models import ReservationsPage, ReservationsView, ReservedView, StockCount, StockView
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts.inventory import CommitStock, ReleaseStock, ReserveStock
from shared.fields import ids_in_route, sku_in_route
from shared.functions import context_blueprint
from shared.http import UNCHANGED, Call, HttpFunctions, Reply
from shared.messaging import derived_id


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "GET stock/{sku}",
        roles={Role.WAREHOUSE, Role.SUPPORT, Role.ADMIN},
        summary="How many of a product there are",
        statuses={200: "The stock item, with its ETag", 304: UNCHANGED, 404: "No such stock item"},
    )
    async def get_stock(call: Call[None]) -> Reply[StockView]:
        item = await handlers.get_stock(sku_in_route(call.route), deps.stock)
        return Reply(StockView.of(item), headers={"ETag": item.etag})

    @http.function(
        "PUT stock/{sku}",
        roles={Role.WAREHOUSE, Role.ADMIN},
        summary="Set how many of a product are in the house; under an Idempotency-Key once, however often it is sent",
        statuses={
            200: "Counted",
            201: "Counted for the first time",
            409: "`below-reserved`: fewer than are set aside for orders",
            412: "If-Match or If-None-Match does not hold",
            422: "A field is wrong, or `idempotency-key-reused`: the key was used for another count",
        },
        sends=["ETag"],
        conditional=True,
    )
    async def put_stock(call: Call[StockCount]) -> Reply[StockView]:
        sku, key = sku_in_route(call.route), call.idempotency_key
        # A key is its caller's own: another's of the same name names another count.
        count_id = derived_id("count", call.caller.subject, sku, key) if key else call.request_id
        item, new = await handlers.count_stock(
            sku, call.body.on_hand, deps.stock, call.preconditions, count_id, call.actor
        )
        return Reply(StockView.of(item), 201 if new else 200, {"ETag": item.etag} if item.etag else {})

    @http.function(
        "GET stock/{sku}/reserved",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="How many of a product are set aside, by its item and by its reservations",
        statuses={200: "Both; nothing of either where it was never counted"},
    )
    async def get_reserved(call: Call[None]) -> Reply[ReservedView]:
        return Reply(ReservedView.of(*await handlers.get_reserved(sku_in_route(call.route), deps)))

    @http.function(
        "GET reservations/{orderIds}",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="What is set aside for these orders, or was",
        statuses={
            200: "What was decided, and each line, of those about which anything was",
            400: "`invalid-query`: they are too many",
        },
    )
    async def get_reservations(call: Call[None]) -> Reply[ReservationsPage]:
        found = await handlers.get_reservations(ids_in_route(call.route, "orderIds"), deps)
        return Reply(ReservationsPage(value=[ReservationsView.of(*each) for each in found]))

    handle = partial(handlers.handle, deps=deps)
    commands = {ReserveStock: handle, ReleaseStock: handle, CommitStock: handle}
    return context_blueprint(http, context, {"inventory": commands})
