"""What the context `operations` adds to an order: request units, which are counted, and time."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from secrets import token_hex

from benchmarks.comparison import Comparison, Way, compare
from benchmarks.report import How, Report, Table
from benchmarks.shop import ORDER, SKUS, Shop
from local.identity.issuer import Caller, Role, Tokens
from local.replay.client import WAREHOUSE, Api, Client
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
    replies_apart,
    stack,
    stock_up,
)

CONTEXT = "operations"
UNITS_BOUND, TIME_BOUND = 1.15, 1.10
WITH_A_LIMIT = {"ORDERS_PER_CUSTOMER_PER_MINUTE": "1000000"}
"""Orders a minute are counted, as a shop counts them, and nobody places so many."""
STILL = WITH_A_LIMIT | {"SWEEP_SCHEDULE": NEVER}
RUN_SECONDS = 3
RUNS_IN_A_WINDOW, RUNS_A_COMPARING = 60, 10
"""By default the timer runs once a minute, the window is an hour, and compared is six times in it."""
TIMED = WITH_A_LIMIT | {
    "SWEEP_SCHEDULE": f"*/{RUN_SECONDS} * * * * *",
    "OPERATIONS_RECONCILE_WINDOW_SECONDS": f"{RUNS_IN_A_WINDOW * RUN_SECONDS}",
}
ORDERS_A_RUN = 10
"""Placed between two runs of the timer, and as many dispatched. By default it runs once a minute: it is as if ten
orders were placed a minute, which is what a shop of 100,000 a month has in its busy hours (docs/cost.md)."""
STORE_SECONDS = 0.004
"""What Azure's store takes to answer, at the median: so long for a read, 5 ms for a write (*Consistency levels and
latency*, https://learn.microsoft.com/azure/cosmos-db/consistency-levels). The stand-in answers within one."""
_AT_ONCE = ("where the store answers at once", "bare, ms", "whole, ms", "ratio", "middle half")
RUNS_BEFORE, RUNS = RUNS_IN_A_WINDOW + RUNS_A_COMPARING, 4 * RUNS_A_COMPARING
"""Until each comparing finds as much as the one before, and that are counted: so many that it hardly matters whether a
comparing more or less is among them."""


def measure(how: How) -> Report:
    """Request units of orders of each size, and the time that one takes. Quickly, timers are left out."""
    with tempfile.TemporaryDirectory() as folder:
        whole, bare = Path(folder, "whole"), Path(folder, "bare")
        without = {"PYTHONPATH": str(tree_without(CONTEXT, Path(folder, "tree")))}
        # As in Azure each context has a process of its own.
        split = "local", "up", "--split"
        with stack(whole, STILL, split), stack(bare, STILL | without, split):
            with ExitStack() as running:
                swept = {Path(folder, "swept"): TIMED, Path(folder, "bare-swept"): TIMED | without}
                for state, settings in how.of(swept, {}).items():
                    running.enter_context(stack(state, settings))
                units = asyncio.run(request_units((whole, bare), how.of([*swept], []), how.of(3, 1)))
            at_once = ordering(whole, bare, how.of(10, 2))
            asyncio.run(hold_answers_back(STORE_SECONDS, whole, bare))
            as_in_azure = ordering(whole, bare, how.of(12, 2))
    low, high = at_once.spread
    told = [f"{at_once.ratio:.3f}", f"{low:.3f} – {high:.3f}"]
    return Report([*units, as_in_azure], [Table(_AT_ONCE, [[at_once.name, *reversed(at_once.typical), *told]])])


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


async def request_units(still: Sequence[Path], swept: Sequence[Path], number: int) -> list[Comparison]:
    """An order of each size, so many of each. What the others' containers take is counted with no timer, order by
    order; what operations adds, to whichever container, as the difference of two stacks whose timers run, if there are
    such."""
    (whole, bare), timed = await asyncio.gather(
        asyncio.gather(*(order_by_order(each, number) for each in still)), asyncio.gather(*map(with_timers, swept))
    )

    def units(counts: Counts) -> float:
        return total(counts) - counts[CONTEXT]["requestUnits"] + timed[0] - timed[1] if timed else total(counts)

    return [
        Comparison(
            f"an order of {lines} line{'s' * (lines > 1)}",
            UNITS_BOUND,
            tuple(map(units, whole[lines])),
            tuple(map(total, bare[lines])),
            "RU",
        )
        for lines in LINES
    ]


def total(counts: Counts) -> float:
    """Request units of all containers."""
    return sum(each.get("requestUnits", 0.0) for each in counts.values())


async def order_by_order(state: Path, number: int) -> dict[int, list[Counts]]:
    """What orders of each size take, one at a time."""
    found: dict[int, list[Counts]] = {lines: [] for lines in LINES}
    async with replies_apart(state), aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        await stock_up(api, state, max(LINES))
        await placed_to_completed(api, state, 1)
        before = await quiet(state)
        for lines in LINES:
            for _ in range(number):
                await placed_to_completed(api, state, lines)
                after = await quiet(state)
                found[lines].append(after.less(before)["cosmos"])
                before = after
    return found


async def with_timers(state: Path) -> float:
    """What an order of one line takes in all, its share of the timers' runs with it: each finds some that were placed
    since, and some that were dispatched."""
    # Not for so long that an order's events come in more runs than they would.
    async with replies_apart(state, RUN_SECONDS / 10), aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        await stock_up(api, state, 1)
        placed: list[str] = []
        for run in range(RUNS_BEFORE + RUNS):
            await a_run()
            if run == RUNS_BEFORE:
                before = await read(state)
            await asyncio.gather(*(dispatch(api, order_id) for order_id in placed))
            placed = await asyncio.gather(*(place(api) for _ in range(ORDERS_A_RUN)))
        await a_run()
        return total((await read(state)).less(before)["cosmos"]) / (RUNS * ORDERS_A_RUN)


async def a_run(seconds: int = RUN_SECONDS) -> None:
    """Wait until timers that run every so many seconds have run once more."""
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


async def hold_answers_back(seconds: float, *stacks: Path) -> None:
    """From now on the store of each stack answers so much later."""
    for state in stacks:
        async with aclosing(Client(read_stack(state).parts["cosmos"].control)) as store:
            (await store.send("POST", "_faults", {"kind": "slow", "seconds": seconds})).raise_for_status()


def ordering(whole: Path, bare: Path, rounds: int) -> Comparison:
    """An order of three lines is placed, dispatched and completed; then the next, once whoever listens has heard all of
    this one."""
    shops = Shop(whole), Shop(bare)
    for shop in shops:
        shop.stock_up()
        for _ in range(min(rounds, 10)):
            shop.complete()
    ways = (Way(shop.complete, shop.processor, shop.rest) for shop in shops)
    return compare(f"an order of {len(SKUS)} lines, end to end", TIME_BOUND, *ways, rounds=rounds, turns=2)[0]
