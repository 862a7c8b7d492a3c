"""What is parked in a context, as people see to it: support and admins list it, admins replay or discard it.

A replay is one batch: the parked document goes, under its ETag, the outbox has the same fact or command under a fresh
message id, and the audit has who wished it. So it happens once, however often and by however many it is asked for, and
of an order whose customer is forgotten meanwhile no word comes back. It goes to the queue of this context that takes
its type now, with the count of its attempts at nought: what fails again is parked again.

The list tells nothing of a message but its type and its subject, and those of messages of ours alone.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from shared.access import Role
from shared.audit import audit_id
from shared.codec import decode, encode, parse_rfc3339
from shared.context import BoundedContext
from shared.contracts import Contract
from shared.errors import MessageTooLarge, Refused, Unparseable, sentence
from shared.fields import Flag, Moment, OptionalText, Parameters, Text, View, id_in_route, optional
from shared.http import UNCHANGED, Call, HttpFunctions, Reply
from shared.listing import find_readable, keyset
from shared.messaging import Message, again, derived_id, from_wire, to_wire
from shared.outbox import OUTBOX, Unpublished
from shared.paging import Page, PageParameters, Paging
from shared.parking import PARKED, Parked, parked_of
from shared.ports import Condition, Delete, Document, Query

_OURS = re.compile(r"orderflow\.[a-z0-9]{1,50}\.[A-Za-z]{1,50}\.v[0-9]{1,4}")


class SubjectParameters(Parameters):
    """Of which order."""

    subject: OptionalText = None
    """Only what is about this order, or product."""


class ParkedParameters(SubjectParameters, PageParameters):
    """A page, of which order."""


class ReplayParameters(Parameters):
    """Whether it is to be done."""

    dry_run: Flag = False
    """Only say what would be done. False where left out."""


class DiscardParameters(Parameters):
    """Why it is."""

    reason: Annotated[Text, Field(examples=["Paid by hand"])]
    """Why it isn't needed any more, for the audit. Name nobody in it."""


class ParkedView(View):
    """A message that can't succeed, without its words."""

    id: str
    queue: str
    """The one that it came from; `outbox` where it is one of ours that could not be published."""
    type: str | None = optional()
    subject: str | None = optional()
    """The order, or the product, that it is about; type and subject are left out of what isn't a message of ours."""
    reason: str
    attempts: int
    occurrences: int
    """How often it has come, the first time included."""
    is_broken_promise: bool
    """Whether what comes again of it completes without being handled, until somebody has seen to it."""
    is_forgotten: bool
    """Whether its words are gone, with the order's customer: it can be discarded, and not replayed."""
    parked_at: Moment
    last_parked_at: Moment

    @classmethod
    def of(cls, parked: Parked) -> "ParkedView":
        """What is told of it."""
        of = {"id": parked.pk, "isForgotten": parked.is_forgotten}
        return cls.model_validate(encode(parked) | of | _about(parked))


class ParkedPage(Page[ParkedView]):
    """Some of what is parked, and where more is."""


class ReplayView(View):
    """Where the message goes, as which fact or command, and by which sending."""

    id: str
    sent_to: str
    event_id: str
    message_id: str | None = optional()
    """Left out of a dry run."""


class DiscardView(View):
    """What was discarded, and why."""

    id: str
    reason: str


