"""Sends hostile requests to a local stack, and says what it shouldn't have done.

Each request is a good one of an operation that openapi.json describes, spoilt in a way or two, or not at all; it is
made of the seed and its number. No answer may be 5xx or undocumented, or tell how the system is made, and other callers
must be served meanwhile. What was refused is sent again, by customers whom nobody has seen before, until all of it is
refused in one go: by that nothing may have been written.
"""

import argparse
import asyncio
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from random import SystemRandom

from scripts.measure_orders import stack
from tests.e2e.stack import AT_REST
from tests.fuzz.running import fuzz

STATE = "of a stack that runs, for tests alone, with timers that don't (default: one of its own)"


def main() -> int:
    """Fuzz, and say what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="so many (default: 2000)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="to make the same ones again")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one's number (default: 0)")
    parser.add_argument("--state", type=Path, help=STATE)
    asked = parser.parse_args()
    settings = AT_REST | {"ORDERS_PER_CUSTOMER_PER_MINUTE": "0"}
    with tempfile.TemporaryDirectory() as folder:
        state = asked.state or Path(folder, "state")
        with nullcontext() if asked.state else stack(state, settings):
            report = asyncio.run(fuzz(state, asked.seed, range(asked.first, asked.first + asked.requests)))
    sys.stdout.write(f"seed {asked.seed}, {asked.requests} requests from {asked.first}: {report}\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
