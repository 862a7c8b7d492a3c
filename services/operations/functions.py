"""Operations' functions: who reacts to what."""

from functools import partial

import azure.functions as func

from services.operations import asked, handlers, queries
from services.operations.console import serve_console
from services.operations.folding import Folding, get_rebuild, rebuild
from services.operations.http_models import (
    FlowView,
    ParkedEverywhereView,
    ParkedQuery,
    RebuildView,
    RegistryView,
    TimelineView,
)
from shared.access import Role
from shared.audit_trail import report_audit
from shared.context import BoundedContext
from shared.contracts import Contract, Event
from shared.dispatch import Handler, OfMessages
from shared.fields import id_in_route
from shared.functions import drain_dead_letters, drain_queue, sweep_every_minute
from shared.health import report_liveness, report_readiness
from shared.http import API, UNCHANGED, Call, HttpFunctions, Reply
from shared.messaging import catalogue
from shared.pages import SigningIn
from shared.replaying import report_parked
from shared.waits import WaitPage, WaitsQuery


def blueprint(context: BoundedContext, deps: handlers.Dependencies, signing_in: SigningIn) -> func.Blueprint:
    """Every function of the context."""
    functions = func.Blueprint()
    http = HttpFunctions(functions, context.system, context.authenticator)

    @http.function(
        operation="get_timeline",
        method="GET",
        route="operations/orders/{orderId}",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="What became of an order, event by event, and why it is where it is",
        response=TimelineView,
        statuses={
            200: "The timeline, with its ETag",
            304: UNCHANGED,
            404: "No event of such an order is kept, perhaps not yet",
        },
    )
    async def get_timeline(call: Call[None]) -> Reply:
        timeline = await queries.get_timeline(id_in_route(call.route, "orderId"), deps)
        return Reply(TimelineView.of(timeline, await asked.holdings(timeline.order_id, deps.contexts)))

    @http.function(
        operation="list_waiting",
        method="GET",
        route="operations/orders",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="Orders that wait, longest first",
        response=WaitPage,
        statuses={200: "A page of orders, with its ETag", 304: UNCHANGED, 400: "A query parameter is wrong"},
        query=WaitsQuery,
    )
    async def list_waiting(call: Call[None, WaitsQuery]) -> Reply:
        return Reply(await asked.waiting(call.query, deps.contexts))

    @http.function(
        operation="get_registry",
        method="GET",
        route="operations/registry",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="Every context: its release, its functions, and how it is",
        response=RegistryView,
        statuses={200: "What each told, those that gave no answer by name alone", 304: UNCHANGED},
    )
    async def get_registry(call: Call[None]) -> Reply:
        return Reply(RegistryView.of(await asked.readiness(deps.contexts)))

    @http.function(
        operation="list_parked",
        method="GET",
        route="operations/parked",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="The messages that can't succeed, in every context",
        response=ParkedEverywhereView,
        statuses={
            200: "The oldest of each, and who gave no answer",
            304: UNCHANGED,
            400: "A query parameter is wrong",
        },
        query=ParkedQuery,
    )
    async def list_parked(call: Call[None, ParkedQuery]) -> Reply:
        return Reply(ParkedEverywhereView.of(await asked.parked(call.query.subject, deps.contexts)))

    @http.function(
        operation="get_flow",
        method="GET",
        route="operations/flow",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="How orders move: how many wait for what, and what the last hour, day and week had",
        response=FlowView,
        statuses={200: "The flow, with its ETag", 304: UNCHANGED},
    )
    async def get_flow(call: Call[None]) -> Reply:
        return Reply(FlowView.of(await queries.get_flow(deps)))

    @http.function(
        operation="rebuild_sums",
        method="POST",
        route="operations/rebuild",
        roles={Role.ADMIN},
        summary="Build the sums of the flow anew from the events that are kept",
        response=RebuildView,
        statuses={202: "It will be done, or is being done", 422: "A body that says something"},
        sends=["Location"],
    )
    async def rebuild_sums(call: Call[None]) -> Reply:
        view = RebuildView.of(await rebuild(call.actor, deps))
        return Reply(view, 202, {"Location": f"{API}/operations/rebuild"})

    @http.function(
        operation="get_rebuild",
        method="GET",
        route="operations/rebuild",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="How far the last rebuild is",
        response=RebuildView,
        statuses={200: "The rebuild", 404: "There was none"},
    )
    async def look_at_rebuild(call: Call[None]) -> Reply:
        return Reply(RebuildView.of(await get_rebuild(deps)))

    serve_console(http, signing_in)
    record = OfMessages(partial(handlers.record, deps=deps))
    wanted: dict[type[Contract], Handler] = {each: record for each in catalogue().values() if issubclass(each, Event)}
    drain_queue(functions, context, "operations", "operations_messages", wanted)
    drain_dead_letters(functions, context)
    sweep_every_minute(functions, context, Folding(deps).run)
    report_audit(http, context)
    report_parked(http, context)
    report_liveness(http, context.name)
    report_readiness(functions, http, context, "operations")
    return functions
