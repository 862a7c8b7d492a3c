"""Aggregates: COUNT, SUM, AVG, MIN, MAX over all that a query finds."""

import json
from collections.abc import Mapping
from typing import Any

from local.cosmos import errors
from local.cosmos.query import tree
from local.cosmos.query.evaluation import Evaluate, evaluator
from local.cosmos.query.functions import AGGREGATES
from local.cosmos.query.search import Search
from local.cosmos.query.tree import UNDEFINED, Expression, Query
from local.cosmos.query.values import NUMBER, rank


def aggregated(query: Query) -> bool:
    """Whether a query asks for aggregates; 501 where it mixes them with something else."""
    calls = [isinstance(e, tree.Call) and e.name in AGGREGATES for _, e in query.columns or ()]
    if any(calls) and (not all(calls) or query.order or query.top or query.limit):
        raise errors.unsupported("aggregates beside anything else")
    return any(calls)


def aggregate(
    query: Query, search: Search, where: Evaluate | None, parameters: Mapping[str, Any]
) -> tuple[list[str], int]:
    """The one result, as JSON (none where VALUE is undefined), and how many documents it took."""
    columns = [(name, call.name, call.arguments) for name, call in query.columns or () if isinstance(call, tree.Call)]
    if any(len(arguments) != 1 for _, _, arguments in columns):
        raise errors.bad_request("An aggregate takes one argument.")
    if where is None and all(name == "COUNT" and isinstance(of[0], tree.Literal) for _, name, of in columns):
        loaded = search.count()
        totals: list[Any] = [loaded for _ in columns]
    else:
        loaded, values = _collected([of[0] for _, _, of in columns], query.alias, search, where, parameters)
        totals = [_total(name, found) for (_, name, _), found in zip(columns, values, strict=True)]
    if columns[0][0] is None:
        return [json.dumps(total) for total in totals if total is not UNDEFINED], loaded
    named = zip((name for name, _, _ in columns), totals, strict=True)
    return [json.dumps({name: total for name, total in named if total is not UNDEFINED})], loaded


def _collected(
    expressions: list[Expression], alias: str, search: Search, where: Evaluate | None, parameters: Mapping[str, Any]
) -> tuple[int, list[list[Any]]]:
    evaluators = [evaluator(expression, alias) for expression in expressions]
    loaded, collected = 0, [list[Any]() for _ in expressions]
    for _, body, _ in search.rows():
        item = json.loads(body)
        if where is None or where(item, parameters) is True:
            loaded += 1
            for evaluate, values in zip(evaluators, collected, strict=True):
                if (value := evaluate(item, parameters)) is not UNDEFINED:
                    values.append(value)
    return loaded, collected


def _total(name: str, values: list[Any]) -> Any:
    if name == "COUNT":
        return len(values)
    if name in ("MIN", "MAX"):
        primitive = [(rank(value), value) for value in values if 0 < rank(value) <= 5]
        extreme = min if name == "MIN" else max
        return extreme(primitive, key=_comparable)[1] if primitive else UNDEFINED
    if any(rank(value) != NUMBER for value in values):
        return UNDEFINED
    if name == "SUM":
        return sum(values)
    if not values:
        return UNDEFINED
    mean = sum(values) / len(values)
    return int(mean) if mean.is_integer() else mean


def _comparable(ranked: tuple[int, Any]) -> tuple[int, Any]:
    return ranked[0], ranked[1] if ranked[0] >= NUMBER else 0
