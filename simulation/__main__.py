"""The command line: `scripts/simulate`."""

import argparse
import os
import sys
from collections import Counter
from random import SystemRandom

from simulation import reach, report
from simulation.seeds import play, play_all

ENOUGH = 1_000
"""How many it plays unless told. As many meet each fault at each step at least once, ten times as many ten times."""
_HIGHEST = 2**32


def main() -> int:
    """Play so many seeds, say what they met, and fail where a promise wasn't kept."""
    arguments = _arguments()
    if arguments.trace:
        say(*play(arguments.seed or 0, traced=True).trace)
        return 0
    first = SystemRandom().randrange(_HIGHEST) if arguments.seed is None else arguments.seed
    number = arguments.seeds or (ENOUGH if arguments.seed is None else 1)
    say(f"seeds {first} to {first + number - 1}, {arguments.jobs} at a time")
    met, failed = Counter[tuple[str, str]](), 0
    for outcome in play_all(range(first, first + number), arguments.jobs):
        met += outcome.met
        if outcome.violations:
            failed += 1
            say(*report.of(outcome))
    say(*report.table(met), f"{number - failed:,} of {number:,} seeds kept every promise.")
    seldom = reach.missing(met, least=number // ENOUGH) if number >= ENOUGH else []
    if seldom:
        say(f"Too few of them met: {', '.join(seldom)}.")
    return 1 if failed or seldom else 0


def say(*lines: str) -> None:
    """At once: somebody waits."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, metavar="N", help=f"how many ({ENOUGH:,}; with --seed one)")
    parser.add_argument("--seed", type=int, metavar="S", help="the first of them; else new ones are drawn, and said")
    parser.add_argument("--jobs", type=int, metavar="J", default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--trace", action="store_true", help="show every step of the seed instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
