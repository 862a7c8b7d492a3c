"""Faults of the application, each of which breaks a promise and none of which it has: what the simulation must find.

Each is planted for the time of a test. Those of the process were each found by the model of it, too; the others are
what hands do. `python -m tests.unit.defects` plays seeds until it knows of each five that find it, and writes them down
in defects.json, which tests/unit/test_defects.py reads, and in docs/simulation.md: do so when another application, or
another simulation, has made other histories of the seeds.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from scripts.cost_text import filled, rows
from services.inventory import handlers as inventory
from services.inventory.repositories import Decisions, Stock
from services.orders import messages
from services.orders.http_models import placing
from services.orders.process import BOTH, EARLY, PAST, PROCESS, Collect, Move, Reason, Reply, Send, Step, Trigger
from services.orders.repositories import Orders
from services.orders.resending import Resending
from services.payments import handlers as payments
from services.payments.domain import Intent, IntentStatus, Payment, State
from services.payments.repositories import Payments
from services.shipping import handlers as shipping
from services.shipping.repositories import Shipments
from shared import dispatch, outbox
from shared.contracts.payments import PaymentVoided, VoidPayment
from shared.contracts.shipping import CancelShipment, ShipmentCancelled
from shared.dispatch import Dispatcher
from shared.errors import AlreadyExists, ConditionFailed, Missing, TooEarly
from shared.messaging import fact
from shared.outbox import Outbox
from shared.ports import Change, Condition, Create, Patch, Query
from simulation.seeds import play

FOUND = Path(__file__).with_suffix(".json")
"""For each defect: after how many seeds it was found, and five that find it."""
PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
ENOUGH = 1000
"""Within so many seeds each is to be found."""

type Plant = Callable[[pytest.MonkeyPatch], None]
DEFECTS: dict[str, Plant] = {}


def defect(name: str) -> Callable[[Plant], Plant]:
    """What is planted under that name."""

    def planted(plant: Plant) -> Plant:
        DEFECTS[name] = plant
        return plant

    return planted


def finds(seed: int) -> bool:
    """Whether a promise is broken in the history of this seed."""
    return bool(play(seed).violations)


# Tombstones


@defect("a give-back leaves no tombstone")
def _(patch: pytest.MonkeyPatch) -> None:
    async def give_back(self: Stock, sku: str, order_id: str, quantity: int) -> None:
        try:
            await self._end(sku, order_id, "released", Change("incr", "available", quantity))
        except Missing:
            return
        except ConditionFailed as failed:
            await self._expect(sku, order_id, "released", failed)

    patch.setattr(Stock, "give_back", give_back)


@defect("a void leaves no tombstone")
def _(patch: pytest.MonkeyPatch) -> None:
    handle = payments.handle

    async def handled(command: Any, deps: payments.Dependencies) -> None:
        if isinstance(command, VoidPayment) and not await deps.payments.get(command.order_id):
            voided = fact(PaymentVoided(command.order_id), command.order_id, deps.system)
            await deps.outbox.publish_again(voided)
        else:
            await handle(command, deps)

    patch.setattr(payments, "handle", handled)


@defect("a cancelled shipment leaves no tombstone")
def _(patch: pytest.MonkeyPatch) -> None:
    handle = shipping.handle

    async def handled(command: Any, deps: shipping.Dependencies) -> None:
        if isinstance(command, CancelShipment) and not await deps.shipments.get(command.order_id):
            cancelled = fact(ShipmentCancelled(command.order_id), command.order_id, deps.system)
            await deps.outbox.publish_again(cancelled)
        else:
            await handle(command, deps)

    patch.setattr(shipping, "handle", handled)


# Stock


@defect("lines are given back before that is decided")
def _(patch: pytest.MonkeyPatch) -> None:
    async def decide(decision: Any, deps: inventory.Dependencies) -> Any:
        await inventory._end_lines(decision, deps.stock.give_back, deps.system)
        return await deps.decisions.save(decision)

    patch.setattr(inventory, "_decide", decide)


@defect("a decision is overwritten")
def _(patch: pytest.MonkeyPatch) -> None:
    forget_etags_of(Decisions, patch)


@defect("only what was taken is given back")
def _(patch: pytest.MonkeyPatch) -> None:
    end_lines = inventory._end_lines

    async def some(decision: Any, end: Any, system: Any) -> None:
        stock = end.__self__
        taken = await stock.reservations(decision.order_id, [line.sku for line in decision.lines])
        lines = tuple(line for line in decision.lines if line.sku in taken)
        await end_lines(replace(decision, lines=lines), end, system)

    patch.setattr(inventory, "_end_lines", some)


def end_without_condition(of: str, patch: pytest.MonkeyPatch) -> None:
    end = Stock._end

    async def ended(self: Stock, sku: str, order_id: str, state: str, change: Change) -> None:
        if state == of:
            done = Patch(f"res:{order_id}", (Change("set", "state", state),))
            await self._container.write(f"sku:{sku}", [done, Patch("stock", (change,))])
        else:
            await end(self, sku, order_id, state, change)

    patch.setattr(Stock, "_end", ended)


@defect("a give-back counts twice")
def _(patch: pytest.MonkeyPatch) -> None:
    end_without_condition("released", patch)


@defect("a use-up counts twice")
def _(patch: pytest.MonkeyPatch) -> None:
    end_without_condition("committed", patch)


def take(patch: pytest.MonkeyPatch, operations: Callable[[str, str, int], list[Any]]) -> None:
    async def taken(self: Stock, sku: str, order_id: str, quantity: int) -> bool:
        try:
            await self._container.write(f"sku:{sku}", operations(sku, order_id, quantity))
        except AlreadyExists:
            return True
        except (ConditionFailed, Missing):
            return False
        return True

    patch.setattr(Stock, "take", taken)


def reservation(sku: str, order_id: str, quantity: int) -> Create:
    made = {"id": f"res:{order_id}", "pk": f"sku:{sku}", "kind": "reservation", "orderId": order_id, "sku": sku}
    return Create(made | {"quantity": quantity, "state": "active"})


def less(quantity: int, where: Condition | None) -> Patch:
    return Patch("stock", (Change("incr", "available", -quantity),), where)


@defect("a take looks at no quantity")
def _(patch: pytest.MonkeyPatch) -> None:
    take(patch, lambda sku, of, quantity: [reservation(sku, of, quantity), less(quantity, None)])


@defect("a take patches the stock before it creates the reservation")
def _(patch: pytest.MonkeyPatch) -> None:
    def operations(sku: str, of: str, quantity: int) -> list[Any]:
        return [less(quantity, Condition("available", ">=", quantity)), reservation(sku, of, quantity)]

    take(patch, operations)


@defect("a counter moves outside the batch that guards it")
def _(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Stock, sku: str, order_id: str, state: str, change: Change) -> None:
        ended = Patch(f"res:{order_id}", (Change("set", "state", state),), Condition("state", "=", "active"))
        await self._container.write(f"sku:{sku}", [ended])
        await self._container.write(f"sku:{sku}", [Patch("stock", (change,))])

    patch.setattr(Stock, "_end", end)


# Money


@defect("an intent is created and confirmed in one call")
def _(patch: pytest.MonkeyPatch) -> None:
    async def authorise(command: Any, deps: payments.Dependencies) -> None:
        intent = await deps.provider.create(command.order_id, command.amount, command.currency, command.payment_method)
        intent = await deps.provider.confirm(intent.id)
        payment = Payment(command.order_id, State.CREATED, command.amount, command.currency, intent.id)
        await payments._adopt(await deps.payments.save(payment), intent, deps)

    patch.setattr(payments, "_authorise", authorise)


@defect("whoever loses the race confirms its own intent")
def _(patch: pytest.MonkeyPatch) -> None:
    async def authorise(command: Any, deps: payments.Dependencies) -> None:
        intent = await deps.provider.create(command.order_id, command.amount, command.currency, command.payment_method)
        payment = Payment(command.order_id, State.CREATED, command.amount, command.currency, intent.id)
        try:
            payment = await deps.payments.save(payment)
        except AlreadyExists:
            await deps.provider.confirm(intent.id)
            raise
        await payments._adopt(payment, await deps.provider.confirm(intent.id), deps)

    patch.setattr(payments, "_authorise", authorise)


@defect("an intent isn't cancelled after a decline")
def _(patch: pytest.MonkeyPatch) -> None:
    async def decline(payment: Payment, deps: payments.Dependencies) -> None:
        await payments._conclude(payment, State.DECLINED, payments._declined(payment), deps)

    patch.setattr(payments, "_decline", decline)


@defect("an intent is cancelled before it is stored that the payment is declined")
def _(patch: pytest.MonkeyPatch) -> None:
    adopt = payments._adopt

    async def adopted(payment: Payment, intent: Intent, deps: payments.Dependencies) -> None:
        if intent.status is IntentStatus.DECLINED:
            await deps.provider.cancel(intent.id)
        await adopt(payment, intent, deps)

    patch.setattr(payments, "_adopt", adopted)


@defect("a void doesn't cancel the intent")
def _(patch: pytest.MonkeyPatch) -> None:
    async def finish(payment: Payment, deps: payments.Dependencies) -> None:
        await payments._conclude(payment, State.VOIDED, PaymentVoided(payment.order_id), deps)

    patch.setattr(payments, "_finish_voiding", finish)


# Whoever writes last wins


def forget_etags_of(repository: Any, patch: pytest.MonkeyPatch) -> None:
    """What is stored is stored over whatever is there by then."""
    save = repository.save

    async def saved(self: Any, aggregate: Any, *rest: Any, **more: Any) -> Any:
        document = self._document(aggregate)
        stored = self._container.partition(document["pk"]).get(document["id"])
        return await save(self, replace(aggregate, etag=stored["_etag"] if stored else ""), *rest, **more)

    patch.setattr(repository, "save", saved)


@defect("payments have no ETag")
def _(patch: pytest.MonkeyPatch) -> None:
    forget_etags_of(Payments, patch)


@defect("shipments have no ETag")
def _(patch: pytest.MonkeyPatch) -> None:
    forget_etags_of(Shipments, patch)


@defect("orders have no ETag")
def _(patch: pytest.MonkeyPatch) -> None:
    forget_etags_of(Orders, patch)


# The order's process


def change_process(patch: pytest.MonkeyPatch, step: Step, trigger: Trigger, outcome: Any) -> None:
    patch.setitem(PROCESS[step], trigger, outcome)


@defect("an order is undone without cancelling its shipment")
def _(patch: pytest.MonkeyPatch) -> None:
    sends = (Send.VOID_PAYMENT, Send.RELEASE_STOCK)
    for trigger, reason in ((Trigger.CANCEL, Reason.CANCELLED), (Trigger.GIVE_UP, Reason.TIMEOUT)):
        change_process(patch, Step.AWAITING_DISPATCH, trigger, Move(Step.UNDOING, sends, BOTH, reason))


@defect("a dispatch is ignored while the shipment is recalled")
def _(patch: pytest.MonkeyPatch) -> None:
    change_process(patch, Step.RECALLING, Trigger.SHIPMENT_DISPATCHED, PAST)


@defect("an order forgets that its payment wasn't captured")
def _(patch: pytest.MonkeyPatch) -> None:
    change_process(patch, Step.SETTLING, Trigger.PAYMENT_NOT_CAPTURED, Collect(Reply.PAYMENT))


@defect("an early fact is taken for a stale one")
def _(patch: pytest.MonkeyPatch) -> None:
    for row in {id(row): row for row in PROCESS.values()}.values():
        for trigger, outcome in row.items():
            if outcome is EARLY:
                patch.setitem(row, trigger, PAST)


@defect("an order has two lines of one product")
def _(patch: pytest.MonkeyPatch) -> None:
    def as_it_is(sku: Any, info: Any) -> Any:
        return sku

    patch.setattr(placing._once, "__code__", as_it_is.__code__)


# Messages


@defect("a fact is announced again under its old message id")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outbox, "again", lambda message, fresh_id: message)


@defect("a command is sent again under its old message id")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(messages, "again", lambda message, fresh_id: message)


@defect("what is to be published is published before it is written")
def _(patch: pytest.MonkeyPatch) -> None:
    async def commit(self: Outbox, pk: str, operations: Any, sent: Any, audit: Any = None) -> list[str]:
        await self.publish([self._unpublished(pk, message) for message in sent])
        etags, _ = await self.write(pk, operations, sent, audit)
        return etags

    patch.setattr(Outbox, "commit", commit)


@defect("the outbox is cleared before it is published")
def _(patch: pytest.MonkeyPatch) -> None:
    async def publish(self: Outbox, unpublished: Sequence[Any]) -> None:
        await self._clear(unpublished)
        await self._send(unpublished)

    patch.setattr(Outbox, "publish", publish)


@defect("an aggregate is written without its outbox in the same batch")
def _(patch: pytest.MonkeyPatch) -> None:
    write = Outbox.write

    async def written(self: Outbox, pk: str, operations: Any, sent: Any, audit: Any = None) -> Any:
        etags = await self._container.write(pk, operations)
        _, unpublished = await write(self, pk, [], sent, audit) if sent or audit else ([], [])
        return etags, unpublished

    patch.setattr(Outbox, "write", written)


@defect("a message is completed though its handling failed")
def _(patch: pytest.MonkeyPatch) -> None:
    async def no_more(self: Dispatcher, *_: Any, **__: Any) -> None:
        pass

    patch.setattr(Dispatcher, "_later", no_more)


@defect("what isn't there yet is taken for what never will be")
def _(patch: pytest.MonkeyPatch) -> None:
    later = Dispatcher._later

    async def some(self: Dispatcher, wire: Any, failure: Exception, strikes: int) -> None:
        if not isinstance(failure, TooEarly):
            await later(self, wire, failure, strikes)

    patch.setattr(Dispatcher, "_later", some)


@defect("a retry forks, under a random message id")
def _(patch: pytest.MonkeyPatch) -> None:
    chance = Random(1)
    patch.setattr(dispatch, "derived_id", lambda *_: str(UUID(int=chance.getrandbits(128), version=4)))


@defect("a sweep skips what it finds")
def _(patch: pytest.MonkeyPatch) -> None:
    async def sweep(self: Outbox) -> int:
        documents = await self._container.find(Query("outbox", (), ("createdAt", "id")))
        sent, _ = await self._send(await self._readable(documents[1:]))
        await self._clear(sent)
        return len(sent)

    patch.setattr(Outbox, "sweep", sweep)


@defect("a deadline is never looked at")
def _(patch: pytest.MonkeyPatch) -> None:
    async def run(self: Resending) -> int:
        return 0

    patch.setattr(Resending, "run", run)


def looked_for(plant: Plant, first: int) -> Iterator[int]:
    """The seeds from there on that find it, as offsets."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        yield from (offset for offset in range(ENOUGH) if finds(first + offset))


def with_table(page: str) -> str:
    """The page with what was found, and after how many seeds."""
    found = json.loads(FOUND.read_text())
    body = [[name, str(each["foundAfter"])] for name, each in found.items()]
    return filled(page, "tests.unit.defects", {"found": lambda: rows(["Defect", "Seeds"], body)})


def main() -> None:
    """Look for five seeds of each, or of those named."""
    first = Random().randrange(2**32)
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    for name in sys.argv[1:] or DEFECTS:
        offsets = [offset for _, offset in zip(range(5), looked_for(DEFECTS[name], first), strict=False)]
        seeds = [first + offset for offset in offsets]
        found[name] = {"foundAfter": offsets[0] + 1 if offsets else None, "seeds": seeds}
        sys.stdout.write(f"{found[name]['foundAfter']!s:>5}  {name}\n")
        sys.stdout.flush()
        FOUND.write_text(json.dumps({each: found[each] for each in DEFECTS if each in found}, indent=2) + "\n")
    PAGE.write_text(with_table(PAGE.read_text()))


if __name__ == "__main__":
    main()
