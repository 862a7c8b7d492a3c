"""From a query's text to SQL over a document's `body`.

A value becomes two SQL expressions, the rank of its type and the value itself, so that SQLite's order is the
dialect's. Constants and parameters are bound by name, so that the SQL depends on the text alone.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from local.cosmos import errors
from local.cosmos.container import canonical

_RANKS: dict[type, int] = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_RANK = (
    "CASE json_type(body, '{}') WHEN 'text' THEN 4 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'null' THEN 1 "
    "WHEN 'true' THEN 2 WHEN 'false' THEN 2 WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
)
_COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}
_LACKING = {"BETWEEN", "DISTINCT", "EXISTS", "GROUP", "JOIN", "LIKE", "LIMIT", "NOT", "OFFSET", "UDF", "UNDEFINED"}
_KEYWORDS = """
AND ARRAY AS ASC BY CASE CAST CONVERT CROSS DESC ELSE END ESCAPE FALSE FOR FROM HAVING IN INNER INSERT INTO IS LEFT
NULL ON OR ORDER OUTER OVER RIGHT SELECT SET THEN TOP TRUE UPDATE VALUE WHEN WHERE WITH
"""
_RESERVED = {*_LACKING, *_KEYWORDS.split()}
_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<parameter>@\w+)"""
    r"""|(?P<name>[^\W\d]\w*)|(?P<sign>[<>!]=|<>|[^\s\w])""",
    re.IGNORECASE,
)
type Columns = tuple[tuple[str | None, str], ...]
"""What a result is made of: names of properties and their JSON; or, without a name, the result itself."""
_EVERYTHING: Columns = ((None, "body"),)
COUNT: Columns = ((None, "count(*)"),)
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
    return _Parser(text).query()


@lru_cache(maxsize=512)
def condition(text: str) -> Query:
    """The query that a patch's condition, `from c where …`, is; 400 and 501 likewise."""
    return _Parser(text).source(_EVERYTHING)


@lru_cache(maxsize=512)
def points(text: str, key_path: tuple[str, ...]) -> Query | None:
    """What the SDK's `read_items` sends, up to a thousand alternatives of an id and a partition key, if it is that."""
    found = _POINT.findall(text)
    parts = [f"( c.id = @{id} AND c.{name} = @{value} )" for id, name, value in found]
    if text != f"SELECT * FROM c WHERE ( {' OR '.join(parts)} )" or any((name,) != key_path for _, name, _ in found):
        return None
    where = "(pk, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:points))"
    return Query(where, points=tuple((value, id) for id, _, value in found))


