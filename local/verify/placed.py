"""The ids of the orders that replays were told to have placed, kept beside the store that should have them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def placed_orders(state: Path) -> frozenset[str]:
    """All that were ever remembered with this store."""
    record = _record(state)
    return frozenset(record.read_text().split()) if record.exists() else frozenset()


@contextmanager
def remembering(state: Path) -> Iterator[Callable[[str], None]]:
    """What remembers an order's id, at once: a replay that is killed keeps those that it was told."""
    record = _record(state)
    record.parent.mkdir(parents=True, exist_ok=True)
    known = set(placed_orders(state))
    # Line-buffered: each id is with the operating system before the replay goes on.
    with record.open("a", buffering=1) as file:

        def remember(order_id: str) -> None:
            if order_id not in known:
                known.add(order_id)
                file.write(f"{order_id}\n")

        yield remember


def _record(state: Path) -> Path:
    return state / "replay" / "placed.txt"
