"""Everybody who wants something of the system, each after a while and most until it is answered for."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from simulation.callers import SUPPORT, customer
from simulation.faults import Scenario
from simulation.incarnation import NoAnswer
from simulation.topology import CONTEXTS
from simulation.unreliable_world import UnreliableWorld
from simulation.world import Answer, order_body

ORDERS = (1, 2, 3, 3, 4)
SCARCE = {"MUG": 2.5, "TRAY": 2.0, "BOWL": 1.5}
"""So many for each order, of which each wants one to five."""
GONE = {"VASE": 0}
PLENTY = {f"PLENTY-{number}": 1000 for number in range(37)}
COUNTED = "PLENTY-0"
"""Whose stock is counted again and again meanwhile."""
REFUSED_METHODS = ["pm_card_visa_chargeDeclined", "pm_flaky", "pm_unknown", *["pm_captureRefused"] * 3]


@dataclass(slots=True)
class Claims:
    """What people have asked for and were answered, to which the system is held in the end."""

    placed: set[str] = field(default_factory=set)
    """The orders that somebody was told to have placed."""
    owners: dict[str, str] = field(default_factory=dict)
    """Whose each request's order shall be, by its e-mail address."""
    seen_by_strangers: list[str] = field(default_factory=list)
    counts: dict[int, int | None] = field(default_factory=dict)
    """What each count of stock was answered, None where nobody heard."""
    corrections: dict[str, int | None] = field(default_factory=dict)
    """What each correction was answered, by its tracking number."""
    taken_by_hand: set[str] = field(default_factory=set)
    """The orders whose money somebody captured at the provider, past the system."""
    forgotten: set[str] = field(default_factory=set)
    """Guests of whom that was wished, whether or not anybody heard that it was taken."""


@dataclass(frozen=True, slots=True)
class _Customer:
    """What a customer orders, as whom, and whether under a key."""

    number: int
    lines: tuple[tuple[str, int], ...]
    method: str
    has_key: bool
    cancels: bool


