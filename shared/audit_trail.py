"""What the staff changed in a context, as admins read it."""

from pydantic import ValidationError

from shared.access import Role
from shared.codec import parse_rfc3339
from shared.context import BoundedContext
from shared.errors import Unparseable
from shared.fields import Moment, Time, View
from shared.http import Call, HttpFunctions, Reply
from shared.listing import find_readable, keyset
from shared.paging import Page, PageParameters, Paging
from shared.ports import Document, Query
from shared.problems import field_errors


class AuditParameters(PageParameters):
    """From which time on."""

    since: Time | None = None
    """Only what was written at that time or later."""


class TargetView(View):
    """What was changed."""

    kind: str
    id: str


class AuditEntryView(View):
    """One write: who did it, and the fields that it changed; of those in `personal` no value is kept."""

    id: str
    created_at: Moment
    subject: str
    role: Role
    operation: str
    request_id: str
    target: TargetView
    before: dict[str, str | int | bool]
    after: dict[str, str | int | bool]
    personal: list[str]


class AuditPage(Page[AuditEntryView]):
    """Some entries, and where the next ones are."""


def report_audit(http: HttpFunctions, context: BoundedContext) -> None:
    """Register `<context>_audit`, for admins: of every context that has functions by which staff write."""
    route = f"audit/{context.name}"

    @http.function(
        f"GET {route}",
        operation=f"{context.name}_audit",
        roles={Role.ADMIN},
        summary=f"Who of the staff changed what in {context.name}, oldest first",
        statuses={200: "A page of entries", 400: "A query parameter is wrong"},
    )
    async def audit(call: Call[None, AuditParameters]) -> Reply[AuditPage]:
        paging = Paging(call, route)
        since = (call.query.since, "") if call.query.since else None
        after = paging.after or since
        query = Query("audit", order_by=("createdAt", "id"), after=keyset(after), limit=call.query.limit)
        found = await find_readable(context.container, query, {}, _view)
        next_link = paging.next_link([(parse_rfc3339(each.created_at), each.id) for each in found])
        return Reply(AuditPage(value=found, next_link=next_link))


def _view(document: Document) -> AuditEntryView:
    try:
        entry = AuditEntryView.model_validate(document)
    except ValidationError as error:
        raise Unparseable(", ".join(f"{each.pointer} {each.detail}" for each in field_errors(error))) from None
    try:
        parse_rfc3339(entry.created_at)
    except ValueError:
        raise Unparseable("/createdAt should be a time (RFC 3339)") from None
    return entry
