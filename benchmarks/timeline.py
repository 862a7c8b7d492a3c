"""What the context `operations` adds to an order: request units, which are counted, and time."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from secrets import token_hex

from benchmarks.comparison import Comparison, Way, compare
from benchmarks.report import How, Report
from benchmarks.shop import ORDER, SKUS, Shop
from local.identity.issuer import Caller, Role, Tokens
from local.replay.client import WAREHOUSE, Api
from local.verify.stack import read_stack
from scripts.measure_orders import (
    LINES,
    NEVER,
    PATIENCE_SECONDS,
    ROOT,
    Counts,
    placed_to_completed,
    quiet,
    read,
    stack,
    stock_up,
)

CONTEXT = "operations"
UNITS_BOUND, TIME_BOUND = 1.15, 1.10
WITH_A_LIMIT = {"ORDERS_PER_CUSTOMER_PER_MINUTE": "1000000"}
"""Orders a minute are counted, as a shop counts them, and nobody places so many."""
STILL = WITH_A_LIMIT | {"SWEEP_SCHEDULE": NEVER}
COUNTED_ORDERS = 3
"""Of each size, each a round."""
ORDERS_A_RUN = 10
"""Placed between two runs of the timer, and as many dispatched. By default it runs once a minute: it is as if ten
orders were placed a minute, which is what a shop of 100,000 a month has in its busy hours (docs/cost.md)."""
RUNS_BEFORE, RUNS = 7, 3
"""Until each run finds as much as the one before, and that are counted."""
WARM_UP_ORDERS = 10


def measure(how: How) -> Report:
    """Request units of orders of each size, and the time that one takes."""
    run = how.of(10, 3)
    with tempfile.TemporaryDirectory() as folder:
        whole, bare = Path(folder, "whole"), Path(folder, "bare")
        without = {"PYTHONPATH": str(tree_without(CONTEXT, Path(folder, "tree")))}
        # As in Azure each context has a process of its own.
        split = "local", "up", "--split"
        with stack(whole, STILL, split), stack(bare, STILL | without, split):
            swept, bare_swept = Path(folder, "swept"), Path(folder, "bare-swept")
            with stack(swept, timed(run)), stack(bare_swept, timed(run) | without):
                units = asyncio.run(request_units((whole, bare), (swept, bare_swept), run))
            return Report([*units, ordering(Shop(whole), Shop(bare), how.of(20, 2))])


def timed(run: int) -> dict[str, str]:
    """Settings under which a timer runs every so many seconds."""
    return WITH_A_LIMIT | {
        "SWEEP_SCHEDULE": f"*/{run} * * * * *",
        # As often as by default is each order compared, only sooner.
        "OPERATIONS_RECONCILE_AFTER_SECONDS": f"{run}",
        "OPERATIONS_RECONCILE_WINDOW_SECONDS": f"{3 * run}",
    }


def tree_without(context: str, folder: Path) -> Path:
    """A copy of the application and of the local stack whose topology has no such context: nobody subscribes for it."""
    folder.mkdir()
    for name in ("local", "services", "shared", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("function_app.py", "host.json", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    file = folder / "infra" / "topology.json"
    topology = json.loads(file.read_text())
    of_context = {context, f"{context}-dead"}
    topology["contexts"].remove(context)
    for section, name in (
        ("apps", "context"),
        ("containers", "name"),
        ("queues", "name"),
        ("subscriptions", "name"),
        ("grants", "context"),
    ):
        topology[section] = [each for each in topology[section] if each[name] not in of_context]
    file.write_text(json.dumps(topology))
    return folder


async def request_units(still: Sequence[Path], swept: Sequence[Path], run: int) -> list[Comparison]:
    """An order of each size. What the others' containers take is counted with no timer, order by order; what operations
    adds, to whichever container, as the difference of two stacks whose timers run."""
    (whole, bare), (with_it, without_it) = await asyncio.gather(
        asyncio.gather(*map(order_by_order, still)), asyncio.gather(*(with_timers(each, run) for each in swept))
    )
    added = with_it - without_it
    return [
        Comparison(
            f"an order of {lines} line{'s' * (lines > 1)}",
            UNITS_BOUND,
            tuple(total(each) - each[CONTEXT]["requestUnits"] + added for each in whole[lines]),
            tuple(map(total, bare[lines])),
            "RU",
        )
        for lines in LINES
    ]


def total(counts: Counts) -> float:
    """Request units of all containers."""
    return sum(each.get("requestUnits", 0.0) for each in counts.values())


async def order_by_order(state: Path) -> dict[int, list[Counts]]:
    """What orders of each size take, one at a time."""
    found: dict[int, list[Counts]] = {lines: [] for lines in LINES}
    async with aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        await stock_up(api, state, max(LINES))
        await placed_to_completed(api, state, 1)
        before = await quiet(state)
        for lines in LINES:
            for _ in range(COUNTED_ORDERS):
                await placed_to_completed(api, state, lines)
                after = await quiet(state)
                found[lines].append(after.less(before)["cosmos"])
                before = after
    return found


async def with_timers(state: Path, seconds: int) -> float:
    """What an order of one line takes in all, its share of the timers' runs with it: each finds some that were placed
    since, and some that were dispatched."""
    async with aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        await stock_up(api, state, 1)
        placed: list[str] = []
        for run in range(RUNS_BEFORE + RUNS):
            await a_run(seconds)
            if run == RUNS_BEFORE:
                before = await read(state)
            await asyncio.gather(*(dispatch(api, order_id) for order_id in placed))
            placed = await asyncio.gather(*(place(api) for _ in range(ORDERS_A_RUN)))
        await a_run(seconds)
        return total((await read(state)).less(before)["cosmos"]) / (RUNS * ORDERS_A_RUN)


async def a_run(seconds: int) -> None:
    """Wait until the timer has run once more."""
    await asyncio.sleep(seconds - (time.time() - seconds / 5) % seconds)


async def place(api: Api) -> str:
    """Place an order of one line; its id."""
    body = ORDER | {"lines": [{"sku": "MUG-0", "quantity": 1}]}
    buyer = Caller(Role.CUSTOMER, f"guest-{token_hex(8)}")
    return str((await api.call(buyer, "POST", "orders", body)).raise_for_status().json()["orderId"])


async def dispatch(api: Api, order_id: str) -> None:
    """Send its parcel, once shipping knows of it."""
    sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await api.call(WAREHOUSE, "POST", f"shipments/shp_{order_id}/dispatch", sent)
        if answer.status_code != 404 or time.monotonic() > give_up:
            break
        await asyncio.sleep(0.2)
    answer.raise_for_status()


def ordering(whole: Shop, bare: Shop, rounds: int) -> Comparison:
    """An order of three lines is placed, dispatched and completed; then the next, once whoever listens has heard all of
    this one."""
    for shop in (whole, bare):
        shop.stock_up()
        for _ in range(WARM_UP_ORDERS):
            shop.complete()
    ways = (Way(shop.complete, shop.processor, shop.rest) for shop in (whole, bare))
    return compare(f"an order of {len(SKUS)} lines, end to end", TIME_BOUND, *ways, rounds=rounds, turns=2)[0]
