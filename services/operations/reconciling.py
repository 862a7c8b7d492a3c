"""Reconciliation: what orders, inventory, payments and the provider say of an order is compared, and with the events
that are kept. They are asked over HTTP; nothing is put right but an announcement that wasn't heard: it is made again.

An order is looked at when its last event has come of age, and once more when that leaves the window: so what is wrong
with one is found before the window has moved past it. What waits for the warehouse is looked at but once.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from services.operations.asked import holdings
from services.operations.differences import NOT_ANNOUNCED, Sides, differences
from services.operations.domain import Cursor, Difference, Disagreement, Recorded, State, standing
from services.operations.handlers import Dependencies
from services.operations.queries import MOST_EVENTS
from shared.audit import Actor
from shared.concurrency import for_each
from shared.errors import Contended, Unavailable, not_found
from shared.telemetry import log, log_event

PAGE, EVENTS = 50, 200
"""How many orders that are known to disagree a run looks at again, and how many events it goes on by at a time."""


class Reconciling:
    """The timer's runs. Any number at once: of two, one moves on. A run that gets no answer raises, and passes over
    nothing; one that takes too long leaves the rest to the next."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._place: tuple[datetime, str] | None = None

    async def run(self) -> None:
        """Look at each order that is due now, and again at each that is known to disagree."""
        give_up = self._deps.system.now() + self._deps.run
        try:
            await self._go_on("came of age", self._deps.after, {State.DISPATCH}, give_up)
            await self._go_on("left the window", self._deps.window, set(), give_up)
            await self._look_again()
        except Contended:
            log.info("another timer compares")

    async def _go_on(self, name: str, age: timedelta, but: set[State], give_up: datetime) -> None:
        deps = self._deps
        now = deps.system.now()
        until = int((now - age).timestamp())
        cursor = await deps.disagreements.cursor(name)
        if cursor is None:
            cursor = await deps.disagreements.move(Cursor(name, int((now - deps.window).timestamp())))
        while page := await deps.events.after(cursor.place, until, EVENTS):
            orders: dict[str, list[Recorded]] = {event.order_id: [] for event in page if event.order_id}
            for fact in await deps.events.facts(orders):
                orders[fact.order_id or ""].append(fact)
            # One that has moved since is looked at in its turn.
            settled = ((id, facts) for id, facts in orders.items() if all(fact.recorded_at <= until for fact in facts))
            await for_each([each for each in settled if (standing(each[1]) or (None,))[0] not in but], self._look)
            cursor = await deps.disagreements.move(replace(cursor, at=page[-1].recorded_at, event_id=page[-1].event_id))
            if deps.system.now() > give_up:
                log.warning("the time for comparing is over: what is left is for the next run")
                return

    async def _look(self, order: tuple[str, Sequence[Recorded]]) -> None:
        """Its facts tell whether to look closer: that costs a query more, and nearly every order agrees."""
        order_id, facts = order
        if any(differences(await self._sides(order_id, facts))):
            await self._compare(order_id, await self._deps.events.of_order(order_id, MOST_EVENTS))

    async def _look_again(self) -> None:
        found = await self._deps.disagreements.open(self._place, PAGE)
        for each in found:
            await self._compare(each.id, await self._deps.events.of_order(each.id, MOST_EVENTS), each)
        self._place = (found[-1].found_at, found[-1].id) if len(found) == PAGE else None

    async def _compare(self, order_id: str, events: Sequence[Recorded], known: Disagreement | None = None) -> None:
        """What differs counts if it is so a second time, and the order hasn't moved in between."""
        deps = self._deps
        sides = await self._sides(order_id, events)
        found = tuple(differences(sides))
        if found:
            again = await self._sides(order_id, await deps.events.of_order(order_id, MOST_EVENTS))
            if (again.orders, again.events) != (sides.orders, sides.events):
                return
            found = tuple(each for each in differences(again) if each.code in {each.code for each in found})
            known = known or await deps.disagreements.get(order_id)
        await self._keep(order_id, found, sides, known)
        if [each.code for each in found] == [NOT_ANNOUNCED]:
            announced = await deps.contexts.ask("orders", f"orders/{quote(order_id, safe='')}/announce", "POST")
            log.info("announced again: %s", announced and announced.status)

    async def _sides(self, order_id: str, events: Sequence[Recorded]) -> Sides:
        """What each says now. Raises Unavailable where one says nothing."""
        said = await holdings(order_id, self._deps.contexts)
        payment = said.payment
        silent = [*said.unknown, *(["the payment provider"] if payment and not payment.provider_answered else [])]
        if silent:
            raise Unavailable(f"{' and '.join(silent)} gave no answer about {order_id}")
        return Sides(
            said.wait.model_dump(mode="json", by_alias=True) if said.wait else None,
            said.reservations.model_dump(include={"decision", "units"}) if said.reservations else None,
            payment.model_dump(mode="json", by_alias=True) if payment else None,
            tuple(sorted({event.name for event in events})),
        )

    async def _keep(self, id: str, found: tuple[Difference, ...], sides: Sides, known: Disagreement | None) -> None:
        disagreements, now = self._deps.disagreements, self._deps.system.now()
        if not found:
            if known:
                await disagreements.end(known)
            return
        new = Disagreement(id, now, now, found, sides.told)
        if known and known.codes == new.codes:
            if known.reason is None:
                await disagreements.save(replace(new, found_at=known.found_at, etag=known.etag))
            return
        # Before it is stored: rather said twice than never, should the answer to the write be lost.
        log_event("disagreement", "%s: %s", id, " ".join(each.words for each in found))
        await disagreements.save(replace(new, etag=known.etag) if known else new)


async def let_be(id: str, reason: str, by: Actor, deps: Dependencies) -> Disagreement:
    """A person has decided: it isn't told of again unless what differs changes. Refused with 404."""
    found = await deps.disagreements.get(id)
    if found is None:
        raise not_found(f"disagreement {id}")
    if found.reason is not None:
        return found
    before, after = {"status": "open", "differences": ", ".join(found.codes)}, {"status": "let be", "reason": reason}
    done = replace(found, reason=reason)
    return await deps.disagreements.save(done, audit=by.changed("disagreement", id, before, after))
