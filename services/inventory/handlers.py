"""Inventory's commands. Decide, then act: a copy of a handler that joins in finds the decision and goes on with it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import batched

from services.inventory.domain import (
    PROCESS,
    Act,
    BelowReserved,
    Count,
    Decision,
    ReservationState,
    ReservedLine,
    Shortage,
    State,
    StockItem,
    in_order_of_taking,
    shortages,
)
from services.inventory.repositories import Decisions, Stock
from shared import metrics
from shared.audit import Actor, Recorded
from shared.concurrency import AT_A_TIME, for_each
from shared.contracts import Contract
from shared.contracts import inventory as contracts
from shared.contracts.inventory import (
    SHORTAGES_SHOWN,
    CommitStock,
    ReleaseStock,
    ReserveStock,
    StockCommitted,
    StockRejected,
    StockReleased,
    StockReserved,
)
from shared.errors import (
    BrokenPromise,
    Contended,
    Postponed,
    Refused,
    TooEarly,
    key_reused,
    not_found,
    precondition_failed,
)
from shared.headers import Preconditions
from shared.messaging import fact, has_given_up
from shared.outbox import Outbox
from shared.ports import System
from shared.retry import at_once
from shared.telemetry import log

_LOOKS = 4
"""At a stock item that isn't what its reservations say, until it stood still between two."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need."""

    stock: Stock
    decisions: Decisions
    outbox: Outbox
    system: System
    stock_timeout: timedelta


async def handle(command: ReserveStock | ReleaseStock | CommitStock, deps: Dependencies) -> None:
    """Do what the decision about the order makes of the command."""
    order_id = command.order_id
    decision = await deps.decisions.get(order_id)
    act = PROCESS[type(command).__name__][decision.state if decision else None]
    lines = (
        ()
        if isinstance(command, CommitStock)
        else tuple(ReservedLine(line.sku, line.quantity) for line in command.lines)
    )
    match act:
        case Act.TAKE if isinstance(command, ReserveStock) and has_given_up(command.give_up_at, deps.system):
            log.info("no stock is taken for an order that has given up")
        case Act.TAKE:
            assert isinstance(command, ReserveStock)
            await _reserve(command, lines, deps)
        case Act.RELEASE:
            await _give_back(await _decide(Decision(order_id, State.RELEASING, lines), deps), deps)
        case Act.NOTHING:
            pass
        case Act.LATER:
            raise TooEarly(f"no decision about {order_id} yet")
        case Act.PARK:
            raise BrokenPromise(f"{type(command).__name__} for {order_id}, which is {decision and decision.state}")
        case _:
            assert decision
            await _STEPS[act](decision, deps)


async def _reserve(command: ReserveStock, lines: tuple[ReservedLine, ...], deps: Dependencies) -> None:
    order_id = command.order_id
    if await _take(order_id, lines, deps):
        decision = Decision(order_id, State.RESERVED, lines)
        await deps.decisions.save(decision, [fact(StockReserved(order_id), order_id, deps.system)])
        return
    short = await _shortages(order_id, lines, deps)
    now = deps.system.now()
    since = command.short_since or now
    if not any(line.hopeless for line in short) and now - since < deps.stock_timeout:
        # What is taken stays taken: nothing is given back before that is decided.
        waiting = f"{len(short)} lines are short of what other orders have set aside"
        raise Postponed(waiting, replace(command, short_since=since))
    metrics.STOCK_OUTS.record()
    log.info("stock_rejected: %d of %d lines are short, the first %s", len(short), len(lines), short[0])
    rejecting = Decision(order_id, State.REJECTING, lines, short[:SHORTAGES_SHOWN], len(short))
    await _reject(await _decide(rejecting, deps), deps)


async def _decide(decision: Decision, deps: Dependencies) -> Decision:
    """Store the decision before acting on it. Another copy may have decided: then AlreadyExists has the command
    looked at anew, and what stands is what counts."""
    return await deps.decisions.save(decision)


async def _take(order_id: str, lines: Sequence[ReservedLine], deps: Dependencies) -> bool:
    """Take the lines, the scarce ones one by one, then the others sixteen at a time; False, and nothing further, after
    a short one. What the look says decides about the order alone: whether a line is short, the take itself tells."""

    async def take(line: ReservedLine) -> bool:
        return await at_once(lambda: deps.stock.take(line.sku, order_id, line.quantity), deps.system)

    scarce, plentiful = in_order_of_taking(lines, await deps.stock.find([line.sku for line in lines]))
    for some in (*batched(scarce, 1, strict=False), *batched(plentiful, AT_A_TIME, strict=False)):
        if not all(await for_each(some, take)):
            return False
    return True


async def _shortages(order_id: str, lines: Sequence[ReservedLine], deps: Dependencies) -> tuple[Shortage, ...]:
    """The lines that are short by now. Raises Contended where none is any more: take again."""
    skus = [line.sku for line in lines]
    held = await deps.stock.reservations([(order_id, sku) for sku in skus])
    short = shortages(lines, await deps.stock.find(skus), held.get(order_id, ()))
    if not short:
        raise Contended("what was short has come back")
    return short


async def _end_lines(decision: Decision, end: Callable[[str, str, int], Awaitable[None]], system: System) -> None:
    async def end_line(line: ReservedLine) -> None:
        await at_once(lambda: end(line.sku, decision.order_id, line.quantity), system)

    await for_each(decision.lines, end_line)