def report_parked(http: HttpFunctions, context: BoundedContext, queues: Mapping[type[Contract], str]) -> None:
    """Register `<context>_parked`, `<context>_replay` and `<context>_discard`. `queues` names the one of each contract
    that the context takes; another's goes to that of its own name."""
    route = f"parked/{context.name}"
    gone = "Nothing of that id is parked: it was replayed or discarded, or its time is over"

    @http.function(
        f"GET {route}",
        operation=f"{context.name}_parked",
        roles={Role.OPERATIONS, Role.SUPPORT, Role.ADMIN},
        summary=f"The messages that can't succeed in {context.name}, oldest first",
        statuses={200: "A page of them, with its ETag", 304: UNCHANGED, 400: "A query parameter is wrong"},
    )
    async def parked(call: Call[None, ParkedParameters]) -> Reply[ParkedPage]:
        paging, of = Paging(call, route), call.query.subject
        about = (Condition("subject", "=", of),) if of else ()
        query = Query("parked", about, ("parkedAt", "pk"), keyset(paging.after), call.query.limit)
        found = await find_readable(context.container, query, {}, _view)
        next_link = paging.next_link([(parse_rfc3339(each.parked_at), each.id) for each in found])
        return Reply(ParkedPage(value=found, next_link=next_link))

    @http.function(
        f"POST {route}/{{parkedId}}/replay",
        operation=f"{context.name}_replay",
        roles={Role.ADMIN},
        summary=f"Have a message that is parked in {context.name} handled again",
        statuses={
            200: "What would be done",
            202: "On its way",
            404: gone,
            409: "`cannot-replay`: it can't be read, or is forgotten",
            422: "A body that says something",
        },
    )
    async def replay(call: Call[None, ReplayParameters]) -> Reply[ReplayView]:
        found = await _found(call, context)
        if not isinstance(found, Parked):
            return Reply(ReplayView.model_validate(found), 202)
        message = _message(found, derived_id("replay", call.request_id, found.pk), context.name, queues)
        view = ReplayView(id=found.pk, sent_to=message.destination, event_id=message.event_id)
        if call.query.dry_run:
            return Reply(view)
        view = view.model_copy(update={"message_id": message.id})
        after = {"status": "replayed", **view.model_dump(by_alias=True, exclude={"id"})}
        await _see_to(call, found, after, context, message)
        return Reply(view, 202)

    @http.function(
        f"DELETE {route}/{{parkedId}}",
        operation=f"{context.name}_discard",
        roles={Role.ADMIN},
        summary=f"Discard a message that is parked in {context.name}, for a reason",
        statuses={200: "Discarded", 400: "There is no reason", 404: gone, 422: "A body that says something"},
    )
    async def discard(call: Call[None, DiscardParameters]) -> Reply[DiscardView]:
        found = await _found(call, context)
        if isinstance(found, Parked):
            await _see_to(call, found, {"status": "discarded", "reason": call.query.reason}, context)
        return Reply(DiscardView(id=call.route["parkedId"], reason=call.query.reason))


async def _found(call: Call[None, Any], context: BoundedContext) -> Parked | Document:
    """What is parked under the id, or what this very call has made of it, its answer lost. Refused with 404."""
    id = id_in_route(call.route, "parkedId")
    if found := await context.container.read(id, PARKED):
        return parked_of(found)
    if done := await context.container.read(id, audit_id(call.request_id, id)):
        return {**done["after"], "id": id}
    detail = "It was replayed or discarded, or its time is over: the audit says who did what."
    raise Refused(404, "not-found", f"There is no parked message {id}.", detail)


async def _see_to(
    call: Call[None, Any], parked: Parked, after: dict[str, str], context: BoundedContext, *messages: Message
) -> None:
    before = {"status": "parked", "queue": parked.queue, "failure": parked.reason, **_about(parked)}
    entry = call.actor.changed(PARKED, parked.pk, before, after)
    await context.outbox.commit(parked.pk, [Delete(PARKED, parked.etag)], messages, entry)


def _message(parked: Parked, fresh_id: str, context: str, queues: Mapping[type[Contract], str]) -> Message:
    """The message as it is sent again. Refused with 409 where it can't be."""
    title = "The message can't be replayed."
    if parked.is_forgotten:
        raise Refused(409, "cannot-replay", title, "Its words are forgotten, with the order's customer: discard it.")
    try:
        if parked.queue == OUTBOX:
            message = decode(Unpublished, json.loads(parked.message.body)).message
        else:
            message = from_wire(parked.message.wire, parked.queue)
            message = replace(message, destination=queues.get(type(message.contract), context))
        # It isn't left to its sender's resend: whoever replays it wants to know.
        message = replace(again(message, fresh_id), retry_until=None)
        to_wire(message)
    except (Unparseable, MessageTooLarge) as fault:
        detail = f"{sentence(fault)} Deploy a version that can read it, or discard it."
        raise Refused(409, "cannot-replay", title, detail) from None
    return message


def _about(parked: Parked) -> dict[str, str]:
    """What of the message itself is told: the type and the subject of one of ours, the subject of what is forgotten."""
    type = str(parked.message.properties.get("cloudEvents_type", ""))
    is_ours = _OURS.fullmatch(type)
    about = {"type": type} if is_ours else {}
    known = is_ours or parked.is_forgotten or parked.queue == OUTBOX
    return about | ({"subject": parked.message.correlation_id} if known else {})


def _view(document: Document) -> ParkedView:
    try:
        return ParkedView.of(parked_of(document))
    except Unparseable as fault:
        raise Unparseable(f"{document['pk']}: {fault}") from None
