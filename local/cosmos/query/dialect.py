"""From a query's text to SQL over a document's `body`. Its grammar is in dialect.lark.

A value becomes two SQL expressions, the rank of its type and the value itself, so that SQLite's order is the
dialect's. Constants and parameters are bound by name, so that the SQL depends on the text alone.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, UnexpectedToken, v_args
from lark.exceptions import VisitError

from local.cosmos import errors
from local.cosmos.container import canonical

_RANKS: dict[type, int] = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_RANK = (
    "CASE json_type(body, '{}') WHEN 'text' THEN 4 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'null' THEN 1 "
    "WHEN 'true' THEN 2 WHEN 'false' THEN 2 WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
)
_WORDS = {"TRUE": True, "FALSE": False, "NULL": None}
type Columns = tuple[tuple[str | None, str], ...]
"""What a result is made of: names of properties and their JSON; or, without a name, the result itself."""
type Sortings = tuple[tuple[str, bool], ...]
"""Properties' paths, and whether they descend."""
_EVERYTHING: Columns = ((None, "body"),)
COUNT: Columns = ((None, "count(*)"),)
_PARSER = Lark.open("dialect.lark", __file__, parser="lalr", lexer="basic", start=["query", "condition", "refused"])
_POINT = re.compile(r"\( c\.id = @(\w+) AND c\.(\w+) = @(\w+) \)")


