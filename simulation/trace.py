"""What happened, step by step: the same from the same seed, to the letter."""

import asyncio
from collections.abc import Iterator

from simulation.incarnation import Incarnation


class Trace:
    """Every step of every process, and what befell it."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, str, str, str, str, str | None]] = []

    def note(self, who: Incarnation, context: str, act: str, about: str, fault: str | None) -> None:
        """A process is about to take a step."""
        at = asyncio.get_running_loop().time()
        self._lines.append((at, f"{who.context}: {who.work}", context, act, about, fault))

    def tell(self, what: str, about: str) -> None:
        """Something happened to a message, or to all."""
        self._lines.append((asyncio.get_running_loop().time(), what, "", "", about, None))

    def lines(self, ids: set[str] | None = None) -> Iterator[str]:
        """All, or those only that tell of one of these."""
        for at, who, context, act, about, fault in self._lines:
            if ids is None or any(id in who or id in about for id in ids):
                struck = f"  ! {fault}" if fault else ""
                yield f"{at:12.3f}  {who:<60}  {context} {act} {about}{struck}".rstrip()
