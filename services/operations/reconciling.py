"""Reconciliation: what the contexts and the provider say of orders is compared, and with the events that are kept; what
the provider has, with what payments name; the stock of the orders' products, with its reservations. They are asked over
HTTP; nothing is put right but an announcement that wasn't heard: it is made again.

An order is looked at before its last event leaves the window, and an intent before its creation does: so what is wrong
with one by then is found within one window.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any
from urllib.parse import quote, urlencode

from services.operations.asked import ListedIntentView, StockView, holdings, understood
from services.operations.differences import ENDS, HEARD, NOT_ANNOUNCED, Sides, differences, of_intent, of_product
from services.operations.domain import INTENT, STOCK, Cursor, Difference, Disagreement, Recorded
from services.operations.handlers import Dependencies
from services.operations.queries import MOST_EVENTS
from shared.audit import Actor
from shared.codec import parse_rfc3339, rfc3339
from shared.concurrency import for_each
from shared.errors import Contended, Unavailable, not_found
from shared.fields import MOST_IDS
from shared.http import API
from shared.paging import Page
from shared.telemetry import log, log_event

LONGEST_WINDOW = timedelta(days=25)
"""Ended reservations are kept for 30 days."""
RUNS = 6
"""In a window: the more orders are due at a time, the less each costs."""
PAGE, EVENTS, FACTS, INTENTS = 50, 500, 100, 100
"""Of how many that are known to disagree a run looks again, and how many of each are read at a time."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was said about one thing: each side as it is kept, where they differ, and what tells whether it has moved.
    `skus` are an order's."""

    sides: dict[str, Any]
    differences: tuple[Difference, ...] = ()
    state: Any = None
    skus: tuple[str, ...] = ()


type Looks = Mapping[str, Look]
type LookAgain = Callable[[Collection[str]], Awaitable[Looks]]


