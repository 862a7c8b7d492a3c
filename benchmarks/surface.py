"""What authentication, validation and problem handling add to a request, to an order, and to importing a context."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.comparison import Comparison, Way, compare
from benchmarks.shop import Shop
from scripts.measure_orders import NEVER, stack

ROOT = Path(__file__).parents[1]
BARE = ROOT / "benchmarks" / "bare"
SETTINGS = {"SWEEP_SCHEDULE": NEVER, "ORDERS_PER_CUSTOMER_PER_MINUTE": "0"}
"""No timer, and no limit of orders: nothing goes on but what is measured."""
GET_BOUND, ORDER_BOUND, IMPORT_BOUND = 1.10, 1.05, 1.10
WARM_UP_ORDERS, WARM_UP_LOOKS = 20, 500

CONTEXT = "orders"
IMPORT = "import function_app, time; print(time.process_time())"
AS_IN_AZURE = {
    "ORDERFLOW_SERVICES": CONTEXT,
    f"COSMOS_{CONTEXT.upper()}__accountEndpoint": "https://shop.documents.azure.com/",
    f"SERVICEBUS_{CONTEXT.upper()}__fullyQualifiedNamespace": "shop.servicebus.windows.net",
    "IDENTITY_ISSUER": "https://id.example",
    "IDENTITY_AUDIENCE": "orderflow",
}


def surface(rounds: int, against: str | None) -> Iterator[Comparison]:
    """Each comparison as it is made; that of the import only where there is a commit to compare with."""
    with shops() as (whole, bare):
        yield from looking(whole, bare, rounds)
        yield from ordering(whole, bare, rounds)
    if commit := against or before_authentication():
        yield importing(commit, rounds)


@contextmanager
def shops() -> Iterator[tuple[Shop, Shop]]:
    """The system as it is, and one composed without its surface: both with goods on sale, and warm."""
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(Path(folder, "whole"), SETTINGS),
        stack(Path(folder, "bare"), SETTINGS, ("benchmarks.stack", "--app", str(BARE))),
    ):
        both = Shop(Path(folder, "whole")), Shop(Path(folder, "bare"))
        for shop in both:
            shop.stock_up()
            for _ in range(WARM_UP_ORDERS):
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


def ordering(whole: Shop, bare: Shop, rounds: int) -> tuple[Comparison, Comparison]:
    """An order is placed, dispatched and completed; then the next."""
    ways = Way(whole.complete, whole.processor), Way(bare.complete, bare.processor)
    return compare("an order end to end", ORDER_BOUND, *ways, rounds=rounds, turns=5)


class Import:
    """Importing the app of one context as Azure does, in a fresh interpreter, of the tree in a folder."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._spent = 0.0

    def way(self) -> Way:
        """To import it; the interpreters tell what processor time they took."""
        return Way(self._work, lambda: self._spent)

    def _work(self) -> None:
        command = [sys.executable, "-P", "-c", IMPORT]
        environment = {**os.environ, **AS_IN_AZURE, "PYTHONPATH": str(self._tree)}
        told = subprocess.run(command, cwd=self._tree, env=environment, capture_output=True, text=True, check=True)
        self._spent += float(told.stdout) * 1000


def importing(commit: str, rounds: int) -> Comparison:
    """The import of a context now and at this commit, with the same packages: processor time alone, since what else
    there is to it is reading files."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        ways = [Import(tree).way() for tree in (ROOT, Path(folder))]
        for way in ways:
            way.work()  # compiles it
        name = f"import of {CONTEXT}, beside {commit[:7]}"
        return compare(name, IMPORT_BOUND, *ways, rounds=rounds, turns=1)[1]


def before_authentication() -> str | None:
    """The commit before the one that brought authentication; None where the history doesn't go back so far."""
    added = _git("log", "--diff-filter=A", "--format=%H", "--", "shared/authentication.py").split()
    return _git("rev-parse", "--verify", "--quiet", f"{added[-1]}^").strip() or None if added else None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
