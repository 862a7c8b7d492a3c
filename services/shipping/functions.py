"""Shipping's functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.shipping import handlers
from services.shipping.domain import Shipment
from services.shipping.http_models import CorrectionPatch, DispatchNote, ShipmentPage, ShipmentsQuery, ShipmentView
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts.customers import CustomerForgotten
from shared.contracts.shipping import CancelShipment, CreateShipment
from shared.fields import id_in_route
from shared.functions import Queues, context_blueprint
from shared.http import UNCHANGED, Call, HttpFunctions, Reply
from shared.paging import Paging


def _reply(shipment: Shipment) -> Reply[ShipmentView]:
    return Reply(ShipmentView.of(shipment), headers={"ETag": shipment.etag})


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "GET shipments",
        roles={Role.WAREHOUSE, Role.SUPPORT, Role.ADMIN},
        summary="Shipments in some states, of some carriers, oldest first",
        statuses={200: "A page of shipments", 400: "A query parameter is wrong"},
    )
    async def list_shipments(call: Call[None, ShipmentsQuery]) -> Reply[ShipmentPage]:
        paging = Paging(call, "shipments")
        shipments = await deps.shipments.page(call.query.wanted, paging.after, call.query.limit)
        next_link = paging.next_link([(each.created_at, each.id) for each in shipments])
        return Reply(ShipmentPage(value=[ShipmentView.of(each) for each in shipments], next_link=next_link))

    @http.function(
        "GET shipments/{shipmentId}",
        roles={Role.WAREHOUSE, Role.SUPPORT, Role.ADMIN},
        summary="One shipment",
        statuses={200: "The shipment, with its ETag", 304: UNCHANGED, 404: "No such shipment"},
    )
    async def get_shipment(call: Call[None]) -> Reply[ShipmentView]:
        return _reply(await handlers.get_shipment(id_in_route(call.route, "shipmentId"), deps))

    @http.function(
        "POST shipments/{shipmentId}/dispatch",
        roles={Role.WAREHOUSE, Role.ADMIN},
        summary="The goods are on their way",
        statuses={
            200: "Dispatched, now or before with the same data",
            404: "No such shipment, perhaps not yet",
            409: "`cannot-dispatch`: cancelled, or dispatched with other data; or `payment-lapsed`",
        },
        sends=["ETag"],
    )
    async def dispatch_shipment(call: Call[DispatchNote]) -> Reply[ShipmentView]:
        note = call.body
        id = id_in_route(call.route, "shipmentId")
        risky = note.accept_payment_risk
        return _reply(
            await handlers.dispatch(id, note.carrier, note.tracking_number, call.actor, deps, accept_risk=risky)
        )

    @http.function(
        "PATCH shipments/{shipmentId}",
        roles={Role.WAREHOUSE, Role.ADMIN},
        summary="Put right what was typed at the dispatch",
        statuses={
            200: "As it was asked for, now or before",
            404: "No such shipment, perhaps not yet",
            409: "`cannot-correct`: it wasn't dispatched",
            412: "If-Match does not hold",
        },
        sends=["ETag"],
        conditional=True,
    )
    async def correct_shipment(call: Call[CorrectionPatch]) -> Reply[ShipmentView]:
        right = call.body
        id = id_in_route(call.route, "shipmentId")
        corrected = await handlers.correct(
            id, right.carrier, right.tracking_number, call.preconditions, call.actor, deps
        )
        return _reply(corrected)

    handle = partial(handlers.handle, deps=deps)
    forget = partial(handlers.forget, deps=deps)
    queues: Queues = {"shipping": {CreateShipment: handle, CancelShipment: handle, CustomerForgotten: forget}}
    return context_blueprint(http, context, queues)
