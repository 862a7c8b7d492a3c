"""`python -m local.service_bus --state DIR --port AMQP_PORT --control-port HTTP_PORT [--topology FILE]`."""

import asyncio
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import uvloop

from local import part
from local.faults import Stats, end_on_signals
from local.faults import server as http_server
from local.service_bus.broker import Broker
from local.service_bus.control import KINDS, BrokerFaults, application
from local.service_bus.entities import Directory
from local.service_bus.security import Gate
from local.service_bus.server import Server
from local.service_bus.store import Store
from local.state import StackError, read_kept
from local.topology import FILE, load


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exit status 2, with one line that says why, when it can't start."""
    parser = part.parser(__doc__)
    parser.add_argument("--control-port", type=int, required=True, help="HTTP, on 127.0.0.1")
    parser.add_argument("--topology", type=Path, default=FILE, help="the entities (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        topology = load(arguments.topology)
        keys = read_kept(arguments.state, "keys.json", "serviceBus")["serviceBus"]
        # The loop goes on for some rounds as it ends, and what is due in them still writes: the store outlives it.
        with closing(Store(arguments.state / "service_bus" / "messages.db")) as store:
            stats, faults = Stats("byEntity"), BrokerFaults(KINDS)
            broker = Broker(Directory(topology), store, stats)
            server = Server(broker, Gate(topology, keys), faults, stats, arguments.port)
            end_on_signals()
            asyncio.run(_serve(server, faults, stats, arguments.control_port), loop_factory=uvloop.new_event_loop)
    except (OSError, StackError) as error:
        parser.exit(2, f"local.service_bus: can't start: {type(error).__name__}: {error}\n")


async def _serve(server: Server, faults: BrokerFaults, stats: Stats, control_port: int) -> None:
    asyncio.get_running_loop().set_exception_handler(_die)
    await server.start()
    await http_server(application(server, faults, stats), control_port).serve()


def _die(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Memory and disk may differ after an error that isn't a connection's: only a new start, from disk, is safe."""
    loop.default_exception_handler(context)
    error = context.get("exception")
    if isinstance(error, Exception) and not isinstance(error, OSError):
        os._exit(70)


if __name__ == "__main__":
    main()
