"""What a new instance spends before it answers: importing and indexing its contexts, beside a bare import of the
packages that they use; and what its first request waits for besides."""

import ast
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.comparison import Comparison, compare
from benchmarks.fresh import CONTEXTS, ROOT, Fresh, as_in_azure, run
from benchmarks.report import How, Report, Table
from benchmarks.shop import Shop
from local.identity.issuer import Role
from scripts.measure_orders import NEVER, stack

TARGET = 1.25
INDEXED = "import function_app\nfunction_app.app.get_functions()"
OURS = {"function_app", "services", "shared"}
FIRST_LATER = 20
"""So many requests after the first tell what one takes otherwise."""


def measure(how: How) -> Report:
    """Each context alone, and all in one app."""
    alone = how.of(CONTEXTS, ("orders",))
    apps: dict[str, tuple[str, ...]] = {each: (each,) for each in alone}
    if not how.quick:
        apps["all of them"] = CONTEXTS
    comparisons, shares = [], {}
    for name, contexts in apps.items():
        settings = as_in_azure(contexts)
        bare = Fresh("\n".join(imports(contexts)), ROOT, settings)
        ways = Fresh(INDEXED, ROOT, settings).way(), bare.way()
        comparisons.append(starting(name, compare(name, TARGET, *ways, rounds=how.of(3, 2), turns=1)))
        shares[name] = breakdown(run(INDEXED, ROOT, settings, "-X", "importtime").stderr)
    requests = first_requests(how.of(2, 1))
    return Report(comparisons, [shares_of_time(shares), waits(requests)], {"shares": shares, "requests": requests})


def starting(name: str, compared: tuple[Comparison, Comparison]) -> Comparison:
    """Processor time alone, since what else there is to it is reading files."""
    _, processor = compared
    return Comparison(f"{name}: import and indexing, processor time", TARGET, processor.whole, processor.bare)


def imports(contexts: Sequence[str]) -> list[str]:
    """What the app of these contexts imports of other people's packages, as its own code says it: some of them load
    what they have only when it is named."""
    code = f"{INDEXED}\nimport json, sys\nsys.stdout.write(json.dumps({{n: m.__file__ for n, m in sys.modules.items() "
    code += "if getattr(m, '__file__', None)}))"
    imported: dict[str, str] = json.loads(run(code, ROOT, as_in_azure(contexts)).stdout)
    ours = [Path(file) for name, file in imported.items() if name.partition(".")[0] in OURS]
    others = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names | OURS}
    return sorted({said for file in ours for module, said in imports_in(file.read_text()) if module in others})


def imports_in(source: str) -> Iterator[tuple[str, str]]:
    """Each module that it imports, wherever it does, and the statement that says so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((each.name, f"import {each.name}") for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, ast.unparse(node)


def breakdown(told: str) -> dict[str, float]:
    """Of what `-X importtime` tells, the milliseconds of modules' own, by whose they are."""
    spent: defaultdict[str, float] = defaultdict(float)
    for line in told.splitlines():
        fields = [each.strip() for each in line.removeprefix("import time:").split("|")]
        if len(fields) == 3 and fields[0].isdecimal():
            spent[whose(fields[2])] += int(fields[0]) / 1000
    return spent


def whose(module: str) -> str:
    """A package as people name it; all of Python's own in one."""
    first, _, rest = module.partition(".")
    if first in OURS:
        return "Orderflow"
    if first in sys.stdlib_module_names:
        return "Python's own"
    return f"azure.{rest.partition('.')[0]}" if first == "azure" and rest else first


def first_requests(starts: int) -> dict[str, list[list[float]]]:
    """Of each context, each with a host of its own, and of each start the milliseconds of its first requests."""
    found: dict[str, list[list[float]]] = {each: [] for each in CONTEXTS}
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder, "state")
            with stack(state, {"SWEEP_SCHEDULE": NEVER}, ("local", "up", "--split")):
                shop = Shop(state)
                for context, samples in found.items():
                    samples.append([_request(shop, context) for _ in range(1 + FIRST_LATER)])
    return found


def _request(shop: Shop, context: str) -> float:
    began = time.perf_counter()
    status, answer = shop.ask(Role.ADMIN, "GET", f"parked/{context}")
    if status != 200:
        raise SystemExit(f"what is parked in {context} was answered {status}: {answer}")
    return (time.perf_counter() - began) * 1000


def shares_of_time(shares: dict[str, dict[str, float]]) -> Table:
    """Whose imports take how long, as the interpreter tells, which is slower while it does."""
    in_all = [sum(each.values()) for each in shares.values()]
    names = {name for each in shares.values() for name in each}
    total = {name: sum(each.get(name, 0.0) for each in shares.values()) for name in names}
    kept = sorted((name for name in names if total[name] > sum(in_all) / 100), key=total.__getitem__, reverse=True)
    body: list[list[str | float]] = [
        [name, *(round(each.get(name, 0.0), 1) for each in shares.values())] for name in kept
    ]
    others = [round(sum(spent for name, spent in each.items() if name not in kept), 1) for each in shares.values()]
    return Table(
        ("ms of imports", *shares), [*body, ["others", *others], ["**in all**", *(round(each, 1) for each in in_all)]]
    )


def waits(requests: dict[str, list[list[float]]]) -> Table:
    """What the first request of an instance takes more than those that follow: the issuer's keys, connections."""
    body: list[list[str | float]] = []
    for context, starts in requests.items():
        first, later = median(each[0] for each in starts), median(median(each[1:]) for each in starts)
        body.append([context, round(first, 1), round(later, 1), round(first - later, 1)])
    return Table(("ms of a request", "the first", "later ones", "more"), body)
