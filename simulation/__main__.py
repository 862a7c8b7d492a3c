"""The command line: `scripts/simulate`."""

import argparse
import os
import sys
from collections import Counter
from random import SystemRandom

from simulation.seeds import play_all

_SEEDS = 1_000
"""How many it plays unless told."""
_HIGHEST = 2**32


def main() -> int:
    """Play so many seeds, say what they met, and fail where a promise wasn't kept."""
    arguments = _arguments()
    first = SystemRandom().randrange(_HIGHEST) if arguments.seed is None else arguments.seed
    number = arguments.seeds or (_SEEDS if arguments.seed is None else 1)
    say(f"seeds {first} to {first + number - 1}, {arguments.jobs} at a time")
    met, failed = Counter[str](), 0
    for outcome in play_all(range(first, first + number), arguments.jobs):
        met += outcome.met
        if outcome.violations:
            failed += 1
            say(f"\nseed {outcome.seed} ({outcome.scenario}) broke a promise; scripts/simulate --seed {outcome.seed}")
            say(*(f"  {each}" for each in outcome.violations))
    say(f"\n{number - failed} of {number} seeds kept every promise. They met:")
    say(*(f"  {times:>9,} × {what}" for what, times in met.most_common()))
    return 1 if failed else 0


def say(*lines: str) -> None:
    """At once: somebody waits."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, metavar="N", help=f"how many ({_SEEDS:,}; with --seed one)")
    parser.add_argument("--seed", type=int, metavar="S", help="the first of them; else new ones are drawn, and said")
    parser.add_argument("--jobs", type=int, metavar="J", default=os.cpu_count() or 1, help="processes (one a core)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
