"""Payments' functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.payments import handlers
from services.payments.http_models import IntentsQuery, ListedIntentPage, ListedIntentView, PaymentsPage, PaymentView
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts.payments import AuthorisePayment, CapturePayment, VoidPayment
from shared.fields import ids_in_route
from shared.functions import context_blueprint
from shared.http import Call, HttpFunctions, Reply
from shared.paging import Paging


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "GET payments/{orderIds}",
        operation="get_payments",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="The payments of these orders, with what the provider says of them",
        statuses={200: "Those of them that there are", 400: "`invalid-query`: they are too many"},
    )
    async def get_payments(call: Call[None]) -> Reply[PaymentsPage]:
        found = await handlers.get_payments(ids_in_route(call.route, "orderIds"), deps)
        return Reply(PaymentsPage(value=[PaymentView.of(*each) for each in found]))

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
