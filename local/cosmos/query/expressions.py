"""Expressions of the dialect in SQL over a document's `body`.

A value becomes two SQL expressions, the rank of its type and the value itself, so that SQLite's order is the
dialect's. A condition becomes two as well: `exact` is NULL where the dialect says undefined; `sure` may be false
there instead, and is what an index can be used for.
"""

from dataclasses import dataclass

from local.cosmos import errors

RANKS: dict[type, int] = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}
_RANK = (
    "CASE {of} WHEN 'text' THEN 4 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'null' THEN 1 WHEN 'true' THEN 2 "
    "WHEN 'false' THEN 2 WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
)
_MEMBERS = f"(SELECT {_RANK.format(of='type')}, ifnull(value, 0) FROM json_each({{}}))"
_TYPES = {"IS_NULL": 1, "IS_BOOL": 2, "IS_NUMBER": 3, "IS_STRING": 4, "IS_ARRAY": 5, "IS_OBJECT": 6}
_OF_TEXT = {"LOWER": 4, "UPPER": 4, "LENGTH": 3}
_OF_TEXTS = {
    "STARTSWITH": "substr({0}, 1, length({1})) = {1}",
    "ENDSWITH": "({1} = '' OR substr({0}, -length({1})) = {1})",
    "CONTAINS": "instr({0}, {1}) > 0",
    "STRINGEQUALS": "{0} = {1}",
}
# What an aggregate is made of, and of which types it is defined; each ignores what is undefined.
_TOTALS = {
    "COUNT": ("count({})", "1, 2, 3, 4, 5, 6"),
    "SUM": ("ifnull(sum({}), 0)", "3"),
    "AVG": ("avg({})", "3"),
    "MIN": ("min({})", "3, 4"),
    "MAX": ("max({})", "3, 4"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """A value: its rank, itself, its JSON. `path` where it is a property, `fixed` where it is a constant."""

    rank: str
    value: str
    json: str
    path: str | None = None
    fixed: bool = False
    aggregate: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A truth value; `equal` and `ranged` are the properties that an index on them would find it by."""

    sure: str
    exact: str
    equal: frozenset[str] = frozenset()
    ranged: tuple[str, ...] = ()


def key(path: str) -> tuple[str, str]:
    """Rank and value of a property, given by its path in SQLite's notation."""
    return _RANK.format(of=f"json_type(body, '{path}')"), f"ifnull(json_extract(body, '{path}'), 0)"


def exactly(exact: str, sure: str | None = None, equal: Term | None = None, ranged: Term | None = None) -> Condition:
    """A condition; `sure`, where there is one, is for an index on the property that `equal` or `ranged` is."""
    if sure is None:
        return Condition(exact, exact)
    equals = frozenset([equal.path]) if equal is not None and equal.path is not None else frozenset[str]()
    return Condition(f"({sure})", exact, equals, (ranged.path,) if ranged is not None and ranged.path else ())


def as_term(part: Term | Condition) -> Term:
    """A condition as a value."""
    if isinstance(part, Term):
        return part
    words = f"CASE ({part.exact}) WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
    return Term(f"CASE WHEN ({part.exact}) IS NULL THEN 0 ELSE 2 END", f"ifnull(({part.exact}), 0)", words)


def as_condition(part: Term | Condition) -> Condition:
    """A value as a condition: undefined, unless it is true or false."""
    return part if isinstance(part, Condition) else exactly(f"CASE WHEN {part.rank} = 2 THEN {part.value} END")


def every(parts: list[Condition]) -> Condition:
    """AND."""
    equal = frozenset[str]().union(*(part.equal for part in parts))
    ranged = tuple(path for part in parts for path in part.ranged)
    sure, exact = (" AND ".join(sides) for sides in zip(*((p.sure, p.exact) for p in parts), strict=True))
    return Condition(f"({sure})", f"({exact})", equal, ranged)


def either(parts: list[Condition]) -> Condition:
    """OR."""
    sure, exact = (" OR ".join(sides) for sides in zip(*((p.sure, p.exact) for p in parts), strict=True))
    return Condition(f"({sure})", f"({exact})")


def negative(part: Condition) -> Condition:
    """NOT."""
    return exactly(f"(NOT {part.exact})")


def compare(left: Term, operator: str, right: Term) -> Condition:
    """A comparison; ordered are two values of one type, neither arrays nor objects.

    Equality across types is false and inequality true, as the service and Microsoft's own evaluator have it; its
    documentation says undefined.
    """
    item, other = (right, left) if left.fixed else (left, right)
    same_type = f"{left.rank} = {right.rank}"
    compared = f"{left.value} {operator} {right.value}"
    if operator in ("=", "!=", "<>"):
        equal = f"{same_type} AND {left.value} = {right.value}"
        exact = f"CASE WHEN {left.rank} > 0 AND {right.rank} > 0 THEN {'' if operator == '=' else 'NOT'} ({equal}) END"
        return exactly(exact, equal if operator == "=" and other.fixed else None, equal=item)
    ordered = f"{same_type} AND {other.rank} BETWEEN 1 AND 4"
    sure = f"{ordered} AND {compared}" if other.fixed else None
    return exactly(f"CASE WHEN {ordered} THEN {compared} END", sure, ranged=item)


def member(item: Term, options: list[Term]) -> Condition:
    """IN."""
    pairs = ", ".join(f"({option.rank}, {option.value})" for option in options)
    among = f"({item.rank}, {item.value}) IN (VALUES {pairs})"
    values = ", ".join(option.value for option in options)
    sure = f"{item.value} IN ({values}) AND {among}" if all(option.fixed for option in options) else None
    return exactly(f"CASE WHEN {item.rank} > 0 THEN {among} END", sure, equal=item)


def call(name: str, terms: list[Term]) -> Term | Condition:
    """A function; 501 where the stand-in has none of this name with so many arguments."""
    match name, terms:
        case "IS_DEFINED", [one]:
            return exactly(f"({one.rank} > 0)")
        case _, [one] if name in _TYPES:
            return exactly(f"({one.rank} = {_TYPES[name]})")
        case _, [one] if name in _OF_TEXT:
            rank, value = f"CASE WHEN {one.rank} = 4 THEN {_OF_TEXT[name]} ELSE 0 END", f"{name}({one.value})"
            return Term(rank, value, f"CASE WHEN {one.rank} = 4 THEN json_quote({value}) END")
        case _, [one] if name in _TOTALS:
            return _total(*_TOTALS[name], one)
        case _, [_, _] | [_, _, _] if name in _OF_TEXTS:
            return _of_texts(_OF_TEXTS[name], *terms)
        case "ARRAY_CONTAINS", [array, item]:
            return _contains(array, item)
    raise errors.unsupported(f"the query function {name} with {len(terms)} arguments")


def _total(total: str, ranks: str, of: Term) -> Term:
    value = total.format(f"CASE WHEN {of.rank} IN ({ranks}) THEN {of.value} END")
    defined = f"total({of.rank} NOT IN (0, {ranks})) = 0 AND {value} IS NOT NULL"
    return Term("0", value, f"CASE WHEN {defined} THEN json_quote({value}) END", aggregate=True)


def _of_texts(test: str, text: Term, part: Term, ignoring_case: Term | None = None) -> Condition:
    values = [text.value, part.value]
    if ignoring_case is not None:
        values = [f"CASE WHEN {ignoring_case.value} = 1 THEN lower({value}) ELSE {value} END" for value in values]
    return exactly(f"CASE WHEN {text.rank} = 4 AND {part.rank} = 4 THEN {test.format(*values)} END")


def _contains(array: Term, item: Term) -> Condition:
    among = f"({item.rank}, {item.value}) IN {_MEMBERS.format(array.json)}"
    values = f"(SELECT ifnull(value, 0) FROM json_each({array.json}))"
    sure = f"{array.rank} = 5 AND {item.value} IN {values} AND {among}" if array.fixed else None
    return exactly(f"CASE WHEN {array.rank} = 5 AND {item.rank} > 0 THEN {among} END", sure, equal=item)
