"""What the application asks of the outside world, as protocols: time and chance, one container, the broker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

type Document = dict[str, Any]
"""A JSON object with at least `id`, `pk` and `kind`; what was read also has `_etag`."""


class System(Protocol):
    """Time, waiting, chance and fresh ids. Nothing in `services` or `shared` takes them from elsewhere."""

    def now(self) -> datetime:
        """The time in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def random(self) -> float:
        """A number from 0 up to, never reaching, 1."""
        ...

    def new_id(self) -> str:
        """A fresh UUID in its canonical text form."""
        ...


@dataclass(frozen=True, slots=True)
class Create:
    """Create a document. Refused with AlreadyExists."""

    document: Document


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace a whole document that still has this ETag. Refused with ConditionFailed or Missing."""

    document: Document
    etag: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a patch: set a top-level property, or add to a number."""

    op: Literal["set", "incr"]
    name: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a top-level property; a missing property makes it false."""

    name: str
    op: Literal["=", "<=", ">=", "<", ">"]
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Patch:
    """Change a document in place where the condition holds. Refused with ConditionFailed or Missing."""

    id: str
    changes: tuple[Change, ...]
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a document, one that still has this ETag where it is given. Refused with ConditionFailed or Missing."""

    id: str
    etag: str | None = None


type Operation = Create | Replace | Patch | Delete


@dataclass(frozen=True, slots=True)
class Query:
    """Documents of one kind over all partitions that meet every condition.

    `order_by` names one or two properties, ascending unless `descending`. `after` gives their values in the last
    document seen: only what comes strictly later in that order is returned (a keyset; no continuation token is ever
    kept across partitions).

    One that is ordered needs a composite index in infra/topology.json on exactly the properties of `index`; it is read
    in either direction.
    """

    kind: str
    where: tuple[Condition, ...] = ()
    order_by: tuple[str, ...] = ()
    after: tuple[str | int, ...] = ()
    limit: int = 100
    descending: bool = False

    @property
    def index(self) -> tuple[str, ...]:
        """What it is sorted by: what is equal first, so that one composite index finds and sorts, and nothing else."""
        equal = (condition.name for condition in self.where if condition.op == "=")
        return ("kind", *equal, *self.order_by)


class Container(Protocol):
    """One context's container, read with strong consistency.

    Every call may raise Unavailable or Throttled; a write that did may have happened all the same.
    """

    async def read(self, pk: str, id: str) -> Document | None:
        """One document, or None."""
        ...

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        """Those of the documents named as (pk, id) that exist, in any order, in a few requests."""
        ...

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        """Do all operations (at most 100) in one partition, or none; the new ETags, in their order ("" for a delete).

        Raises WriteRejected for the first operation that the store refuses, Contended where another write is under way.
        """
        ...

    async def find(self, query: Query) -> list[Document]:
        """At most `query.limit` documents."""
        ...


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message as the broker carries it."""

    id: str
    body: bytes
    content_type: str = "application/json"
    correlation_id: str = ""
    properties: Mapping[str, str | int | float | bool] | None = None


class Sender(Protocol):
    """The broker's sending side."""

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        """Hand the messages to a queue or topic, visible from `at` on.

        Raises Unavailable, where some may have arrived, and Throttled where the broker is busy.
        """
        ...

    async def check(self, destination: str) -> None:
        """See, without sending any, whether the broker would take messages there now. Raises Unavailable."""
        ...
