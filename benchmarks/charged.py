"""A container in memory that charges for requests as the stand-in of Cosmos DB does, each to the partition it is of."""

import json
from collections import defaultdict
from collections.abc import Sequence

from local.cosmos import charges
from local.cosmos.indexing import Index
from shared.adapters.memory import MemoryContainer
from shared.ports import Delete, Document, Operation, Patch, Query

OF_THE_STORE = 200
"""Bytes of the properties that the store adds to an item."""
KEYS_IN_A_QUERY = 500
ALL_PARTITIONS = ""


class ChargedContainer(MemoryContainer):
    """Give it the `index` of a container before anything is written. A refused write costs what reading would."""

    def __init__(self) -> None:
        super().__init__()
        self.index: Index | None = None
        self.by_partition: defaultdict[str, float] = defaultdict(float)
        self.requests = 0

    @property
    def units(self) -> float:
        """Request units of all that it was asked."""
        return sum(self.by_partition.values())

    async def read(self, pk: str, id: str) -> Document | None:
        found = await super().read(pk, id)
        self._charge(pk, charges.read(length([found] if found else [])))
        return found

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        found = await super().read_many(keys)
        if not keys:
            return found
        units = charges.page(len(found), length(found))
        units += charges.page(0, 0) * (max(1, len(keys)) - 1) // KEYS_IN_A_QUERY
        self._charge(keys[0][0] if len(keys) == 1 else ALL_PARTITIONS, units)
        return found

    async def find(self, query: Query) -> list[Document]:
        found = await super().find(query)
        self._charge(ALL_PARTITIONS, charges.page(max(1, len(found)), length(found)))
        return found

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        before = self.partition(pk)
        try:
            written = await super().write(pk, operations)
        except Exception:
            self._charge(pk, charges.read(0))
            raise
        assert self.index
        units = 0.0
        for each in operations:
            id = each.id if isinstance(each, Patch | Delete) else each.document["id"]
            for partition in (before, self.partition(pk)):
                if one := partition.get(id):
                    units += charges.write(length([one]), self.index.entries(one))
        self._charge(pk, units)
        return written

    def _charge(self, pk: str, units: float) -> None:
        self.by_partition[pk] += units
        self.requests += 1


def length(documents: Sequence[Document]) -> int:
    """As JSON in the store."""
    return sum(len(json.dumps(each, separators=(",", ":"))) + OF_THE_STORE for each in documents)
