"""`parked` of the command line: what can't succeed, and what to make of it, by the API as its admins have it."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urljoin

import httpx
import typer

from local import topology
from local.identity.issuer import Caller, Role, mint
from local.verify.command import DEFAULT_STATE, State
from local.verify.stack import read_stack

app = typer.Typer(rich_markup_mode=None, help="Messages that could not be handled and are kept for a person.")


def _there(context: str) -> str:
    if context not in (known := topology.load().contexts):
        raise typer.BadParameter(f"there is no context {context}: name one of {', '.join(known)}")
    return context


Context = Annotated[str, typer.Argument(metavar="CONTEXT", callback=_there, help="The context that keeps it.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, as the list has it.")]


@app.callback(invoke_without_command=True)
def parked(context: typer.Context, state: State = DEFAULT_STATE) -> None:
    """List them, or say what is to be done about one."""
    if context.invoked_subcommand is None:
        list_parked(state)


@app.command("list")
def list_parked(state: State = DEFAULT_STATE) -> None:
    """List those of every context, oldest first."""
    lines = [
        f"{context:<10} {each['id']}  {each.get('type', 'no type')} of {each.get('subject', 'nothing known')} from "
        f"{each['queue']}, parked at {each['parkedAt']}, {each['occurrences']} times in all, "
        f"after {each['attempts']} attempts: {each['reason']}{', and forgotten' * each['isForgotten']}"
        for context in topology.load().contexts
        for each in _listed(state, context)
    ]
    for line in lines or ["Nothing is parked."]:
        typer.echo(line)


@app.command()
def replay(
    context: Context,
    id: Id,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Have a message handled again."""
    path = f"/api/parked/{quote(context, safe='')}/{quote(id, safe='')}/replay"
    done = _asked(state, "POST", path, {"dryRun": str(dry_run).lower()})
    sent = "would be sent" if dry_run else f"is sent under the message id {done['messageId']}"
    typer.echo(f"The event {done['eventId']} {sent} to {done['sentTo']}.")


@app.command()
def discard(
    context: Context,
    id: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it isn't needed, for the audit.")],
    state: State = DEFAULT_STATE,
) -> None:
    """Let go of a message."""
    _asked(state, "DELETE", f"/api/parked/{quote(context, safe='')}/{quote(id, safe='')}", {"reason": reason})
    typer.echo("It is discarded.")


def _listed(state: Path, context: str) -> list[Any]:
    found, link = [], f"/api/parked/{context}"
    while link:
        page = _asked(state, "GET", link)
        found += page["value"]
        link = page.get("nextLink", "")
    return found


def _asked(state: Path, method: str, path: str, query: dict[str, str] | None = None) -> Any:
    """What the API answers an admin; ends the command where it refuses, or can't be reached."""
    stack = read_stack(state)
    headers = {"Authorization": f"Bearer {mint(state, Caller(Role.ADMIN, 'admin'))}"}
    with httpx.Client(trust_env=False, timeout=60, headers=headers) as api:
        answer = api.request(method, urljoin(stack.api, path), params=query)
    if answer.is_error:
        is_problem = "json" in answer.headers.get("Content-Type", "")
        told = answer.json() if is_problem else {"title": f"The API answers {answer.status_code}."}
        typer.echo(" ".join(told[name] for name in ("title", "detail") if name in told), err=True)
        raise typer.Exit(1)
    return answer.json()