class _Parser:
    """Reads a text from its beginning to its end, once."""

    def __init__(self, text: str) -> None:
        self._tokens = [(str(token.lastgroup), token[0]) for token in _TOKEN.finditer(text)] + [("end", "")]
        self._at, self._roots = 0, set[str]()
        self._names, self._constants = set[str](), dict[str, Any]()

    def query(self) -> Query:
        """SELECT …"""
        self._need("SELECT")
        top = self._bound() if self._take("TOP") else None
        if self._take("*"):
            columns = _EVERYTHING
        elif self._take("VALUE"):
            columns = COUNT if self._take("COUNT", "(", "1", ")") else ((None, self._column()[1]),)
        else:
            columns = tuple(self._listed(self._column))
        return self.source(columns, top)

    def source(self, columns: Columns, top: str | None = None) -> Query:
        """FROM …, and what follows."""
        self._need("FROM")
        alias = self._name()
        if self._take("AS") or (self._next[0] == "name" and self._next[1].upper() not in _RESERVED):
            alias = self._name()
        where = self._either() if self._take("WHERE") else Condition("1")
        order = self._listed(self._sorting) if self._take("ORDER", "BY") else []
        self._need("")
        if self._roots - {alias}:
            raise errors.bad_request(f"Identifier '{min(self._roots - {alias})}' could not be resolved.")
        if len({descending for _, descending in order}) > 1:
            raise errors.unsupported("ORDER BY in both directions in queries")
        paths, descending = tuple(path for path, _ in order), any(down for _, down in order)
        return Query(where.sql, columns, where.equal, paths, descending, top, frozenset(self._names), self._constants)

    def _column(self) -> tuple[str, str]:
        path, last = self._path()
        return self._name() if self._take("AS") else last, f"body -> '{path}'"

    def _sorting(self) -> tuple[str, bool]:
        path, _ = self._path()
        return path, not self._take("ASC") and self._take("DESC")

    def _either(self) -> Condition:
        parts = [self._every()]
        while self._take("OR"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Condition(f"({' OR '.join(part.sql for part in parts)})")

    def _every(self) -> Condition:
        parts = [self._test()]
        while self._take("AND"):
            parts.append(self._test())
        equal = frozenset[str]().union(*(part.equal for part in parts))
        return Condition(f"({' AND '.join(part.sql for part in parts)})", equal)

    def _test(self) -> Condition:
        if self._take("("):
            inner = self._either()
            self._need(")")
            return inner
        left = self._term()
        if self._take("IN"):
            self._need("(")
            options = self._listed(self._constant)
            self._need(")")
            values = ", ".join(option.value for option in options)
            pairs = ", ".join(f"({option.rank}, {option.value})" for option in options)
            # The first is what an index can be used for.
            among = f"{left.value} IN ({values}) AND ({left.rank}, {left.value}) IN (VALUES {pairs})"
            return Condition(among, frozenset([left.path] if left.path else []))
        operator = self._next[1]
        if operator not in _COMPARISONS:
            return Condition(f"({left.rank} = 2 AND {left.value})")
        self._at += 1
        return _compared(left, operator, self._term())

    def _term(self) -> Term:
        if self._next[0] == "name" and self._next[1].upper() not in _LITERALS:
            path, _ = self._path()
            return Term(*key(path), path)
        return self._constant()

    def _constant(self) -> Term:
        name = self._bound()
        return Term(f":r_{name}", f":v_{name}")

    def _bound(self) -> str:
        """The name of a parameter, or of a constant that is here."""
        kind, token = self._next
        name = token[1:] if kind == "parameter" else f"${len(self._constants)}"
        if kind == "string":
            self._constants[name] = _unquoted(token)
        elif kind == "number":
            self._constants[name] = float(token) if re.search("[.e]", token, re.IGNORECASE) else int(token)
        elif token.upper() in _LITERALS:
            self._constants[name] = _LITERALS[token.upper()]
        elif kind != "parameter":
            raise self._refused()
        self._at += 1
        self._names.add(name)
        return name

    def _path(self) -> tuple[str, str]:
        """A property's path and its last name."""
        last, path = self._name(), "$"
        if self._next[1] == "(":
            raise errors.unsupported(f"the function {last} in queries")
        self._roots.add(last)
        while self._take("."):
            last = self._name()
            path += f'."{last}"'
        return path, last

    def _name(self) -> str:
        kind, token = self._next
        if kind != "name" or token.upper() in _RESERVED:
            raise self._refused()
        self._at += 1
        return token

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self, *words: str) -> bool:
        """Whether these come next; if so, they are passed."""
        found = [token.upper() for _, token in self._tokens[self._at : self._at + len(words)]] == list(words)
        self._at += len(words) * found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._refused()

    def _listed[T](self, read: Callable[[], T]) -> list[T]:
        members = [read()]
        while self._take(","):
            members.append(read())
        return members

    def _refused(self) -> errors.CosmosError:
        for kind, token in self._tokens:
            if (kind == "sign" and token in "+-/%|&^?{[~") or (kind == "name" and token.upper() in _LACKING):
                return errors.unsupported(f"{token.upper()} in queries")
        return errors.bad_request(f"Syntax error, incorrect syntax near '{self._next[1][:20]}'.")


def _compared(left: Term, operator: str, right: Term) -> Condition:
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


def _value(constant: Any) -> Any:
    """A constant as SQLite keeps its like."""
    if isinstance(constant, list | dict):
        return json.dumps(constant, separators=(",", ":"), ensure_ascii=False)
    return 0 if constant is None else constant


def _unquoted(token: str) -> str:
    inner = token[1:-1]
    if token[0] == "'":
        inner = inner.replace("\\'", "'").replace('\\"', '"').replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError as error:
        raise errors.bad_request(f"Syntax error, invalid string {token}.") from error