class Reconciling:
    """The timer's runs. Any number at once: of two, one moves on. A run that gets no answer raises, and passes over
    nothing; one that takes too long leaves the rest to the next."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._every = deps.window / RUNS
        self._due = datetime.min.replace(tzinfo=UTC)
        self._place: tuple[datetime, str] | None = None

    async def run(self) -> None:
        """A few times in a window: look at what leaves it by the next, and again at what is known to disagree."""
        now = self._deps.system.now()
        if now < self._due:
            return
        try:
            await self._go_on(now)
            await self._look_again()
        except Contended:
            log.info("another timer compares")
        self._due = now + self._every

    async def _go_on(self, now: datetime) -> None:
        deps = self._deps
        until = int((now - deps.window + self._every).timestamp())
        cursor = await deps.disagreements.cursor() or await deps.disagreements.move(
            Cursor(await self._beginning(until))
        )
        while cursor.at < until:
            # So much time at once, as keeps a run's progress; that in which there was nothing is passed over at once.
            first = await deps.events.after((cursor.at + 1, ""), until, 1)
            end = min(first[0].recorded_at + int(self._every.total_seconds()), until) if first else until
            skus = await self._compare_orders(await self._orders_of(cursor.at + 1, end))
            products = [f"{STOCK}{sku}" for sku in sorted(skus)]
            await self._compare(await self._products(products), self._products)
            await self._compare_intents(cursor.at + 1, end)
            cursor = await deps.disagreements.move(replace(cursor, at=end))
            if deps.system.now() - now > deps.run:
                log.warning("the time for comparing is over: what is left is for the next run")
                return

    async def _beginning(self, until: int) -> int:
        """Where the first run ever begins: at the first event, however long no run has succeeded since, but not where
        others don't remember any more."""
        oldest = until - int(LONGEST_WINDOW.total_seconds())
        first = await self._deps.events.after((oldest, ""), until, 1)
        return first[0].recorded_at - 1 if first else until

    async def _orders_of(self, since: int, until: int) -> dict[str, list[Recorded]]:
        """Those that had an event in this time, but for those that have ended since: their turn comes then. With what
        was heard of each."""
        events = self._deps.events
        heard: dict[str, list[Recorded]] = {}
        place, is_full = (since, ""), True
        while is_full and (page := await events.after(place, until, EVENTS)):
            for event in page:
                if event.order_id:
                    of = heard.setdefault(event.order_id, [])
                    if event.name in HEARD:
                        of.append(event)
            place, is_full = page[-1].place, len(page) == EVENTS
        later = set[str | None]()
        on_their_way = (id for id, of in heard.items() if not any(event.name in ENDS for event in of))
        for some in batched(on_their_way, FACTS, strict=False):
            later |= {fact.order_id for fact in await events.facts(some, ENDS) if fact.recorded_at > until}
        return {id: of for id, of in heard.items() if id not in later}

    async def _look_again(self) -> None:
        found = await self._deps.disagreements.open(self._place, PAGE)
        known = {each.id: each for each in found}
        orders = [each.id for each in found if not each.id.startswith((STOCK, INTENT))]
        await self._compare_orders({id: [] for id in orders}, known)
        products = [id for id in known if id.startswith(STOCK)]
        await self._compare(await self._products(products), self._products, known)
        intents = (each.sides["payments"] for each in found if each.id.startswith(INTENT))
        for second in {int(parse_rfc3339(each["createdAt"]).timestamp()) for each in intents}:
            await self._compare_intents(second, second, known)
        self._place = (found[-1].found_at, found[-1].id) if len(found) == PAGE else None

    async def _compare_orders(
        self, heard: Mapping[str, Sequence[Recorded]], known: Mapping[str, Disagreement] | None = None
    ) -> set[str]:
        """Each, with what was heard of it already; the SKUs of all, for what follows from that."""
        skus = set[str]()
        for some in batched(heard, MOST_IDS, strict=False):
            first = await self._orders(some, [event for id in some for event in heard[id]])
            await self._compare(first, partial(self._orders, is_second=True), known)
            skus.update(*(look.skus for look in first.values()))
        return skus

    async def _compare_intents(self, since: int, until: int, known: Mapping[str, Disagreement] | None = None) -> None:
        async def look(_: Collection[str] = ()) -> Looks:
            return await self._intents(since, until)

        await self._compare(await look(), look, known)

    async def _compare(self, first: Looks, again: LookAgain, known: Mapping[str, Disagreement] | None = None) -> None:
        """What differs counts if it does so a second time, and nothing has moved in between."""
        differing = [id for id, look in first.items() if look.differences]
        second = await again(differing) if differing else {}
        for id, look in first.items():
            codes = {each.code for each in look.differences}
            last = second.get(id) if codes else look
            if last and last.state == look.state:
                found = tuple(each for each in last.differences if each.code in codes)
                await self._keep(id, replace(last, differences=found), (known or {}).get(id))

    async def _orders(self, ids: Collection[str], heard: Collection[Recorded] = (), is_second: bool = False) -> Looks:
        """What each says of these orders now; at the second look, all events are read. Raises Unavailable where one
        says nothing."""
        events = self._deps.events
        heard = [*await events.facts(ids, HEARD, heard)]
        for id in ids if is_second else ():
            heard += await events.of_order(id, MOST_EVENTS)
        said = await holdings(ids, self._deps.contexts)
        silent = [*said.unknown]
        if not all(each.provider_answered for each in (said.payments or {}).values()):
            silent.append("the payment provider")
        if said.orders is None or said.inventory is None or said.payments is None or silent:
            raise Unavailable(f"{' and '.join(silent)} gave no answer about {', '.join(ids)}")
        looks = {}
        for id in ids:
            order, stock, payment = said.orders.get(id), said.inventory.get(id), said.payments.get(id)
            sides = Sides(
                order.model_dump(mode="json", by_alias=True) if order else None,
                stock.model_dump(include={"decision", "units"}) if stock else None,
                payment.model_dump(mode="json", by_alias=True) if payment else None,
                tuple(sorted({event.name for event in heard if event.order_id == id})),
            )
            state = sides.orders, HEARD.intersection(sides.events)
            skus = tuple(line.sku for line in stock.lines) if stock else ()
            looks[id] = Look(sides.told, tuple(differences(sides)), state, skus)
        return looks

    async def _products(self, ids: Collection[str]) -> Looks:
        """What inventory says of the stock of these products, but of what it can't add up. Raises Unavailable where it
        says nothing."""

        async def ask(id: str) -> StockView:
            sku = id.removeprefix(STOCK)
            said = await self._deps.contexts.ask("inventory", f"stock/{quote(sku, safe='')}/reserved")
            if (stock := understood(said, StockView)) is None:
                raise Unavailable(f"inventory gave no answer about the stock of {sku}")
            return stock

        said = await for_each(ids, ask)
        sides = {f"{STOCK}{each.sku}": each.model_dump(by_alias=True) for each in said if each.reserved is not None}
        return {id: Look({"inventory": side}, tuple(of_product(side))) for id, side in sides.items()}

    async def _intents(self, since: int, until: int) -> Looks:
        """What the provider has that was created in this time. Raises Unavailable where it says nothing."""
        looks = {}
        begin, end = (rfc3339(datetime.fromtimestamp(each, UTC)) for each in (since, until))
        path = f"payments?{urlencode({'createdFrom': begin, 'createdUntil': end, 'limit': INTENTS})}"
        while path:
            page = understood(await self._deps.contexts.ask("payments", path), Page[ListedIntentView])
            if page is None:
                raise Unavailable(f"payments gave no answer about what the provider has from {begin} to {end}")
            # What isn't of an order the account is used for besides.
            for each in (each for each in page.value if each.order_id):
                side = each.model_dump(mode="json", by_alias=True)
                looks[f"{INTENT}{each.intent_id}"] = Look({"payments": side}, tuple(of_intent(side)))
            path = (page.next_link or "").removeprefix(f"{API}/")
        return looks

    async def _keep(self, id: str, look: Look, known: Disagreement | None) -> None:
        deps, now, found = self._deps, self._deps.system.now(), look.differences
        known = known or (await deps.disagreements.get(id) if found else None)
        if not found:
            if known:
                await deps.disagreements.end(known)
            return
        new = Disagreement(id, now, now, found, look.sides)
        if known is None or known.codes != new.codes:
            # Before it is stored: rather said twice than never, should the answer to the write be lost.
            log_event("disagreement", "%s: %s", id, " ".join(each.words for each in found))
            await deps.disagreements.save(replace(new, etag=known.etag) if known else new)
        elif known.reason is None:
            await deps.disagreements.save(replace(new, found_at=known.found_at, etag=known.etag))
        if new.codes == (NOT_ANNOUNCED,):
            announced = await deps.contexts.ask("orders", f"orders/{quote(id, safe='')}/announce", "POST")
            log.info("announced again: %s", announced and announced.status)


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