class People:
    """All of them, in one world, for about as many seconds as they are given."""

    def __init__(self, world: UnreliableWorld, random: Random, scenario: Scenario) -> None:
        self.world = world
        self.random = random
        self.adversary = world.adversary
        self.claims = Claims()
        self._span = scenario.span
        self._breaks_promise = scenario.breaks_promise
        self._customers = [self._somebody(number) for number in range(random.choice(ORDERS))]

    def stock(self) -> dict[str, int]:
        """What they want, and how much of it there is."""
        wanted = {COUNTED, *(sku for each in self._customers for sku, _ in each.lines)}
        plenty = {sku: units for sku, units in PLENTY.items() if sku in wanted}
        return {sku: max(4, round(units * self.orders)) for sku, units in SCARCE.items()} | GONE | plenty

    @property
    def orders(self) -> int:
        """How many shall be placed."""
        return len(self._customers)

    def wishes(self) -> list[Coroutine[Any, Any, None]]:
        """What each of them does."""
        return [
            *map(self._order, self._customers),
            *(self._count_stock(range(first, first + 2)) for first in (10_000, 20_000)),
            *(self._change_prices(prices) for prices in ((300, 350), (400,))),
            self._dispatch(),
            *(self._correct(name) for name in ("A", "B")),
            self._have_forgotten(),
            self._have_rebuilt(),
            self._see_to_what_is_parked(),
            *([self._take_by_hand()] if self._breaks_promise else []),
        ]

    def _somebody(self, number: int) -> _Customer:
        choice = self.random
        skus = [*SCARCE, *PLENTY] if choice.random() < 0.04 else [*SCARCE]
        skus = choice.sample(skus, max(choice.randint(1, len(skus)) for _ in range(2)))
        if choice.random() < 0.1:
            skus += GONE
        return _Customer(
            number,
            tuple((sku, choice.randint(1, 5)) for sku in skus),
            choice.choice(["pm_card_visa"] * 4 + REFUSED_METHODS),
            has_key=choice.random() < 0.7,
            cancels=choice.random() < 0.5,
        )

    async def _order(self, who: _Customer) -> None:
        """Places an order, most under a key until it is answered for, and may cancel it."""
        # A customer of several orders, guests of one each, and support for that customer, under the same keys.
        caller = (customer("ada"), customer(f"guest-{who.number}"), SUPPORT)[who.number % 3]
        owner = {"customerId": "ada"} if caller == SUPPORT else {}
        key = {"idempotency-key": str(who.number // 3)} if who.has_key else {}
        await self._wait(0.1)
        attempt = 0
        while True:
            attempt += 1
            # Each request without a key has an address of its own: no more than one order may come of it.
            name = f"customer{who.number}" if key else f"customer{who.number}-{attempt}"
            email = f"{name}@example.com"
            self.claims.owners[email] = owner.get("customerId", caller.subject)
            body = order_body(*who.lines, paymentMethod=who.method, email=email, **owner)
            if attempt == 1 and who.number % 4 == 0:
                body["lines"].append({"sku": who.lines[0][0], "quantity": 6})
            answer = await self._answer(partial(self.world.call, "place_order", body, headers=key, caller=caller))
            if answer and answer.status < 300:
                break
            if answer and answer.status == 429:
                self.adversary.meets("too many orders")
            if answer and answer.status == 422 and attempt > 1:
                return  # It is missed in the end.
            await self.world.system.sleep(self.random.uniform(0.5, 20))
        order_id = answer.body["orderId"]
        self.claims.placed.add(order_id)
        cancelling = partial(self.world.call, "cancel_order", route={"orderId": order_id})
        if await self._alive(partial(cancelling, caller=customer("stranger"))):
            self.claims.seen_by_strangers.append(order_id)
        if who.cancels:
            await self._wait(self.random.choice((0.002, 0.02, 0.6)))
            await self._alive(partial(cancelling, caller=caller))

    async def _dispatch(self) -> None:
        """The warehouse sends what it sees, now and then."""
        for _ in range(20):
            await self._wait(0.1)
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending" and self.random.random() < 0.25:
                    await self._alive(partial(self.world.dispatched, shipment["orderId"]))

    async def _correct(self, name: str) -> None:
        """Puts right what was typed, over what it has seen and until it is answered; no two numbers are alike."""
        for number in range(3):
            await self._wait(0.5)
            left = [each for each in self.world.documents("shipping", "shipment") if each["state"] == "dispatched"]
            if not left:
                continue
            route = {"shipmentId": self.random.choice(left)["id"]}
            seen = await self._alive(partial(self.world.call, "get_shipment", route=route))
            if seen is None:
                continue
            right, headers = {"trackingNumber": f"{name}{number}"}, {"if-match": seen.headers["ETag"]}
            correcting = partial(self.world.call, "correct_shipment", right, route=route, headers=headers)
            answered = await self._until_answered(correcting, self.claims.corrections, right["trackingNumber"])
            self.adversary.meets(f"correction answered {answered}")

    async def _have_forgotten(self) -> None:
        """Has guests forgotten, now and then some who were before."""
        for _ in range(2):
            await self._wait(0.6)
            guest = f"guest-{self.random.randrange(1, max(2, self.orders), 3)}"
            if guest in self.claims.forgotten:
                self.adversary.meets("forgotten again")
            self.claims.forgotten.add(guest)
            await self._alive(partial(self.world.call, "forget_customer", route={"customerId": guest}))

    async def _see_to_what_is_parked(self) -> None:
        for _ in range(4):
            await self._wait(0.4)
            await self.see_to_parked()

    async def see_to_parked(self) -> None:
        """Replay what is parked, or discard what has been replayed, or can't be."""
        for context in CONTEXTS:
            for parked in self.world.documents(context, "parked"):
                if parked["isBrokenPromise"]:
                    continue
                see_to = partial(self.world.call, route={"parkedId": parked["pk"]})
                answer = await self._answer(partial(see_to, f"{context}_replay"))
                self.adversary.meets(f"replay answered {answer and answer.status}")
                if answer and answer.status == 409:
                    await self._answer(partial(see_to, f"{context}_discard", query={"reason": "forgotten"}))

    async def _take_by_hand(self) -> None:
        """Captures at the provider, past the system, what is held for an order that is then cancelled."""
        while not self.adversary.calm:
            await self._wait(0.02)
            for order in self.world.documents("orders", "order"):
                held = self.world.provider.held_for(order["id"])
                if order["step"] == "awaiting_dispatch" and held:
                    self.world.witness.excused.add(order["id"])
                    self.claims.taken_by_hand.add(order["id"])
                    self.world.provider.take_by_hand(held)
                    await self._alive(partial(self.world.call, "cancel_order", route={"orderId": order["id"]}))
                    return

    async def mend(self) -> None:
        """Give back what was taken by hand, once the message that should let go of it is parked for that."""
        for parked in self.world.documents("payments", "parked"):
            order_id = parked["message"]["correlationId"]  # also of who is forgotten
            if parked["isBrokenPromise"] and order_id in self.claims.taken_by_hand:
                self.adversary.meets("parked for a broken promise")
                self.world.provider.give_back(order_id)
                discarding = partial(self.world.call, route={"parkedId": parked["pk"]}, query={"reason": "given back"})
                await self._answer(partial(discarding, "payments_discard"))

    async def _have_rebuilt(self) -> None:
        """Has the sums built anew, now and then while they are being built."""
        for _ in range(2):
            await self._wait(0.6)
            await self._alive(partial(self.world.call, "rebuild_sums"))

    async def _count_stock(self, counts: range) -> None:
        """Counts one product again and again, now and then under a precondition, or a key until it is answered for; no
        two counts are alike."""
        for count in counts:
            await self._wait(0.6)
            headers, route = {}, {"sku": COUNTED}
            if self.random.random() < 0.5:
                seen = await self._alive(partial(self.world.call, "get_stock", route=route))
                headers = {"if-match": seen.headers["ETag"]} if seen else {}
            if has_key := self.random.random() < 0.7:
                headers["idempotency-key"] = str(count)
            counting = partial(self.world.call, "put_stock", {"onHand": count}, route=route, headers=headers)
            await self._until_answered(counting, self.claims.counts, count, tries=1000 if has_key else 1)

    async def _change_prices(self, prices: tuple[int, ...]) -> None:
        """Of two products, of one to what it was."""
        for price in prices:
            await self._wait(0.6)
            products = [
                {"sku": sku, "name": sku, "price": {"amount": price, "currency": "GBP"}} for sku in ("TRAY", COUNTED)
            ]
            for sku in ("TRAY", "MUG", "BOWL", COUNTED):
                await self._alive(partial(self.world.call, "get_product", route={"sku": sku}))
            report = await self._alive(partial(self.world.call, "import_products", {"products": products}))
            if not report or any(each["status"] == "failed" for each in report.body["results"]):
                self.adversary.meets("import with a fault")

    async def _wait(self, share: float) -> None:
        """For up to such a share of the time."""
        await self.world.system.sleep(self.random.uniform(0, share * self._span))

    async def _until_answered[Key](
        self, ask: Callable[[], Awaitable[Answer]], answered: dict[Key, int | None], what: Key, tries: int = 1000
    ) -> int | None:
        """Ask until that is done, or refused; the status, None where nobody heard."""
        answered[what] = None
        for attempt in range(tries):
            if attempt:
                self.adversary.meets("asked for again")
                await self.world.system.sleep(self.random.uniform(0.5, 20))
            answer = await self._answer(ask)
            answered[what] = answer.status if answer else None
            if answered[what] not in (None, 503):
                break
        return answered[what]

    async def _alive(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer, or None where it was refused, or nobody gave one."""
        answer = await self._answer(ask)
        return answer if answer and answer.status < 300 else None

    async def _answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            return await ask()
        except NoAnswer:
            return None
