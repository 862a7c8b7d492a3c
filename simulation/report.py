"""What is said of seeds: why one broke a promise, and what all of them met."""

import re
from collections import Counter
from collections.abc import Iterator

from simulation.faults import STEPS, Fault
from simulation.seeds import Outcome

_ORDER = re.compile(r"ord_\w+")
_SKU = re.compile(r"(?:MUG|TRAY|BOWL|VASE|PLENTY-\d+)\b")
_MOST_LINES = 120


def of(outcome: Outcome) -> Iterator[str]:
    """The promises that a seed broke, what happened to whom they concern, and how to see it again."""
    yield f"\nseed {outcome.seed} ({outcome.scenario}) broke {len(outcome.violations)} promises:"
    yield from (f"  {each}" for each in outcome.violations)
    said = "\n".join(outcome.violations)
    ids = set(_ORDER.findall(said) or _SKU.findall(said))
    lines = [line for line in outcome.trace if any(id in line for id in ids)]
    yield f"\n  What happened to {', '.join(sorted(ids)) or 'these'} ({len(lines)} of {len(outcome.trace)} steps):"
    if len(lines) > _MOST_LINES:
        yield f"  … {len(lines) - _MOST_LINES} steps before"
    yield from (f"  {line}" for line in lines[-_MOST_LINES:])
    yield f"\n  scripts/simulate --seed {outcome.seed} plays it again, with --trace it shows every step.\n"


def table(met: Counter[tuple[str, str]]) -> Iterator[str]:
    """How often each fault struck at each step, and what else was met."""
    struck = [fault for fault in Fault if any(what == fault for what, _ in met)]
    yield f"{'':<22}" + "".join(f"{_short(fault):>11}" for fault in struck)
    for context, act in STEPS:
        step = f"{context} {act}"
        yield f"{step:<22}" + "".join(f"{met[fault, step] or '':>11}" for fault in struck)
    yield ""
    yield from (f"{times:>9,} × {what}" for (what, step), times in sorted(met.items()) if not step)
    yield ""


def _short(fault: Fault) -> str:
    return fault.removesuffix(" after it was written")[:10] + ("'" if "written" in fault else "")
