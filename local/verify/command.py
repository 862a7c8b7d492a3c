"""`verify` and `order` of the command line."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from local.supervisor import REPOSITORY
from local.verify.history import tell
from local.verify.invariants import Finding
from local.verify.looking import look, status_of
from local.verify.reading import reader

State = Annotated[Path, typer.Option("--state", help="The folder of all state.")]
DEFAULT_STATE = REPOSITORY / ".state"


def verify(
    state: State = DEFAULT_STATE,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for the system to drain.")] = 0.0,
) -> None:
    """Check the invariants: exit status 1 when one is broken or anything is parked, 3 when messages are under way."""
    findings = asyncio.run(look(state, wait))
    for line in lines_of(findings):
        typer.echo(line)
    raise typer.Exit(status_of(findings))


def order(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="An order's id.")], state: State = DEFAULT_STATE
) -> None:
    """Print an order's history, its documents and messages, and what it waits for."""
    lines = asyncio.run(_order(state, order_id))
    if not lines:
        typer.echo(f"There is no order {order_id}.", err=True)
        raise typer.Exit(1)
    for line in lines:
        typer.echo(line)


def lines_of(findings: Iterable[Finding]) -> Iterable[str]:
    """The findings in lines of text: each with the number of things examined, and every offending id."""
    for finding in findings:
        verdict = "holds" if finding.holds else "NOT YET" if finding.name == "drained" else "BROKEN"
        yield f"{finding.name:<14}{verdict:<9}{finding.checked} examined"
        yield from (f"  {violation}" for violation in finding.violations)


async def _order(state: Path, order_id: str) -> list[str]:
    async with reader(state) as stack:
        return await tell(stack, order_id)
