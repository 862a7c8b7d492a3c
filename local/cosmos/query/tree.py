"""The tree that a query becomes."""

from dataclasses import dataclass
from typing import Any


class Undefined:
    """The type of UNDEFINED, the value of what isn't there."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; UNDEFINED is one too."""

    value: Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """`@name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """A property of the document under its alias `root`; without steps the document itself."""

    root: str
    steps: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`; the operator is one of = != < <= > >=."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Every:
    """AND."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Member:
    """`item IN (options)`."""

    item: "Expression"
    options: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of this name, in upper case."""

    name: str
    arguments: tuple["Expression", ...]


type Expression = Literal | Parameter | Path | Compare | Every | Either | Not | Member | Array | Call


@dataclass(frozen=True, slots=True)
class Query:
    """A query. `columns` None selects whole documents; a single one named None is `SELECT VALUE`."""

    alias: str
    columns: tuple[tuple[str | None, Expression], ...] | None = None
    where: Expression | None = None
    order: tuple[tuple[Path, bool], ...] = ()
    top: Expression | None = None
    offset: Expression | None = None
    limit: Expression | None = None
