"""Payments' functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.payments import handlers
from services.payments.http_models import PaymentView
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts.payments import AuthorisePayment, CapturePayment, VoidPayment
from shared.fields import id_in_route
from shared.functions import context_blueprint
from shared.http import Call, HttpFunctions, Reply


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "GET payments/{orderId}",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="The payment of an order, with what the provider says of it",
        statuses={200: "The payment", 404: "No such payment, perhaps not yet"},
    )
    async def get_payment(call: Call[None]) -> Reply[PaymentView]:
        return Reply(PaymentView.of(*await handlers.get_payment(id_in_route(call.route, "orderId"), deps)))

    handle = partial(handlers.handle, deps=deps)
    commands = {AuthorisePayment: handle, VoidPayment: handle, CapturePayment: handle}
    return context_blueprint(http, context, {"payments": commands})
