"""From a query's text to SQL over a document's `body`. Its grammar is in dialect.lark.

A value becomes two SQL expressions, the rank of its type and the value itself, so that SQLite's order is the
dialect's. Constants and parameters are bound by name, so that the SQL depends on the text alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, UnexpectedToken, v_args
from lark.exceptions import VisitError

from local.cosmos import errors
from local.cosmos.container import canonical
from local.cosmos.requests import number

_RANKS: dict[type, int] = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_RANK = (
    "CASE json_type(body, '{}') WHEN 'text' THEN 4 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'null' THEN 1 "
    "WHEN 'true' THEN 2 WHEN 'false' THEN 2 WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
)
_WORDS = {"TRUE": True, "FALSE": False, "NULL": None}
type Columns = tuple[tuple[str | None, str], ...]
"""What a result is made of: names of properties and their JSON; or, without a name, the result itself."""
type Path = tuple[str, ...]
type Names = tuple[str, ...]
"""A path behind the container's alias."""
type Sortings = tuple[tuple[Path, bool], ...]
"""Properties' paths, and whether they descend."""
_EVERYTHING: Columns = ((None, "body"),)
PARTITION = "pk = :partition"
COUNT: Columns = ((None, "count(*)"),)
_PATH_ALONE = re.compile(r"(\bBY|\bFROM|\.)\s*$", re.IGNORECASE)
_PARSER = Lark.open("dialect.lark", __file__, parser="lalr", lexer="basic", start=["query", "condition", "refused"])
_POINT = re.compile(r"\( c\.id = @(\w+) AND c\.(\w+) = @(\w+) \)")
_POINTS_OF_A_PARTITION = re.compile(r"SELECT \* FROM c WHERE c\.(\w+) = @(\w+) AND c\.id IN \((@\w+(?:, @\w+)*)\)")


class Condition(NamedTuple):
    """What is true or not (or undefined, which comes to the same where there is no NOT), as SQL.

    `paths` are the properties that it looks at, `fixed` the parts of their keys that it compares for equality.
    """

    sql: str
    paths: frozenset[Path] = frozenset()
    fixed: frozenset[str] = frozenset()


type Conditions = tuple[Condition, ...]
"""All of them."""


def together(conditions: Sequence[Condition]) -> str:
    """The SQL of all of them."""
    return f"({' AND '.join(condition.sql for condition in conditions) or '1'})"


@dataclass(frozen=True, slots=True)
class Query:
    """A query as SQL: what fulfils every condition of `where`.

    `top` is the name of what is bound for it, `names` are those of all that is bound, `constants` what the text itself
    binds. `points`, if there are any, are the names of the partition keys and ids of the items that `where` finds.
    """

    where: Conditions = ()
    columns: Columns = _EVERYTHING
    order: Sortings = ()
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
            for key, id in self.points:
                bound[f"k_{key}"], bound[f"i_{id}"] = canonical(given[key]), given[id]
            bound["top"] = given[self.top] if self.top else None
        except KeyError as error:
            raise errors.bad_request(f"The query parameter @{error.args[0]} has no value.") from error
        return bound


class Term(NamedTuple):
    """A value; `path`, if any, is the property's that it is."""

    rank: str
    value: str
    path: frozenset[Path] = frozenset()


def key(path: Path) -> tuple[str, str]:
    """Rank (0: undefined) and value of a property. What SQLite itself extracts of a text ends at a NUL."""
    value = f"ifnull(json_extract(body, '{_json_path(path)}'), 0)"
    value = f"CASE WHEN instr(body, '\\u0000') THEN extracted(body, '{'/'.join(path)}') ELSE {value} END"
    return _RANK.format(_json_path(path)), value


def extracted(body: str, path: str) -> Any:
    """The SQL function for a property of an item with NULs."""
    value = json.loads(body)
    for name in filter(None, path.split("/")):
        value = value.get(name) if isinstance(value, dict) else None
    return _value(value)


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


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
    """What the SDK's `read_items` sends, if it is that: up to a thousand alternatives of an id and a partition key, or
    that many ids of one partition."""
    if of_one := _POINTS_OF_A_PARTITION.fullmatch(text):
        found = [(id[1:], of_one[1], of_one[2]) for id in of_one[3].split(", ")]
    else:
        found = _POINT.findall(text)
        parts = [f"( c.id = @{id} AND c.{name} = @{value} )" for id, name, value in found]
        if text != f"SELECT * FROM c WHERE ( {' OR '.join(parts)} )":
            return None
    if any((name,) != key_path for _, name, _ in found):
        return None
    pairs = ", ".join(f"(:k_{value}, :i_{id})" for id, _, value in found)
    # Of the VALUES themselves SQLite makes no search of its index, but reads all of it.
    where = Condition(f"(pk, id) IN (SELECT * FROM (VALUES {pairs}))", frozenset([("id",), key_path]))
    return Query((where,), points=tuple((value, id) for id, _, value in found))