@dataclass(frozen=True, slots=True)
class Query:
    """A query as SQL.

    `equal` are the paths that `where` compares for equality. `top` is the name of what is bound for it, `names` are
    those of all that is bound, `constants` what the text itself binds. `points`, if there are any, are the names of
    the partition keys and ids of the items that `where` finds.
    """

    where: str
    columns: Columns = _EVERYTHING
    equal: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    descending: bool = False
    top: str | None = None
    names: frozenset[str] = frozenset()
    constants: Mapping[str, Any] = field(default_factory=dict)
    points: tuple[tuple[str, str], ...] = ()

    def bound(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What the SQL binds, and `top`; 400 where the request lacks a parameter."""
        given, bound = {**parameters, **self.constants}, dict[str, Any]()
        try:
            for name in self.names:
                bound[f"r_{name}"], bound[f"v_{name}"] = _RANKS[type(given[name])], _value(given[name])
            bound["points"] = json.dumps([[canonical(given[key]), given[id]] for key, id in self.points])
            bound["top"] = given[self.top] if self.top else None
        except KeyError as error:
            raise errors.bad_request(f"The query parameter @{error.args[0]} has no value.") from error
        return bound


class Term(NamedTuple):
    """A value; `path` where it is a property, in SQLite's notation."""

    rank: str
    value: str
    path: str | None = None


class Condition(NamedTuple):
    """What is true or not (or undefined, which comes to the same where there is no NOT)."""

    sql: str
    equal: frozenset[str] = frozenset()


def key(path: str) -> tuple[str, str]:
    """Rank (0: undefined) and value of a property."""
    return _RANK.format(path), f"ifnull(json_extract(body, '{path}'), 0)"


@lru_cache(maxsize=512)
def query(text: str) -> Query:
    """A query; 400 for what is none, 501 for what the dialect lacks."""
    return _read(text, "query")


@lru_cache(maxsize=512)
def condition(text: str) -> Query:
    """The query that a patch's condition, `from c where …`, is; 400 and 501 likewise."""
    return _read(text, "condition")


@lru_cache(maxsize=512)
def points(text: str, key_path: tuple[str, ...]) -> Query | None:
    """What the SDK's `read_items` sends, up to a thousand alternatives of an id and a partition key, if it is that."""
    found = _POINT.findall(text)
    parts = [f"( c.id = @{id} AND c.{name} = @{value} )" for id, name, value in found]
    if text != f"SELECT * FROM c WHERE ( {' OR '.join(parts)} )" or any((name,) != key_path for _, name, _ in found):
        return None
    where = "(pk, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:points))"
    return Query(where, points=tuple((value, id) for id, _, value in found))


def _read(text: str, start: str) -> Query:
    try:
        return _Reading().transform(_PARSER.parse(text, start))
    except UnexpectedToken as error:
        raise _refused(text, error) from error
    except VisitError as error:
        raise error.orig_exc from None


def _refused(text: str, error: UnexpectedToken) -> errors.CosmosError:
    # Where a property could begin, or one go on.
    if {"COUNT": "NAME", "LPAR": "DOT"}.get(error.token.type) in error.expected:
        *_, function = re.findall(r"[^\W\d]\w*", text[: error.token.end_pos])
        return errors.unsupported(f"the function {function} in queries")
    for token in _PARSER.lex(text):
        if token.type in ("LACKING", "SIGN"):
            return errors.unsupported(f"{token.upper()} in queries")
    return errors.bad_request(f"Syntax error, incorrect syntax near '{error.token[:20]}'.")


@v_args(inline=True)
class _Reading(Transformer[Token, Query]):
    """Makes a query of its tree, from the leaves up. An optional part that isn't there is None."""

    def __init__(self) -> None:
        super().__init__()
        self._roots, self._names, self._constants = set[str](), set[str](), dict[str, Any]()

    def query(self, top: str | None, columns: Columns, source: Query) -> Query:
        return replace(source, columns=columns, top=top)

    def everything(self) -> Columns:
        return _EVERYTHING

    def count(self, _: Token) -> Columns:
        return COUNT

    def value(self, column: tuple[str, str]) -> Columns:
        return ((None, column[1]),)

    def columns(self, *columns: tuple[str, str]) -> Columns:
        return columns

    def column(self, path: tuple[str, str], alias: Token | None) -> tuple[str, str]:
        return alias or path[1], f"body -> '{path[0]}'"

    def source(self, container: Token, alias: Token | None, where: Condition | None, order: Sortings | None) -> Query:
        if unknown := self._roots - {alias or container}:
            raise errors.bad_request(f"Identifier '{min(unknown)}' could not be resolved.")
        if len({descending for _, descending in order or ()}) > 1:
            raise errors.unsupported("ORDER BY in both directions in queries")
        paths, descending = tuple(path for path, _ in order or ()), any(down for _, down in order or ())
        where, names = where or Condition("1"), frozenset(self._names)
        return Query(where.sql, _EVERYTHING, where.equal, paths, descending, None, names, self._constants)

    def sortings(self, *sortings: tuple[str, bool]) -> Sortings:
        return sortings

    def sorting(self, path: tuple[str, str], descending: Token | None = None) -> tuple[str, bool]:
        return path[0], descending is not None

    def either(self, *parts: Condition) -> Condition:
        return parts[0] if len(parts) == 1 else Condition(f"({' OR '.join(part.sql for part in parts)})")

    def every(self, *parts: Condition) -> Condition:
        equal = frozenset[str]().union(*(part.equal for part in parts))
        return Condition(f"({' AND '.join(part.sql for part in parts)})", equal)

    def compared(self, left: Term, operator: Token, right: Term) -> Condition:
        """Equality across types is false and inequality true, as the service has it; its documentation says undefined.

        Ordered are two values of one type, neither arrays nor objects.
        """
        same_type = f"{left.rank} = {right.rank} AND {right.rank} > 0"
        if operator in ("!=", "<>"):
            different = f"({left.rank} != {right.rank} OR {left.value} != {right.value})"
            return Condition(f"{left.rank} > 0 AND {right.rank} > 0 AND {different}")
        if operator == "=":
            paths = {left.path, right.path}
            equal = frozenset(path for path in paths if path) if None in paths else frozenset[str]()
            return Condition(f"{same_type} AND {left.value} = {right.value}", equal)
        return Condition(f"{same_type} AND {right.rank} < 5 AND {left.value} {operator} {right.value}")

    def among(self, left: Term, *options: Term) -> Condition:
        values = ", ".join(option.value for option in options)
        pairs = ", ".join(f"({option.rank}, {option.value})" for option in options)
        # The first is what an index can be used for.
        among = f"{left.value} IN ({values}) AND ({left.rank}, {left.value}) IN (VALUES {pairs})"
        return Condition(among, frozenset([left.path] if left.path else []))

    def holds(self, term: Term) -> Condition:
        return Condition(f"({term.rank} = 2 AND {term.value})")

    def property(self, path: tuple[str, str]) -> Term:
        return Term(*key(path[0]), path[0])

    def constant(self, name: str) -> Term:
        return Term(f":r_{name}", f":v_{name}")

    def path(self, root: Token, *names: Token) -> tuple[str, str]:
        """A property's path and its last name."""
        self._roots.add(root)
        return "$" + "".join(f'."{name}"' for name in names), [root, *names][-1]

    def parameter(self, token: Token) -> str:
        self._names.add(token[1:])
        return token[1:]

    def word(self, token: Token) -> str:
        return self._constant(_WORDS[token.upper()])

    def number(self, token: Token) -> str:
        return self._constant(float(token) if re.search("[.e]", token, re.IGNORECASE) else int(token))

    def string(self, token: Token) -> str:
        inner = token[1:-1]
        if token[0] == "'":
            inner = inner.replace("\\'", "'").replace('\\"', '"').replace('"', '\\"')
        try:
            return self._constant(str(json.loads(f'"{inner}"', strict=False)))
        except ValueError as error:
            raise errors.bad_request(f"Syntax error, invalid string {token}.") from error

    def _constant(self, value: Any) -> str:
        """The name of what is here itself."""
        name = f"${len(self._constants)}"
        self._constants[name] = value
        self._names.add(name)
        return name


def _value(constant: Any) -> Any:
    """A constant as SQLite keeps its like."""
    if isinstance(constant, list | dict):
        return json.dumps(constant, separators=(",", ":"), ensure_ascii=False)
    return 0 if constant is None else constant
