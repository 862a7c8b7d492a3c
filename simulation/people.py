"""Everybody who wants something of the system, each after a while and most until it is answered for."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from simulation.adversary import Died
from simulation.callers import SUPPORT, customer
from simulation.unreliable_world import UnreliableWorld
from simulation.world import CONTEXTS, Answer, order_body

ORDERS = 12
SCARCE = {"MUG": 25, "TRAY": 20, "BOWL": 15}
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
    forgotten: set[str] = field(default_factory=set)
    """Guests of whom that was wished, whether or not anybody heard that it was taken."""


class People:
    """All of them, in one world."""

    def __init__(self, world: UnreliableWorld, random: Random) -> None:
        self.world = world
        self.random = random
        self.adversary = world.adversary
        self.claims = Claims()

    def wishes(self) -> list[Coroutine[Any, Any, None]]:
        """What each of them does."""
        return [
            *(self._customer(number) for number in range(ORDERS)),
            *(self._stocktaker(range(first, first + 8)) for first in (10_000, 20_000)),
            *(self._importer(prices) for prices in ((300, 350, 350, 300), (300, 400, 400))),
            self._warehouse(),
            *(self._corrector(name) for name in ("A", "B")),
            self._officer(),
            self._rebuilder(),
            *(self._operator() for _ in range(2)),
        ]

    async def _customer(self, number: int) -> None:
        """Places an order, most under a key until it is answered for, and may cancel it."""
        skus = [*SCARCE, *PLENTY] if self.random.random() < 0.15 else [*SCARCE]
        skus = self.random.sample(skus, max(self.random.randint(1, len(skus)) for _ in range(2)))
        if self.random.random() < 0.1:
            skus += GONE
        lines = [(sku, self.random.randint(1, 5)) for sku in skus]
        method = self.random.choice(["pm_card_visa"] * 4 + REFUSED_METHODS)
        # A customer of several orders, guests of one each, and support for that customer, under the same keys.
        caller = (customer("ada"), customer(f"guest-{number}"), SUPPORT)[number % 3]
        owner = {"customerId": "ada"} if caller == SUPPORT else {}
        key = {"idempotency-key": str(number // 3)} if self.random.random() < 0.7 else {}
        attempt = 0
        while True:
            attempt += 1
            # Each request without a key has an address of its own: no more than one order may come of it.
            email = f"customer{number}@example.com" if key else f"customer{number}-{attempt}@example.com"
            self.claims.owners[email] = owner.get("customerId", caller.subject)
            body = order_body(*lines, paymentMethod=method, email=email, **owner)
            if attempt == 1 and number % 4 == 0:
                body["lines"].append({"sku": skus[0], "quantity": 6})
            placing = partial(self.world.call, "place_order", body, headers=key, caller=caller)
            if answer := await self._alive(placing):
                break
        self.claims.placed.add(answer.body["orderId"])
        cancelling = partial(self.world.call, "cancel_order", route={"orderId": answer.body["orderId"]})
        if await self._alive(partial(cancelling, caller=customer("stranger"))):
            self.claims.seen_by_strangers.append(answer.body["orderId"])
        if self.random.random() < 0.5:
            await self._wait(1000)
            await self._alive(partial(cancelling, caller=caller))

    async def _warehouse(self) -> None:
        """Dispatches what it sees, now and then."""
        for _ in range(50):
            await self.adversary.others_first(20)
            for shipment in self.world.documents("shipping", "shipment"):
                if shipment["state"] == "pending" and self.random.random() < 0.12:
                    order_id = shipment["orderId"]
                    await self._alive(lambda order_id=order_id: self.world.dispatched(order_id))  # type: ignore[misc]

    async def _corrector(self, name: str) -> None:
        """Puts right what was typed, over what it has seen and until it is answered; no two numbers are alike."""
        for number in range(12):
            await self._wait(150)
            left = [each for each in self.world.documents("shipping", "shipment") if each["state"] == "dispatched"]
            if not left:
                continue
            route = {"shipmentId": self.random.choice(left)["id"]}
            seen = await self._alive(lambda route=route: self.world.call("get_shipment", route=route))  # type: ignore[misc]
            if seen is None:
                continue
            right, headers = {"trackingNumber": f"{name}{number}"}, {"if-match": seen.headers["ETag"]}
            answered = None
            while answered in (None, 503):
                self.adversary.met["correction asked for again"] += right["trackingNumber"] in self.claims.corrections
                self.claims.corrections[right["trackingNumber"]] = None
                with suppress(Died):
                    answer = await self.world.call("correct_shipment", right, route=route, headers=headers)
                    answered = answer.status
            self.claims.corrections[right["trackingNumber"]] = answered
            self.adversary.met[f"correction answered {answered}"] += 1

    async def _officer(self) -> None:
        """Has guests forgotten, now and then some who were before."""
        for _ in range(5):
            await self._wait(150)
            guest = f"guest-{self.random.randrange(1, ORDERS, 3)}"
            wish = partial(self.world.call, "forget_customer", route={"customerId": guest})
            self.adversary.met["forgotten again"] += guest in self.claims.forgotten
            self.claims.forgotten.add(guest)
            await self._alive(wish)

    async def _operator(self) -> None:
        """Sees to what is parked, as another does, too."""
        for _ in range(10):
            await self._wait(150)
            await self.see_to_parked()

    async def see_to_parked(self) -> None:
        """Replay what is parked, or discard what has been replayed, or can't be."""
        for context in CONTEXTS:
            page = await self._alive(partial(self.world.call, f"{context}_parked"))
            for parked in page.body["value"] if page else ():
                see_to = partial(self.world.call, route={"parkedId": parked["id"]})
                with suppress(Died):
                    answer = await see_to(f"{context}_replay")
                    self.adversary.met[f"replay answered {answer.status}"] += 1
                    if answer.status == 409:
                        await see_to(f"{context}_discard", query={"reason": "forgotten"})

    async def _rebuilder(self) -> None:
        """Has the sums built anew, now and then while they are being built."""
        for _ in range(4):
            await self._wait(250)
            await self._alive(partial(self.world.call, "rebuild_sums"))

    async def _stocktaker(self, counts: range) -> None:
        """Counts one product again and again, now and then under a precondition, or a key until it is answered for; no
        two counts are alike."""
        for count in counts:
            await self._wait(150)
            headers = {}
            if self.random.random() < 0.5:
                seen = await self._alive(lambda: self.world.call("get_stock", route={"sku": COUNTED}))
                headers = {"if-match": seen.headers["ETag"]} if seen else {}
            if has_key := self.random.random() < 0.7:
                headers["idempotency-key"] = str(count)
            put = {"route": {"sku": COUNTED}, "headers": headers}
            self.claims.counts[count] = None
            while self.claims.counts[count] in (None, 503):
                with suppress(Died):
                    answer = await self.world.call("put_stock", {"onHand": count}, **put)
                    self.claims.counts[count] = answer.status
                if not has_key:
                    break
                self.adversary.met["count asked for again"] += self.claims.counts[count] in (None, 503)

    async def _importer(self, prices: tuple[int, ...]) -> None:
        """Changes prices, of one product to what it was."""
        for price in prices:
            await self._wait(400)
            products = [
                {"sku": sku, "name": sku, "price": {"amount": price, "currency": "GBP"}} for sku in ("TRAY", COUNTED)
            ]
            report = await self._alive(
                lambda products=products: self.world.call("import_products", {"products": products})  # type: ignore[misc]
            )
            done = report and all(each["status"] != "failed" for each in report.body["results"])
            self.adversary.met["import with a fault"] += not done

    async def _wait(self, most_turns: int) -> None:
        await self.adversary.others_first(self.random.randint(0, most_turns))

    async def _alive(self, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What the call answers, or None where it was refused, or its process died."""
        with suppress(Died):
            answer = await call()
            self.adversary.met["too many orders"] += answer.status == 429
            if answer.status < 300:
                return answer
        return None
