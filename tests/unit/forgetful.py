"""A store that does what it is asked, and says that it didn't: the answer to a write is lost, and it is sent again."""

from collections.abc import Awaitable, Callable, Sequence

from shared.adapters.memory import MemoryContainer
from shared.errors import AlreadyExists, ConditionFailed, Contended
from shared.ports import Document, Operation

LOST: list[Exception] = [Contended("449"), ConditionFailed(0), AlreadyExists(0)]
"""What a store says of a batch that comes again."""


class ForgetfulContainer(MemoryContainer):
    """Commits the next write, then answers as if it had not; some reads that follow may be old ones."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: Exception | None = None
        self._meanwhile: Callable[[], Awaitable[object]] | None = None
        self._old_reads = 0
        self._before: tuple[str, dict[str, Document]] = "", {}

    def forget(
        self, answer: Exception, old_reads: int = 0, meanwhile: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """Answer the next write so; `meanwhile` happens before that answer arrives."""
        self._answer, self._old_reads, self._meanwhile = answer, old_reads, meanwhile
        self._before = "", {}

    async def read(self, pk: str, id: str) -> Document | None:
        written, before = self._before
        if self._old_reads and pk == written:
            self._old_reads -= 1
            return before.get(id)
        return await super().read(pk, id)

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        answer, self._answer = self._answer, None
        if answer:
            self._before = pk, dict(self.partition(pk))
        etags = await super().write(pk, operations)
        if answer:
            if self._meanwhile:
                await self._meanwhile()
            raise answer
        return etags
