"""What authentication, validation and problem handling add to a request, to an order, and to importing a context."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.comparison import Comparison, Way, compare
from benchmarks.fresh import Fresh, as_in_azure
from benchmarks.report import How, Report
from benchmarks.shop import Shop
from scripts.measure_orders import NEVER, stack

ROOT = Path(__file__).parents[1]
BARE = ROOT / "benchmarks" / "bare"
SETTINGS = {"SWEEP_SCHEDULE": NEVER, "ORDERS_PER_CUSTOMER_PER_MINUTE": "0"}
"""No timer, and no limit of orders: nothing goes on but what is measured."""
GET_BOUND, ORDER_BOUND, IMPORT_BOUND = 1.10, 1.05, 1.10
WARM_UP_LOOKS = 500

CONTEXT = "orders"


def measure(how: How) -> Report:
    """A look, an order, and, where there is a commit to compare with, an import."""
    rounds = how.of(15, 2)
    with shops(how.of(20, 5)) as (whole, bare):
        comparisons = [*looking(whole, bare, rounds), *ordering(whole, bare, rounds, how.of(5, 2))]
    if commit := how.against or before_authentication():
        comparisons.append(importing(commit, how.of(6, 2)))
    return Report(comparisons)


@contextmanager
def shops(warm_up_orders: int) -> Iterator[tuple[Shop, Shop]]:
    """The system as it is, and one composed without its surface: both with goods on sale, and warm."""
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(Path(folder, "whole"), SETTINGS),
        stack(Path(folder, "bare"), SETTINGS, ("benchmarks.stack", "--app", str(BARE))),
    ):
        both = Shop(Path(folder, "whole")), Shop(Path(folder, "bare"))
        for shop in both:
            shop.stock_up()
            for _ in range(warm_up_orders):
                shop.complete()
        yield both


def looking(whole: Shop, bare: Shop, rounds: int) -> tuple[Comparison, Comparison]:
    """A customer looks at an order, again and again."""

    def way(shop: Shop) -> Way:
        order_id = shop.place()
        for _ in range(WARM_UP_LOOKS):
            shop.look(order_id)
        return Way(lambda: shop.look(order_id), shop.processor)

    return compare("GET /api/orders/{id}", GET_BOUND, way(whole), way(bare), rounds=rounds, turns=50)


def ordering(whole: Shop, bare: Shop, rounds: int, turns: int) -> tuple[Comparison, Comparison]:
    """An order is placed, dispatched and completed; then the next."""
    ways = Way(whole.complete, whole.processor), Way(bare.complete, bare.processor)
    return compare("an order end to end", ORDER_BOUND, *ways, rounds=rounds, turns=turns)


def importing(commit: str, rounds: int) -> Comparison:
    """The import of a context now and at this commit, with the same packages: processor time alone, since what else
    there is to it is reading files."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        ways = [Fresh("import function_app", tree, as_in_azure([CONTEXT])).way() for tree in (ROOT, Path(folder))]
        name = f"import of {CONTEXT}, beside {commit[:7]}"
        return compare(name, IMPORT_BOUND, *ways, rounds=rounds, turns=1)[1]


def before_authentication() -> str | None:
    """The commit before the one that brought authentication; None where the history doesn't go back so far."""
    added = _git("log", "--diff-filter=A", "--format=%H", "--", "shared/authentication.py").split()
    return _git("rev-parse", "--verify", "--quiet", f"{added[-1]}^").strip() or None if added else None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
