"""The local stack's command line: `python -m local COMMAND`."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from azure.core.exceptions import AzureError
from typer.core import TyperGroup

from local import topology
from local.identity.command import token
from local.replay.command import replay
from local.stack import CORE_TOOLS_SETTINGS, settings, shop_currency, stack_of
from local.state import NoStackError, StackError, hold, is_free
from local.supervisor import REPOSITORY, Supervisor
from local.verify.command import DEFAULT_STATE, State, order, verify
from local.verify.parked import app as parked
from local.verify.stack import read_stack


class Commands(TyperGroup):
    """Commands that end with a message, and no traceback, where the stack or a file that they need isn't there."""

    def invoke(self, ctx: Any) -> object:
        """Run the one that was asked for."""
        try:
            return super().invoke(ctx)
        except StackError as error:
            status, complaint = error.status, str(error)
        except (AzureError, httpx.HTTPError) as error:
            status, complaint = 2, f"The stack can't be asked: {error}"
        except BrokenPipeError:  # whoever reads has had enough
            raise
        except OSError as error:
            status, complaint = 2, str(error)
        typer.echo(complaint, err=True)
        raise typer.Exit(status)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=__doc__,
)
_WITH_MORE = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_WITH_MORE)
def up(
    context: typer.Context,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget all state first.")] = False,
    split: Annotated[bool, typer.Option("--split", help="A functions host for each context.")] = False,
    stand_ins: Annotated[bool, typer.Option("--stand-ins", help="No functions host: `func start` is one.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the API answers.")] = 7071,
    amqp_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Where Service Bus answers: 5672 for clients that know no other."),
    ] = None,
    state: State = DEFAULT_STATE,
    traces: Annotated[bool, typer.Option("--traces", help="Keep spans: `order` shows an order's as a tree.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Start again a part that dies.")] = False,
    sales: Annotated[
        Path | None,
        typer.Option("--replay", exists=True, dir_okay=False, help="Replay FILE; takes `replay`'s options, too."),
    ] = None,
    then_end: Annotated[bool, typer.Option("--exit", help="End after the replay, with its status.")] = False,
) -> None:
    """Start the stack and serve until Ctrl-C."""
    errand: list[str] = []
    if sales is not None:
        errand = [str(sales), "--state", str(state), *context.args]
        # Parsed now, so that a wrong option is refused before anything starts.
        alone = typer.Typer(rich_markup_mode=None)
        alone.command()(replay)
        typer.main.get_command(alone).make_context("replay", [*errand], context.parent)
    elif context.args:
        raise typer.BadParameter(f"{context.args[0]} means nothing without --replay")
    if amqp_port == port:
        raise typer.BadParameter(f"{port} is the API's port (--port): name another", param_hint="--amqp-port")
    with hold(state, fresh=fresh) as folder:
        for option, wanted in (("--port", port), ("--amqp-port", amqp_port)):
            if wanted and not is_free(wanted):
                raise StackError(f"Port {wanted} is in use: end what listens there, or name another with {option}.")
        parts = stack_of(folder, port, split=split, amqp_port=amqp_port, traces=traces)[: 1 if stand_ins else None]
        api, currency = f"http://127.0.0.1:{port}/api", shop_currency()
        supervisor = Supervisor(folder, api, parts, restart=restart, currency=currency, say=typer.echo)
        status = supervisor.run(errand and ["local", "replay", *errand], then_end=then_end)
    raise typer.Exit(status)


for command in (replay, verify, order, token):
    app.command()(command)
app.add_typer(parked, name="parked")


@app.command("settings")
def print_settings(state: State = DEFAULT_STATE) -> None:
    """Print a local.settings.json with which `func start` uses the stand-ins that run."""
    stack = read_stack(state)
    ports = {name: urlsplit(part.address).port or 0 for name, part in stack.parts.items()}
    contexts = topology.load().contexts
    values = CORE_TOOLS_SETTINGS | settings(contexts, ports, stack.keys, dict.fromkeys(contexts, stack.api))
    values["SHOP_CURRENCY"] = stack.currency
    at = {"LocalHttpPort": urlsplit(stack.api).port}
    typer.echo(json.dumps({"IsEncrypted": False, "Values": values, "Host": at}, indent=2))


@app.command(context_settings=_WITH_MORE)
def conformance(
    context: typer.Context,
    state: State = DEFAULT_STATE,
    cosmos_endpoint: Annotated[str, typer.Option(help="Another Cosmos DB, in place of the stack's.")] = "",
    cosmos_key: Annotated[str, typer.Option(help="Its key.")] = "",
    service_bus_connection: Annotated[str, typer.Option(help="A Service Bus with the tests' entities.")] = "",
) -> None:
    """Run the stand-ins' conformance tests. What else is given goes to pytest.

    The stack that runs is tested; without one, and for Service Bus, whose tests have entities of their own, a
    stand-in is started. The options name other services.
    """
    if not cosmos_endpoint:
        with contextlib.suppress(NoStackError):
            stack = read_stack(state)
            cosmos_endpoint, cosmos_key = stack.parts["cosmos"].address, stack.keys["cosmos"]["operator"]
    options = {
        "--cosmos-endpoint": cosmos_endpoint,
        "--cosmos-key": cosmos_key,
        "--service-bus-connection": service_bus_connection,
    }
    given = [f"{name}={value}" for name, value in options.items() if value]
    pytest = [sys.executable, "-m", "pytest", "tests/conformance", *given, *context.args]
    raise typer.Exit(subprocess.run(pytest, cwd=REPOSITORY, check=False).returncode)


if __name__ == "__main__":
    # The SDKs, here and in the parts, would ask a proxy that the environment names for 127.0.0.1, too.
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(filter(None, [os.environ.get(variable), "127.0.0.1"]))
    app()
