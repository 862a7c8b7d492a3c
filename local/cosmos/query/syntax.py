"""The grammar, and how a text becomes a tree."""

import json
import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from local.cosmos import errors
from local.cosmos.query import tree
from local.cosmos.query.tree import Expression, Literal, Path, Query

_GRAMMAR = r"""
query: "SELECT"i [top] selection from_ [where] [order] [offset]
condition: from_ [where]
top: "TOP"i count
?count: INTEGER -> number | PARAMETER -> parameter
selection: "*" -> everything | "VALUE"i expression -> value | column ("," column)* -> columns
column: expression ["AS"i NAME]
from_: "FROM"i NAME ["AS"i? NAME]
where: "WHERE"i expression
order: "ORDER"i "BY"i sorting ("," sorting)*
sorting: path ("ASC"i | DESC)?
offset: "OFFSET"i count "LIMIT"i count

?expression: conjunction | conjunction ("OR"i conjunction)+ -> either
?conjunction: negation | negation ("AND"i negation)+ -> every
?negation: comparison | "NOT"i negation -> negative
?comparison: operand
    | operand COMPARATOR operand -> compare
    | operand "IN"i options -> member
    | operand "NOT"i "IN"i options -> not_member
    | operand "BETWEEN"i operand "AND"i operand -> between
    | operand "NOT"i "BETWEEN"i operand "AND"i operand -> not_between
?operand: STRING -> string
    | SIGN? (INTEGER | DECIMAL) -> number
    | CONSTANT -> constant
    | PARAMETER -> parameter
    | "[" [expression ("," expression)*] "]" -> array
    | "(" expression ")"
    | NAME "(" [expression ("," expression)*] ")" -> call
    | path
options: "(" expression ("," expression)* ")"
path: NAME step*
?step: "." NAME -> named | "[" STRING "]" -> string | "[" INTEGER "]" -> element

DESC: "DESC"i
SIGN: "-"
CONSTANT.2: /(true|false|null|undefined)\b/i
COMPARATOR: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
PARAMETER: /@\w+/
NAME: /[a-z_]\w*/i
STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/
INTEGER: /[0-9]+/
DECIMAL.2: /[0-9]+(\.[0-9]+(e[+-]?[0-9]+)?|e[+-]?[0-9]+)/i
%ignore /\s+/
"""
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": tree.UNDEFINED}
_LACKING = {"DISTINCT", "GROUP", "JOIN", "LIKE", "EXISTS", "UDF"}
_RESERVED_WORDS = """
AND ARRAY AS ASC BETWEEN BY CASE CAST CONVERT CROSS DESC ELSE END ESCAPE FALSE FOR FROM HAVING IN INNER INSERT INTO IS
LEFT LIMIT NOT NULL OFFSET ON OR ORDER OUTER OVER RIGHT SELECT SET THEN TOP TRUE UNDEFINED UPDATE VALUE WHEN WHERE WITH
"""
_RESERVED = _LACKING | set(_RESERVED_WORDS.split())
_POINT = re.compile(r"\( c\.id = (@\w+) AND c\.(\w+) = (@\w+) \)")
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w+|[<>!]=|\S""")


def _named(word: str) -> str:
    if word.upper() in _RESERVED:
        raise errors.bad_request(f"Syntax error, incorrect syntax near '{word}'.")
    return str(word)


class _Builder(Transformer[Token, Any]):
    """Builds the tree, bottom up; absent parts arrive as None."""

    def query(self, parts: list[Any]) -> Query:
        top, columns, alias, where, order, offset = parts
        skipped, limit = offset or (None, None)
        return Query(alias, columns, where, order or (), top, skipped, limit)

    def condition(self, parts: list[Any]) -> Query:
        return Query(parts[0], where=parts[1])

    def top(self, parts: list[Any]) -> Expression:
        return parts[0]  # type: ignore[no-any-return]  # what lark hands over has no types

    where = top

    def everything(self, _parts: list[Any]) -> None:
        return None

    def value(self, parts: list[Any]) -> tuple[tuple[None, Expression]]:
        return ((None, parts[0]),)

    def columns(self, parts: list[Any]) -> tuple[tuple[str, Expression], ...]:
        unnamed = (f"${number}" for number in range(1, len(parts) + 1))
        return tuple((name or next(unnamed), expression) for name, expression in parts)

    def column(self, parts: list[Any]) -> tuple[str | None, Expression]:
        expression, name = parts
        if name is None and isinstance(expression, Path):
            last = (expression.root, *expression.steps)[-1]
            return (last if isinstance(last, str) else None), expression
        return (None if name is None else _named(name)), expression

    def from_(self, parts: list[Any]) -> str:
        names = [_named(name) for name in parts if name is not None]
        return names[-1]

    def order(self, parts: list[Any]) -> tuple[tuple[Path, bool], ...]:
        return tuple(parts)

    def sorting(self, parts: list[Any]) -> tuple[Path, bool]:
        return parts[0], len(parts) > 1

    def offset(self, parts: list[Any]) -> tuple[Expression, Expression]:
        return parts[0], parts[1]

    def either(self, parts: list[Any]) -> Expression:
        return tree.Either(tuple(parts))

    def every(self, parts: list[Any]) -> Expression:
        return tree.Every(tuple(parts))

    def negative(self, parts: list[Any]) -> Expression:
        return tree.Not(parts[0])

    def compare(self, parts: list[Any]) -> Expression:
        left, operator, right = parts
        return tree.Compare("!=" if operator == "<>" else str(operator), left, right)

    def options(self, parts: list[Any]) -> tuple[Expression, ...]:
        return tuple(parts)

    def member(self, parts: list[Any]) -> Expression:
        return tree.Member(parts[0], parts[1])

    def not_member(self, parts: list[Any]) -> Expression:
        return tree.Not(tree.Member(parts[0], parts[1]))

    def between(self, parts: list[Any]) -> Expression:
        item, least, most = parts
        return tree.Every((tree.Compare(">=", item, least), tree.Compare("<=", item, most)))

    def not_between(self, parts: list[Any]) -> Expression:
        return tree.Not(self.between(parts))

    def string(self, parts: list[Any]) -> Literal:
        quoted = str(parts[0])
        inner = re.sub(r'(?<!\\)"', '\\"', quoted[1:-1].replace("\\'", "'")) if quoted[0] == "'" else quoted[1:-1]
        return Literal(json.loads(f'"{inner}"', strict=False))

    def number(self, parts: list[Any]) -> Literal:
        text = "".join(parts)
        return Literal(int(text) if parts[-1].isdecimal() else float(text))

    def constant(self, parts: list[Any]) -> Literal:
        return Literal(_CONSTANTS[parts[0].upper()])

    def parameter(self, parts: list[Any]) -> Expression:
        return tree.Parameter(str(parts[0]))

    def array(self, parts: list[Any]) -> Expression:
        return tree.Array(tuple(part for part in parts if part is not None))

    def call(self, parts: list[Any]) -> Expression:
        name, *arguments = parts
        return tree.Call(name.upper(), tuple(part for part in arguments if part is not None))

    def path(self, parts: list[Any]) -> Path:
        root, *steps = parts
        return Path(_named(root), tuple(step.value if isinstance(step, Literal) else step for step in steps))

    def named(self, parts: list[Any]) -> str:
        return _named(parts[0])

    def element(self, parts: list[Any]) -> int:
        return int(parts[0])


_PARSER = Lark(_GRAMMAR, parser="lalr", transformer=_Builder(), start=["query", "condition"], maybe_placeholders=True)


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """The tree of a query's text; 400 where it isn't one, 501 where it uses what the stand-in lacks."""
    return _points(text) or _parse(text, "query")


def _points(text: str) -> Query | None:
    """The tree of what the SDK's `read_items` sends: for a thousand items the parser would take long."""
    points = _POINT.findall(text)
    parts = [f"( c.id = {id} AND c.{key} = {value} )" for id, key, value in points]
    if text != f"SELECT * FROM c WHERE ( {' OR '.join(parts)} )":
        return None
    id_path = Path("c", ("id",))
    both = [
        tree.Every(
            (
                tree.Compare("=", id_path, tree.Parameter(id)),
                tree.Compare("=", Path("c", (_named(key),)), tree.Parameter(value)),
            )
        )
        for id, key, value in points
    ]
    return Query("c", where=tree.Either(tuple(both)))


@lru_cache(maxsize=512)
def parse_condition(text: str) -> Query:
    """The tree of a patch's condition, `from c where …`."""
    return _parse(text, "condition")


def _parse(text: str, start: str) -> Query:
    try:
        return _PARSER.parse(text, start=start)  # type: ignore[return-value]  # with a transformer it isn't a Tree
    except (UnexpectedInput, VisitError, errors.CosmosError) as error:
        for word in _TOKENS.findall(text):
            if word.upper() in _LACKING or word in "+/%|&^?{~":
                raise errors.unsupported(f"{word.upper()} in queries") from None
        near = getattr(error, "token", None) or text[getattr(error, "pos_in_stream", None) or 0 :][:20]
        if isinstance(error, errors.CosmosError):
            raise
        raise errors.bad_request(f"Syntax error, incorrect syntax near '{near}'.") from error
