"""Payments' functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.payments import handlers
from services.payments.http_models import PaymentView
from shared.access import Role
from shared.audit_trail import report_audit
from shared.context import BoundedContext
from shared.contracts.payments import AuthorisePayment, CapturePayment, VoidPayment
from shared.fields import id_in_route
from shared.functions import drain_dead_letters, drain_queue, sweep_every_minute
from shared.health import report_liveness, report_readiness
from shared.http import Call, HttpFunctions, Reply
from shared.replaying import report_parked


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    functions = func.Blueprint()
    http = HttpFunctions(functions, context.system, context.authenticator)

    @http.function(
        operation="get_payment",
        method="GET",
        route="payments/{orderId}",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="The payment of an order, with what the provider says of it",
        response=PaymentView,
        statuses={200: "The payment", 404: "No such payment, perhaps not yet"},
    )
    async def get_payment(call: Call[None]) -> Reply:
        return Reply(PaymentView.of(*await handlers.get_payment(id_in_route(call.route, "orderId"), deps)))

    handle = partial(handlers.handle, deps=deps)
    commands = {AuthorisePayment: handle, VoidPayment: handle, CapturePayment: handle}
    drain_queue(functions, context, "payments", "payments_messages", commands)
    drain_dead_letters(functions, context)
    sweep_every_minute(functions, context)
    report_audit(http, context)
    report_parked(http, context)
    report_liveness(http, context.name)
    report_readiness(functions, http, context)
    return functions
