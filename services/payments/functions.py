"""Payments' functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.payments import handlers
from services.payments.http_models import IntentsQuery, ListedIntentPage, ListedIntentView, PaymentView
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts.payments import AuthorisePayment, CapturePayment, VoidPayment
from shared.fields import id_in_route
from shared.functions import context_blueprint
from shared.http import Call, HttpFunctions, Reply
from shared.paging import Paging


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

    @http.function(
        "GET payments",
        operation="list_intents",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="The payment provider's own list of what was created in a time, newest first",
        statuses={200: "A page of intents", 400: "A query parameter is wrong"},
    )
    async def list_intents(call: Call[None, IntentsQuery]) -> Reply[ListedIntentPage]:
        paging, asked = Paging(call, "payments"), call.query
        after = paging.after and paging.after[1]
        found = await handlers.list_intents(asked.created_from, asked.created_until, after, asked.limit, deps)
        next_link = paging.next_link([(each.created_at, each.intent.id) for each, _ in found])
        return Reply(ListedIntentPage(value=[ListedIntentView.of(*each) for each in found], next_link=next_link))

    handle = partial(handlers.handle, deps=deps)
    commands = {AuthorisePayment: handle, VoidPayment: handle, CapturePayment: handle}
    return context_blueprint(http, context, {"payments": commands})