async def _reject(decision: Decision, deps: Dependencies) -> None:
    # Every line, also those never taken: a frozen copy may still be about to take them.
    await _end_lines(decision, deps.stock.give_back, deps.system)
    await _conclude(decision, State.REJECTED, _rejected(decision), deps)


async def _reject_then_released(decision: Decision, deps: Dependencies) -> None:
    await _reject(decision, deps)
    await _again(StockReleased(decision.order_id), decision, deps)


def _rejected(decision: Decision) -> StockRejected:
    short = tuple(contracts.Shortage(line.sku, line.wanted, line.available) for line in decision.shortages)
    return StockRejected(decision.order_id, short, decision.shortage_count)


async def _give_back(decision: Decision, deps: Dependencies) -> None:
    await _end_lines(decision, deps.stock.give_back, deps.system)
    await _conclude(decision, State.RELEASED, StockReleased(decision.order_id), deps)


async def _commit(decision: Decision, deps: Dependencies) -> None:
    await _end_lines(decision, deps.stock.use_up, deps.system)
    await _conclude(decision, State.COMMITTED, StockCommitted(decision.order_id), deps)


async def _conclude(decision: Decision, state: State, event: Contract, deps: Dependencies) -> None:
    await deps.decisions.save(replace(decision, state=state), [fact(event, decision.order_id, deps.system)])


async def _again(event: Contract, decision: Decision, deps: Dependencies) -> None:
    await deps.outbox.publish_again(fact(event, decision.order_id, deps.system))


_STEPS: dict[Act, Callable[[Decision, Dependencies], Awaitable[None]]] = {
    Act.FINISH_REJECTING: _reject,
    Act.GIVE_BACK: _give_back,
    Act.REJECT_THEN_RELEASED: _reject_then_released,
    Act.COMMIT: _commit,
    Act.RESERVED_AGAIN: lambda decision, deps: _again(StockReserved(decision.order_id), decision, deps),
    Act.REJECTED_AGAIN: lambda decision, deps: _again(_rejected(decision), decision, deps),
    Act.RELEASED_AGAIN: lambda decision, deps: _again(StockReleased(decision.order_id), decision, deps),
    Act.COMMITTED_AGAIN: lambda decision, deps: _again(StockCommitted(decision.order_id), decision, deps),
}


async def get_stock(sku: str, stock: Stock) -> StockItem:
    """The stock item of a product. Refused with 404."""
    item = await stock.get(sku)
    if item is None:
        raise not_found(f"stock item {sku}")
    return item


async def get_reserved(sku: str, deps: Dependencies) -> tuple[StockItem, int | None]:
    """The stock item of a product, an empty one where there is none, and how many units its active reservations had
    while it was that: None where it didn't stand still for so long, or they are too many."""
    seen: str | None = None
    for _ in range(_LOOKS):
        reserved = await deps.stock.reserved(sku)
        item = await deps.stock.get(sku) or StockItem(sku, 0, 0)
        if reserved in (None, item.reserved) or item.etag == seen:
            return item, reserved
        seen = item.etag
    return item, None


async def get_reservations(
    order_ids: Collection[str], deps: Dependencies
) -> list[tuple[Decision, dict[str, ReservationState]]]:
    """What was decided about these orders, and how the reservations of each stand, by SKU."""
    decisions = await deps.decisions.find(order_ids)
    lines = [(each.order_id, line.sku) for each in decisions for line in each.lines]
    states = await deps.stock.reservations(lines)
    return [(each, states.get(each.order_id, {})) for each in decisions]


async def count_stock(
    sku: str, on_hand: int, stock: Stock, preconditions: Preconditions, count_id: str, by: Actor
) -> tuple[StockItem, bool]:
    """Set how many are in the house; the item, and whether it is new. A count that was made before is answered
    with what it made of the item, which has its ETag only while nothing else has changed it.

    Refused with 412 where a precondition doesn't hold, 409 below what is set aside, 422 where the count's id was
    used for another one. A write that lost a race raises ConditionFailed or AlreadyExists: look anew.
    """
    item = await stock.get(sku)
    if item and (done := item.count(count_id)):
        return _counted_before(item, done, on_hand), done.new
    if not preconditions.hold(item.etag if item else None):
        raise precondition_failed("stock item")
    try:
        counted = (item or StockItem(sku, 0, 0)).counted(on_hand, count_id)
    except BelowReserved as below:
        raise Refused(
            409,
            "below-reserved",
            "The count is below what is set aside for orders under way.",
            f"onHand should be {below.reserved} at least.",
        ) from None
    audit = by.changed("stock", sku, _recorded(item), _recorded(counted))
    return await stock.save(counted, audit=audit), item is None


def _recorded(item: StockItem | None) -> Recorded:
    """What the audit sees of a stock item."""
    return {"onHand": item.on_hand, "available": item.available} if item else {}


def _counted_before(item: StockItem, done: Count, on_hand: int) -> StockItem:
    if done.on_hand != on_hand:
        raise key_reused("count")
    unchanged = (item.on_hand, item.available) == (done.on_hand, done.available)
    return StockItem(item.sku, done.on_hand, done.available, etag=item.etag if unchanged else "")