def _read(text: str, start: str) -> Query:
    try:
        return _Reading().transform(_PARSER.parse(text, start))
    except UnexpectedToken as error:
        raise _refused(text, error) from error
    except VisitError as error:
        raise error.orig_exc from None


def _refused(text: str, error: UnexpectedToken) -> errors.CosmosError:
    """501 where what stands there is Cosmos DB's, but not this dialect's; 400 where it is nobody's."""
    token, expected, before = error.token, error.expected, text[: error.token.start_pos]
    if {"COUNT": "NAME", "LPAR": "DOT"}.get(token.type) in expected:
        *_, function = re.findall(r"[^\W\d]\w*", text[: token.end_pos])
        return errors.unsupported(f"the function {function} in queries")
    for lacking in _PARSER.lex(text):
        if lacking.type in ("LACKING", "SIGN"):
            return errors.unsupported(f"{lacking.upper()} in queries")
    match token.type:
        case "STRING" | "NUMBER" | "WORD" | "PARAMETER" if "NAME" in expected and not _PATH_ALONE.search(before):
            lacks = f"{token} in place of a property"
        case "LPAR" if "NAME" in expected:
            lacks = "parentheses there"
        case "NAME" if "STRING" in expected:
            lacks = "a property in place of a constant"
        case "COMPARISON" | "AND" | "OR" | "IN" if "FROM" in expected or not {"NAME", "WHERE", "DESC"} & expected:
            lacks = f"{token.upper()} there"
        case "IN" | "DOT" if "WHERE" in expected:
            lacks = f"{token.upper()} in FROM"
        case "$END" if "FROM" in expected and "*" not in text:
            lacks = "SELECT without FROM"
        case _:
            return errors.bad_request(f"Syntax error, incorrect syntax near '{token[:20]}'.")
    return errors.unsupported(f"{lacks} in queries")


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

    def column(self, path: Names, alias: Token | None) -> tuple[str, str]:
        return alias or path[-1], f"body -> '{_json_path(path[1:])}'"

    def source(self, container: Token, alias: Token | None, where: Conditions | None, order: Sortings | None) -> Query:
        if unknown := self._roots - {alias or container}:
            raise errors.bad_request(f"Identifier '{min(unknown)}' could not be resolved.")
        return Query(where or (), _EVERYTHING, order or (), None, frozenset(self._names), self._constants)

    def sortings(self, *sortings: tuple[Path, bool]) -> Sortings:
        return sortings

    def sorting(self, path: Names, descending: Token | None = None) -> tuple[Path, bool]:
        return path[1:], descending is not None

    def either(self, *alternatives: Conditions) -> Conditions:
        if len(alternatives) == 1:
            return alternatives[0]
        paths = frozenset[Path]().union(*(part.paths for parts in alternatives for part in parts))
        return (Condition(f"({' OR '.join(map(together, alternatives))})", paths),)

    def every(self, *parts: Conditions) -> Conditions:
        return tuple(condition for conditions in parts for condition in conditions)

    def compared(self, left: Term, operator: Token, right: Term) -> Conditions:
        """Equality across types is false and inequality true, as the service has it; its documentation says undefined.

        Ordered are two values of one type, neither arrays nor objects.
        """
        same_type, paths = f"{left.rank} = {right.rank} AND {right.rank} > 0", left.path | right.path
        if operator in ("!=", "<>"):
            different = f"({left.rank} != {right.rank} OR {left.value} != {right.value})"
            return (Condition(f"{left.rank} > 0 AND {right.rank} > 0 AND {different}", paths),)
        single = left if not right.path else right
        fixed = [single.rank, single.value] if len(left.path) + len(right.path) == 1 else []
        if operator == "=":
            return (Condition(f"{same_type} AND {left.value} = {right.value}", paths, frozenset(fixed)),)
        ordered = f"{same_type} AND {right.rank} < 5 AND {left.value} {operator} {right.value}"
        return (Condition(ordered, paths, frozenset(fixed[:1])),)

    def among(self, left: Term, *options: Term) -> Conditions:
        pairs = ", ".join(f"({option.rank}, {option.value})" for option in options)
        return (Condition(f"({left.rank}, {left.value}) IN (VALUES {pairs})", left.path),)

    def holds(self, term: Term) -> Conditions:
        return (Condition(f"({term.rank} = 2 AND {term.value})", term.path),)

    def property(self, path: Names) -> Term:
        return Term(*key(path[1:]), frozenset([path[1:]]))

    def constant(self, name: str) -> Term:
        return Term(f":r_{name}", f":v_{name}")

    def path(self, *names: Token) -> Names:
        self._roots.add(names[0])
        return names

    def parameter(self, token: Token) -> str:
        self._names.add(token[1:])
        return token[1:]

    def word(self, token: Token) -> str:
        return self._constant(_WORDS[token.upper()])

    def number(self, token: Token) -> str:
        return self._constant(number(token))

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
