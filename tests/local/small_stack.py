"""A stack of two small parts, `store` and, when that serves, `shop`, for the supervisor's tests.

`python small_stack.py '{"state": DIR, …}'` runs it under a supervisor, as the `Wish` says.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


@dataclass(frozen=True, slots=True)
class Wish:
    """How the stack is to run."""

    state: str
    restart: bool = False
    shop: str = "serves"
    """`serves`, `breaks` (ends at once), `dawdles` (is never ready), `clings` (doesn't end when asked)."""
    errand: str = ""
    """`succeeds`, `fails`, `lasts`."""
    then_end: bool = False


def run(wish: Wish) -> int:
    """The supervisor's side."""
    from local.state import StackError, hold
    from local.supervisor import Part, Supervisor

    try:
        with hold(Path(wish.state)) as folder:
            ports = folder.ports(["store", "shop"], but=7071)

            def part(name: str, behaviour: str) -> Part:
                address = f"http://127.0.0.1:{ports[name]}/"
                command = ["small_stack", name, str(ports[name]), behaviour, wish.state]
                return Part(name, command, address, health=f"{address}_health")

            groups = [[part("store", "serves")], [part("shop", wish.shop)]]
            supervisor = Supervisor(folder, "http://api", groups, print_at_once, wish.restart, patience=10.0, grace=2.0)
            if wish.shop == "dawdles":
                supervisor.patience = 3.0
            errand = ["small_stack", "errand", wish.errand] if wish.errand else []
            return supervisor.run(errand, then_end=wish.then_end)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def print_at_once(line: str) -> None:
    """What is said must reach the test when it is said."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve(name: str, port: int, behaviour: str, state: str) -> None:
    """A part's side: it says when it is asked to end, in `ended` of the state folder."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "starting" if behaviour == "dawdles" else "ready", "pid": os.getpid()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

    def end(number: int, frame: FrameType | None) -> None:
        with Path(state, "ended").open("a") as ended:
            ended.write(f"{name}\n")
        if behaviour != "clings":
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    sys.stderr.write(f"{name} says hello\n")
    if behaviour == "breaks":
        sys.exit(3)
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()


def go_on_an_errand(how: str) -> int:
    """The errand's side."""
    if how == "lasts":
        print_at_once("errand goes")
        signal.pause()
    return {"succeeds": 0, "fails": 3}[how]


if __name__ == "__main__":
    if sys.argv[1] == "errand":
        sys.exit(go_on_an_errand(sys.argv[2]))
    if sys.argv[1].startswith("{"):
        sys.exit(run(Wish(**json.loads(sys.argv[1]))))
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
