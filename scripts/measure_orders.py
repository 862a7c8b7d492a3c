"""Counts what an order costs, on a stack of its own: `python -m scripts.measure_orders FILE` writes the counts there.

Orders of several sizes are placed one at a time on a system that does nothing else, so that the counts are those of the
design: no contention, no two replies that meet, no second attempt, and no sweep, whose own cost is counted apart. An
order is placed, dispatched and completed; nobody looks at it meanwhile, so that no read is in the counts but the
application's own.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from local.identity.issuer import Caller, Role, Tokens
from local.replay.client import ADMIN, WAREHOUSE, Api, Client
from local.verify.stack import read_stack

ROOT = Path(__file__).parents[1]
LINES = (1, 3, 20)
ORDERS = 3
"""Of each size, after a first one that opens connections and isn't counted."""
NEVER = "0 0 0 29 2 *"
EVERY_SECOND = "* * * * * *"
SWEEPS = 5
STOCKED = 10_000
"""Of each product, before the first order."""
QUIET_SECONDS = 1.5
PATIENCE_SECONDS, START_SECONDS = 120.0, 300.0
CAPTURE_SECONDS = 3.0

type Counts = dict[str, dict[str, float]]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stack(
    state: Path, settings: Mapping[str, str], up: Sequence[str] = ("local", "up"), *, fresh: bool = True
) -> Iterator[None]:
    """A stack with these settings, on fresh state unless told, whose resends and calls of the provider wait for longer
    than any order takes; `up` is the module that starts it, and its arguments."""
    patient = {
        "ORDERS_FIRST_RESEND_SECONDS": "3600",
        "PAYMENT_PROVIDER_TIMEOUT_SECONDS": f"{5 * CAPTURE_SECONDS}",
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **patient, **settings}
    command = [sys.executable, "-P", "-m", *up, "--state", str(state), "--port", str(free_port())]
    command += ["--fresh"] if fresh else []
    with (
        (state.parent / f"{state.name}.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            give_up = time.monotonic() + START_SECONDS
            while b"Ready: " not in Path(log.name).read_bytes():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise SystemExit(f"the stack did not start: {Path(log.name).read_text()}")
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@dataclass(frozen=True)
class Reading:
    """What has been counted by now, by container and by queue or topic."""

    cosmos: Counts
    service_bus: Counts

    def less(self, earlier: "Reading") -> dict[str, Counts]:
        """What was counted between the two."""
        return {
            "cosmos": difference(earlier.cosmos, self.cosmos),
            "serviceBus": difference(earlier.service_bus, self.service_bus),
        }


def difference(earlier: Counts, later: Counts) -> Counts:
    """What was added to each counter; nothing of those that stand where they stood."""
    found: Counts = {}
    for name, counters in later.items():
        before = earlier.get(name, {})
        added = {key: round(value - before.get(key, 0), 3) for key, value in counters.items()}
        if moved := {key: value for key, value in added.items() if value}:
            found[name] = moved
    return found


async def read(state: Path) -> Reading:
    """The counters of both stand-ins."""
    answers = []
    for part in ("cosmos", "service_bus"):
        async with aclosing(Client(read_stack(state).parts[part].control)) as stand_in:
            answers.append((await stand_in.send("GET", "_stats")).raise_for_status().json())
    return Reading(answers[0].get("byContainer", {}), answers[1].get("byEntity", {}))


@asynccontextmanager
async def replies_apart(state: Path, seconds: float = CAPTURE_SECONDS) -> AsyncIterator[None]:
    """Meanwhile an order's two last replies don't meet, which would have one of them looked at twice: the provider
    takes its time over each capture."""
    slow = {"kind": "slow", "path": "/capture$", "seconds": seconds}
    async with aclosing(Client(read_stack(state).parts["payment_provider"].control)) as provider:
        (await provider.send("POST", "_faults", slow)).raise_for_status()
        yield
        (await provider.send("DELETE", "_faults")).raise_for_status()


async def quiet(state: Path, enough: Callable[[Reading], bool] = lambda _: True) -> Reading:
    """The counters once they haven't moved for a while, and hold what is waited for."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    last, since = await read(state), time.monotonic()
    while time.monotonic() < give_up:
        await asyncio.sleep(0.1)
        now = await read(state)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS and enough(now):
            return now
    raise SystemExit("the stack did not come to rest")


async def placed_to_completed(api: Api, state: Path, lines: int) -> str:
    """One order of so many products by somebody who placed none before, from its placing to its end; its id."""
    before = await read(state)
    buyer = Caller(Role.CUSTOMER, f"guest-{token_hex(8)}")
    body = {
        "email": "ada@example.com",
        "currency": "GBP",
        "paymentMethod": "pm_card_visa",
        "shippingAddress": {"name": "Ada Lovelace", "line1": "12 St James Square", "city": "London", "country": "GB"},
        "lines": [{"sku": f"MUG-{number}", "quantity": 2} for number in range(lines)],
    }
    order_id = str((await api.call(buyer, "POST", "orders", body)).raise_for_status().json()["orderId"])
    await quiet(state, lambda now: announced(now, before) == {"inventory": 1, "payments": 1, "shipping": 1})
    sent = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
    (await api.call(WAREHOUSE, "POST", f"shipments/shp_{order_id}/dispatch", sent)).raise_for_status()
    await quiet(state, lambda now: announced(now, before) == {"inventory": 2, "payments": 2, "shipping": 2})
    return order_id


def announced(now: Reading, before: Reading) -> dict[str, float]:
    """How many events of an order each of the contexts that it needs has published since."""

    def published(reading: Reading, context: str) -> float:
        return reading.service_bus.get(f"{context}-events", {}).get("messagesSent", 0)

    return {name: published(now, name) - published(before, name) for name in ("inventory", "payments", "shipping")}


async def stock_up(api: Api, state: Path, number: int) -> None:
    """So many products, each with plenty in the house."""
    skus = [f"MUG-{each}" for each in range(number)]
    products = [{"sku": sku, "name": "Enamel mug", "price": {"amount": 250, "currency": "GBP"}} for sku in skus]
    (await api.call(ADMIN, "POST", "products/import", {"products": products})).raise_for_status()
    for sku in skus:
        (
            await api.call(WAREHOUSE, "PUT", f"stock/{sku}", {"onHand": STOCKED}, {"If-None-Match": "*"})
        ).raise_for_status()
    await quiet(state, lambda now: now.service_bus.get("orders-prices", {}).get("completed", 0) >= len(skus))


def stored(state: Path) -> Counts:
    """Documents that are kept for longer than a day, and their bytes as JSON, by container."""
    kept = f"expires IS NULL OR expires > {time.time() + 86_400}"
    found: Counts = {}
    with closing(sqlite3.connect(f"file:{state / 'cosmos' / 'cosmos.sqlite'}?mode=ro", uri=True)) as db:
        for number, path in db.execute("SELECT number, path FROM resources WHERE path LIKE '%/colls/%'").fetchall():
            count, size = db.execute(
                f"SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM documents_{number} WHERE {kept}"
            ).fetchone()
            found[path.rpartition("/")[2]] = {"documents": count, "bytes": size}
    return found


def per(counts: Counts, number: float) -> Counts:
    """Counts of so many as those of one, by name."""
    return {
        name: {key: round(value / number, 2) for key, value in sorted(own.items())}
        for name, own in sorted(counts.items())
    }


async def orders(state: Path, sizes: Sequence[int], number: int) -> dict[str, Any]:
    """What an order of each size, one of so many, counts and leaves behind."""
    found = {}
    async with replies_apart(state), aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        await stock_up(api, state, max(sizes))
        await placed_to_completed(api, state, 1)
        for lines in sizes:
            before, kept = await quiet(state), stored(state)
            placed = [await placed_to_completed(api, state, lines) for _ in range(number)]
            counted = (await quiet(state)).less(before) | {"stored": difference(kept, stored(state))}
            for order_id in placed:
                order = (await api.call(ADMIN, "GET", f"orders/{order_id}")).raise_for_status().json()
                if order["status"] != "completed":
                    raise SystemExit(f"an order of {lines} lines is {order['status']}")
            found[str(lines)] = {kind: per(counts, number) for kind, counts in counted.items()}
    return found


async def sweeps(state: Path) -> Counts:
    """What one run of each context's timer costs where nothing is left to do."""

    def runs(now: Reading) -> float:
        return now.cosmos.get("catalog", {}).get("requests", 0)

    give_up = time.monotonic() + PATIENCE_SECONDS
    first = last = await read(state)
    while runs(last) < runs(first) + SWEEPS and time.monotonic() < give_up:
        await asyncio.sleep(0.2)
        last = await read(state)
    counted = difference(first.cosmos, last.cosmos)
    return per(counted, counted["catalog"]["requests"])


def measure_orders(sizes: Sequence[int], number: int = ORDERS) -> dict[str, Any]:
    """So many orders of each size on a fresh stack whose timers don't run, and which counts orders a minute as a shop
    does; what one counts."""
    settings = {"SWEEP_SCHEDULE": NEVER, "ORDERS_PER_CUSTOMER_PER_MINUTE": "60"}
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder, "state"), settings):
        return asyncio.run(orders(Path(folder, "state"), sizes, number))


def measure_sweeps() -> Counts:
    """A run of each timer on a fresh stack that has nothing to do."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder, "state"), {"SWEEP_SCHEDULE": EVERY_SECOND}):
        return asyncio.run(sweeps(Path(folder, "state")))


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    measured = {"orders": measure_orders(LINES), "sweep": measure_sweeps()}
    document = {"measured": datetime.now(UTC).date().isoformat(), **measured}
    file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
