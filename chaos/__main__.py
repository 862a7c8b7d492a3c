"""Kills, freezes and misleads a running stack while real sales are replayed, and says whether the promise held.

The stack is one of its own, with a functions host for each context. Processes are killed with `kill -9`, or frozen for
1 to 90 seconds, a third of them for longer than a message is locked; the stand-ins do what Azure and the provider do at
times. Then there is peace, all comes to its end, and every invariant is examined. The exit status is 1 where anything
is wrong, and where the run has shown too little; each reason is printed.
"""

import argparse
import asyncio
import json
import math
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

import httpx

from chaos.report import short, summary, wrong
from chaos.run import run
from local.replay.client import RefusedError, UnansweredError
from scripts.measure_orders import stack

RESEND_SECONDS, LONGEST_RESEND_SECONDS = 60, 240
"""After which an order that waits for an answer asks again: as in Azure at first, since a machine that can't keep up
would have less and less time for anything but resends; in a run that is shorter, within its length."""
UP = ("local", "up", "--split", "--restart")


def main() -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="so long (default: 3); draining comes on top")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="for the same schedule again")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there, as JSON")
    asked = parser.parse_args()
    if not asked.minutes > 0:
        parser.error("argument --minutes: more than none")
    # As Ctrl-C does, so that whoever ends it ends the stack with it; a shell has its background commands ignore that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        resend = min(RESEND_SECONDS, math.ceil(asked.minutes * 60))
        settings = {
            "ORDERS_FIRST_RESEND_SECONDS": str(resend),
            "ORDERS_LONGEST_RESEND_SECONDS": str(LONGEST_RESEND_SECONDS),
        }
        with stack(folder / "state", settings, UP):
            report = asyncio.run(run(folder / "state", asked.minutes, asked.seed, _say))
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        return 130
    except ExceptionGroup as group:
        failure, unexpected = group.split((UnansweredError, RefusedError, httpx.HTTPError))
        if failure is None or unexpected is not None:
            raise
        _say(f"The run can't go on: {_first(failure)}. State and logs are in {folder}")
        return 1
    reasons = [*wrong(report), *short(report)]
    if asked.report:
        asked.report.write_text(json.dumps(report | {"fails": reasons}, indent=2) + "\n")
    _say("\n".join(summary(report)))
    if reasons:
        _say("\n".join(["It fails:", *(f"  {reason}" for reason in reasons), f"State and logs are in {folder}"]))
        return 1
    shutil.rmtree(folder)
    return 0


def _first(failure: Exception) -> Exception:
    return _first(failure.exceptions[0]) if isinstance(failure, ExceptionGroup) else failure


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
