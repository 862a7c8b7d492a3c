"""Moving the sums on over the events that have come since, and building them anew beside those that are shown."""

from services.operations.handlers import Dependencies
from services.operations.projections import FACTS, HELD_SUMS, Head, Model, Rebuild, moved
from shared.audit import Actor
from shared.errors import Contended, not_found
from shared.telemetry import log

PAGE = 200
SETTLED_SECONDS = 5
"""How much older than the last write of the head an event must be, both by the store's clock, to be counted: so none
that is stored later can have its place among those that are counted."""
_MOST_SUMS = 90 - HELD_SUMS
"""Added to in one write, which takes a hundred operations."""


class Folding:
    """The timer's runs. Any number at once: of two that move the same model on, one does, and the other lets it be."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def run(self) -> None:
        """Count what is settled. A run that takes too long leaves the rest to the next."""
        try:
            await self._run()
        except Contended:
            log.info("another timer counts")

    async def _run(self) -> None:
        deps = self._deps
        head = read = await deps.sums.head() or Head.first(deps.system.new_id(), deps.keep.days)
        until = head.written_at - SETTLED_SECONDS
        head, is_done = await self._moved(head, head.live, until)
        if head.building:
            head, is_built = await self._moved(head, head.building, until)
            if is_done and is_built and head.building:
                head = await deps.sums.save(head.rebuilt(head.building, deps.system.now()))
        if head is read and await deps.events.after((head.live.at, head.live.event_id), None, 1):
            # Nothing was settled, but will be: this write is what it is to be older than.
            await deps.sums.save(head)

    async def _moved(self, head: Head, model: Model, until: int) -> tuple[Head, bool]:
        """With a model as far on as it can be; whether that is all that is settled."""
        deps = self._deps
        is_live = model is head.live
        give_up = deps.system.now() + deps.run
        is_full = True
        while is_full and (page := await deps.events.after((model.at, model.event_id), until, PAGE)):
            if deps.system.now() > give_up:
                log.warning("the time for counting is over: what is left is for the next run")
                return head, False
            is_full = len(page) == PAGE
            facts = await deps.events.facts({event.order_id for event in page if event.order_id}, FACTS, page)
            further, sums = moved(head, model, page, facts, deps.keep)
            while len(sums) > _MOST_SUMS:
                page, is_full = page[: len(page) // 2], True
                further, sums = moved(head, model, page, facts, deps.keep)
            head = await deps.sums.save(further, sums)
            model = head.live if is_live else head.building or model
        return head, True


async def rebuild(by: Actor, deps: Dependencies) -> Rebuild:
    """Have the sums built anew; where they are being built, that is what was asked for."""
    head = await deps.sums.head() or Head.first(deps.system.new_id(), deps.keep.days)
    if head.building and head.rebuild:
        return head.rebuild
    head = head.rebuilding(deps.system.new_id(), deps.system.now())
    assert head.rebuild
    audit = by.changed("rebuild", head.rebuild.rebuild_id, {}, {"since": head.rebuild.since})
    await deps.sums.save(head, audit=audit)
    return head.rebuild


async def get_rebuild(deps: Dependencies) -> Rebuild:
    """The last one. Refused with 404 where there was none."""
    head = await deps.sums.head()
    if head is None or head.rebuild is None:
        raise not_found("rebuild")
    return head.rebuild
