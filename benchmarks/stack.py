"""The local stack around another application: `python -m benchmarks.stack --app DIR`, and otherwise as
`python -m local up`."""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

from local.stack import shop_currency, stack_of
from local.state import hold
from local.supervisor import Supervisor


def main() -> int:
    """Serve until SIGTERM; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="the folder of its function_app.py")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    with hold(given.state, fresh=given.fresh) as folder:
        stand_ins, [host] = stack_of(folder, given.port)
        host = replace(host, command=(*host.command, "--app", str(given.app.absolute())))
        api = f"http://127.0.0.1:{given.port}/api"
        say = partial(print, flush=True)  # whoever waits for it reads a file
        return Supervisor(folder, api, [stand_ins, [host]], currency=shop_currency(), say=say).run()


if __name__ == "__main__":
    raise SystemExit(main())
