"""Operations' functions: who reacts to what."""

import asyncio
from functools import partial

import azure.functions as func

from services.operations import asked, handlers, queries
from services.operations.console import serve_console
from services.operations.folding import Folding, get_rebuild, rebuild
from services.operations.http_models.contexts import (
    DisagreementPage,
    ParkedEverywhereView,
    RegistryView,
)
from services.operations.http_models.flow import FlowView, RebuildView
from services.operations.http_models.timeline import TimelineView
from services.operations.reconciling import Reconciling, let_be
from shared.access import Role
from shared.context import BoundedContext
from shared.contracts import Contract, Event
from shared.dispatch import Handler, OfMessages
from shared.fields import id_in_route
from shared.functions import context_blueprint
from shared.http import API, UNCHANGED, Call, HttpFunctions, Reply
from shared.messaging import catalogue
from shared.pages import SigningIn
from shared.paging import PageParameters, Paging
from shared.replaying import DiscardParameters, DiscardView, SubjectParameters
from shared.waits import WaitPage, WaitsQuery


def blueprint(context: BoundedContext, deps: handlers.Dependencies, signing_in: SigningIn) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "GET operations/orders/{orderId}",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="What became of an order, event by event, and why it is where it is",
        statuses={
            200: "The timeline, with its ETag",
            304: UNCHANGED,
            404: "No event of such an order is kept, perhaps not yet",
        },
    )
    async def get_timeline(call: Call[None]) -> Reply[TimelineView]:
        timeline = await queries.get_timeline(id_in_route(call.route, "orderId"), deps)
        id, contexts = timeline.order_id, deps.contexts
        said, parked, found = await asyncio.gather(
            asked.holdings([id], contexts), asked.parked(id, contexts), deps.disagreements.get(id)
        )
        return Reply(TimelineView.of(timeline, asked.HoldingsView.of(id, said), parked, found))

    @http.function(
        "GET operations/orders",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="Orders that wait, longest first",
        statuses={200: "A page of orders, with its ETag", 304: UNCHANGED, 400: "A query parameter is wrong"},
    )
    async def list_waiting(call: Call[None, WaitsQuery]) -> Reply[WaitPage]:
        return Reply(await asked.waiting(call.query, deps.contexts))

    @http.function(
        "GET operations/registry",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="Every context: its release, its functions, and how it is",
        statuses={200: "What each told, those that gave no answer by name alone", 304: UNCHANGED},
    )
    async def get_registry(call: Call[None]) -> Reply[RegistryView]:
        return Reply(RegistryView.of(await asked.readiness(deps.contexts)))

    @http.function(
        "GET operations/parked",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="The messages that can't succeed, in every context",
        statuses={
            200: "The oldest of each, and who gave no answer",
            304: UNCHANGED,
            400: "A query parameter is wrong",
        },
    )
    async def list_parked(call: Call[None, SubjectParameters]) -> Reply[ParkedEverywhereView]:
        return Reply(ParkedEverywhereView.of(await asked.parked(call.query.subject, deps.contexts)))

    @http.function(
        "GET operations/flow",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="How orders move: how many wait for what, and what the last hour, day and week had",
        statuses={200: "The flow, with its ETag", 304: UNCHANGED},
    )
    async def get_flow(call: Call[None]) -> Reply[FlowView]:
        return Reply(FlowView.of(await queries.get_flow(deps)))

    @http.function(
        "POST operations/rebuild",
        roles={Role.ADMIN},
        summary="Build the sums of the flow anew from the events that are kept",
        statuses={202: "It will be done, or is being done", 422: "A body that says something"},
        sends=["Location"],
    )
    async def rebuild_sums(call: Call[None]) -> Reply[RebuildView]:
        view = RebuildView.of(await rebuild(call.actor, deps))
        return Reply(view, 202, {"Location": f"{API}/operations/rebuild"})

    @http.function(
        "GET operations/rebuild",
        operation="get_rebuild",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="How far the last rebuild is",
        statuses={200: "The rebuild", 404: "There was none"},
    )
    async def look_at_rebuild(call: Call[None]) -> Reply[RebuildView]:
        return Reply(RebuildView.of(await get_rebuild(deps)))

    @http.function(
        "GET operations/disagreements",
        roles={Role.SUPPORT, Role.ADMIN},
        summary="What the contexts don't agree about, oldest first",
        statuses={200: "A page, with its ETag", 304: UNCHANGED, 400: "A query parameter is wrong"},
    )
    async def list_disagreements(call: Call[None, PageParameters]) -> Reply[DisagreementPage]:
        paging = Paging(call, "operations/disagreements")
        found = await deps.disagreements.open(paging.after, call.query.limit)
        return Reply(DisagreementPage.of(found, paging.next_link([(each.found_at, each.id) for each in found])))

    @http.function(
        "DELETE operations/disagreements/{disagreementId}",
        roles={Role.ADMIN},
        summary="Let a disagreement be, for a reason, until something else differs",
        statuses={
            200: "It is let be, by this reason or by that of whoever was first",
            400: "There is no reason",
            404: "Nothing disagrees about that, or not any more",
            422: "A body that says something",
        },
    )
    async def let_disagreement_be(call: Call[None, DiscardParameters]) -> Reply[DiscardView]:
        id = id_in_route(call.route, "disagreementId")
        done = await let_be(id, call.query.reason, call.actor, deps)
        return Reply(DiscardView(id=done.id, reason=done.reason or ""))

    serve_console(http, signing_in)
    record = OfMessages(partial(handlers.record, deps=deps))
    wanted: dict[type[Contract], Handler] = {each: record for each in catalogue().values() if issubclass(each, Event)}
    sweeps = Folding(deps).run, Reconciling(deps).run
    return context_blueprint(http, context, {"operations": wanted}, *sweeps, sends_to="operations")
