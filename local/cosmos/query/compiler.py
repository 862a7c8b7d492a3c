"""From a query's text to SQL.

Constants and parameters are bound by name, in up to three forms, so that the SQL depends on the text alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lark import Token, Transformer, v_args
from lark.exceptions import VisitError

from local.cosmos import errors
from local.cosmos.query import expressions
from local.cosmos.query.expressions import RANKS, Condition, Term, as_condition, as_term, compare, key, member
from local.cosmos.query.syntax import check_name, parse


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query as SQL. `columns` None: whole documents; one named None: `SELECT VALUE`. Bounds: names of constants.

    With `points`, pairs of constants' names: the items of those partition keys and ids.
    """

    where: Condition
    columns: tuple[tuple[str | None, Term], ...] | None
    order: tuple[tuple[str, bool], ...]
    top: str | None
    offset: str | None
    limit: str | None
    constants: Mapping[str, Any]
    points: tuple[tuple[str, str], ...] = ()

    @property
    def aggregate(self) -> bool:
        """Whether it has one result, of all documents."""
        return any(term.aggregate for _, term in self.columns or ())


class Bindings(dict[str, Any]):
    """What SQLite asks for by name: `r_x`, `v_x` and `j_x` are rank, value and JSON of the constant `x`."""

    def __init__(self, constants: Mapping[str, Any], parameters: Mapping[str, Any], **others: Any) -> None:
        super().__init__(others)
        self._given = {**constants, **parameters}

    def given(self, name: str) -> Any:
        """A constant itself; 400 where the request has no value for it."""
        if name not in self._given:
            raise errors.bad_request(f"The query parameter @{name} has no value.")
        return self._given[name]

    def __missing__(self, form: str) -> Any:
        value = self.given(form[2:])
        if form[0] == "r":
            return RANKS[type(value)]
        if form[0] == "j" or isinstance(value, list | dict):
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return 0 if value is None else value


@lru_cache(maxsize=512)
def compiled(text: str, start: str = "query") -> Compiled:
    """The SQL of a query, or of a patch's `condition`; 400 and 501 as in the module `syntax`."""
    tree = parse(text, start)
    try:
        result: Compiled = _Compiler(text).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    return result


@v_args(inline=True)
class _Compiler(Transformer[Token, Compiled]):
    """Builds the SQL, bottom up; absent parts arrive as None."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text, self._constants, self._roots = text, dict[str, Any](), set[str]()

    def query(self, top: Any, columns: Any, alias: str, where: Any, order: Any, offset: Any) -> Compiled:
        for root in self._roots - {alias}:
            raise errors.bad_request(f"Identifier '{root}' could not be resolved.")
        skipped, limit = offset or (None, None)
        columns = columns and tuple((alias if name == "$" else name, term) for name, term in columns)
        condition = Condition("1", "1") if where is None else as_condition(where)
        result = Compiled(condition, columns, order or (), top and _name(top), skipped, limit, self._constants)
        if result.aggregate and (order or top or offset or not all(term.aggregate for _, term in columns)):
            raise errors.unsupported("aggregates beside anything else")
        return result

    def condition(self, alias: str, where: Any) -> Compiled:
        return self.query(None, None, alias, where, None, None)

    def everything(self) -> None:
        return None

    def one_value(self, value: Any) -> tuple[tuple[None, Term]]:
        return ((None, as_term(value)),)

    def columns(self, *columns: tuple[str | None, Term]) -> tuple[tuple[str, Term], ...]:
        unnamed = (f"${number}" for number in range(1, len(columns) + 1))
        return tuple((name or next(unnamed), term) for name, term in columns)

    def column(self, value: Any, name: str | None) -> tuple[str | None, Term]:
        term = as_term(value)
        if name is not None:
            return check_name(self._text, name), term
        last = (term.path or "]").rpartition('."')[2].removesuffix('"')
        return (None if last.endswith("]") else last), term

    def from_(self, container: str, alias: str | None) -> str:
        return [check_name(self._text, name) for name in (container, alias) if name is not None][-1]

    def order(self, *sortings: tuple[str, bool]) -> tuple[tuple[str, bool], ...]:
        return sortings

    def sorting(self, path: Term, descending: Token | None = None) -> tuple[str, bool]:
        return str(path.path), descending is not None

    def offset(self, offset: Term, limit: Term) -> tuple[str, str]:
        return _name(offset), _name(limit)

    def either(self, *parts: Any) -> Condition:
        return expressions.either([as_condition(part) for part in parts])

    def every(self, *parts: Any) -> Condition:
        return expressions.every([as_condition(part) for part in parts])

    def negative(self, part: Any) -> Condition:
        return expressions.negative(as_condition(part))

    def compare(self, left: Any, operator: str, right: Any) -> Condition:
        return compare(as_term(left), operator, as_term(right))

    def options(self, *options: Any) -> list[Term]:
        return [as_term(option) for option in options]

    def member(self, item: Any, options: list[Term]) -> Condition:
        return member(as_term(item), options)

    def not_member(self, item: Any, options: list[Term]) -> Condition:
        return expressions.negative(member(as_term(item), options))

    def between(self, item: Any, least: Any, most: Any) -> Condition:
        bounds = [compare(as_term(item), ">=", as_term(least)), compare(as_term(item), "<=", as_term(most))]
        return expressions.every(bounds)

    def not_between(self, item: Any, least: Any, most: Any) -> Condition:
        return expressions.negative(self.between(item, least, most))

    def string(self, token: str) -> Term:
        return self._constant(_unquoted(token))

    def number(self, *tokens: str) -> Term:
        text = "".join(tokens)
        return self._constant(int(text) if tokens[-1].isdecimal() else float(text))

    def constant(self, token: str) -> Term:
        if token.upper() == "UNDEFINED":
            return Term("0", "0", "NULL")
        return self._constant({"TRUE": True, "FALSE": False, "NULL": None}[token.upper()])

    def array(self, *items: Term | None) -> Term:
        return self._constant([self._constants[_name(item)] for item in items if item is not None])

    def parameter(self, token: str) -> Term:
        return _bound(token[1:])

    def call(self, name: str, *arguments: Any) -> Term | Condition:
        return expressions.call(name.upper(), [as_term(argument) for argument in arguments if argument is not None])

    def path(self, root: str, *steps: str) -> Term:
        self._roots.add(check_name(self._text, root))
        path = "$" + "".join(steps)
        return Term(*key(path), f"body -> '{path}'", path)

    def named(self, name: str) -> str:
        return f'."{check_name(self._text, name)}"'

    def quoted(self, token: str) -> str:
        name = _unquoted(token)
        if not name.isprintable() or any(character in name for character in "\"'\\"):
            raise errors.unsupported(f"the property name {name!r} in queries")
        return f'."{name}"'

    def element(self, index: str) -> str:
        return f"[{index}]"

    def _constant(self, value: Any) -> Term:
        name = str(len(self._constants) + 1)
        self._constants[name] = value
        return _bound(name)


def _bound(name: str) -> Term:
    return Term(f":r_{name}", f":v_{name}", f":j_{name}", fixed=True)


def _name(bound: Term) -> str:
    return bound.value.removeprefix(":v_")


def _unquoted(token: str) -> str:
    inner = token[1:-1]
    if token[0] == "'":
        inner = inner.replace("\\'", "'").replace('\\"', '"').replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError as error:
        raise errors.bad_request(f"Syntax error, invalid string {token}.") from error
