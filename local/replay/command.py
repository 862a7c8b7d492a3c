"""`replay` of the command line."""

import asyncio
import csv
import json
import random
from contextlib import aclosing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import httpx
import typer
from azure.core.exceptions import AzureError

from local.identity.issuer import Tokens
from local.replay.client import Api, RefusedError, UnansweredError
from local.replay.figures import figures, take_reading
from local.replay.form import Dates, UnusableFileError
from local.replay.journey import Journey, Load
from local.replay.loading import load
from local.replay.plan import Plan, plan
from local.replay.progress import Gauge
from local.replay.report import Report
from local.replay.sales import Sales, read
from local.state import StackError
from local.verify.command import DEFAULT_STATE, State, lines_of
from local.verify.looking import BROKEN, NOT_DRAINED, look, status_of
from local.verify.placed import remembering
from local.verify.stack import read_stack

BAD_INPUT = 2
_DRAINING = 120.0


def replay(
    file: Annotated[Path, typer.Argument(help="Sales as CSV, in the columns of the UCI Online Retail data sets.")],
    state: State = DEFAULT_STATE,
    stock_factor: Annotated[str, typer.Option(help="Stock as a share of what is ordered.")] = "1.0",
    decline_every: Annotated[int | None, typer.Option(min=1, help="Decline every so manieth order's card.")] = None,
    cancel_every: Annotated[int | None, typer.Option(min=1, help="Cancel every so manieth order.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="So many orders are placed at a time.")] = 8,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="Place so many orders a second instead, whatever becomes of them (an open loop)."),
    ] = None,
    dates: Annotated[Dates | None, typer.Option(help="The order of dates, where the file leaves it open.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes when orders are cancelled and dispatched.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report there, as JSON.")] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Write the rows that can't be sold there.", show_default="STATE/replay/rejects.csv"),
    ] = None,
) -> None:
    """Replay real sales against the running stack, and check that nothing was lost, oversold or charged twice."""
    try:
        factor = Decimal(stock_factor)
    except InvalidOperation:
        factor = Decimal("NaN")
    if not factor.is_finite() or factor < 0:
        raise typer.BadParameter(f"{stock_factor} is no number from 0 up", param_hint="--stock-factor")
    sales = read(file, read_stack(state).currency, dates)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.touch()  # rather now than after the replay, if it can't be written
    typer.echo(f"{file} is read as {sales.form}")
    _write_rejects(rejects or state / "replay" / "rejects.csv", sales)
    planned = plan(sales, factor, decline_every, cancel_every)
    if not planned.orders:
        raise UnusableFileError(f"{file} holds no order: {sales.explain_nothing()}")
    seed = random.randrange(2**32) if seed is None else seed
    typer.echo(f"Replaying {len(planned.orders)} orders of {len(planned.products)} products with --seed {seed}")
    raise typer.Exit(_replay(planned, state, Load(concurrency, rate), seed, report))


def _replay(planned: Plan, state: Path, how: Load, seed: int, report: Path | None) -> int:
    """Replays and reports; the exit status."""
    failures: list[Exception] = []
    try:
        finished = asyncio.run(_play(planned, state, how, seed))
    except* (UnansweredError, RefusedError, StackError, AzureError, httpx.HTTPError) as group:
        failures += group.exceptions
    if failures:
        while isinstance(failure := failures[0], ExceptionGroup):
            failures = [*failure.exceptions]
        typer.echo(f"The replay can't go on: {failure}", err=True)
        return BAD_INPUT if isinstance(failure, RefusedError) else NOT_DRAINED
    for line in (*finished.summary(), *lines_of(finished.findings)):
        typer.echo(line)
    if report is not None:
        report.write_text(json.dumps(finished.document(), indent=2) + "\n")
    if finished.outcome.failures or status_of(finished.findings) == BROKEN:
        return BROKEN
    return NOT_DRAINED if finished.outcome.unsettled else status_of(finished.findings)


async def _play(planned: Plan, state: Path, how: Load, seed: int) -> Report:
    async with aclosing(Api(read_stack(state).api, Tokens(state).of)) as api:
        gauge = Gauge(typer.echo)
        with remembering(state) as remember:
            refused = await load(api, planned, gauge)
            before = await take_reading(state)
            outcome = await Journey(api, seed, gauge, remember).make(planned.orders, how)
            after = await take_reading(state)
    outcome.complaints += refused
    return Report(planned, how, outcome, figures(outcome, before, after), await look(state, _DRAINING))


def _write_rejects(path: Path, sales: Sales) -> None:
    """A header, then of each row its line, the reason and its fields, with the very bytes of those that are no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Line", "Reason", *sales.header])
        writer.writerows([reject.line, reject.reason, *reject.fields] for reject in sales.rejects)
