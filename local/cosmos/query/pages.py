"""The pages of a query's answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.query import tree
from local.cosmos.query.aggregates import aggregate, aggregated
from local.cosmos.query.evaluation import argument, evaluator
from local.cosmos.query.search import Position, Search
from local.cosmos.query.syntax import parse
from local.cosmos.query.tree import UNDEFINED, Expression, Query

_MOST_BYTES = 4 * 1024 * 1024
_MOST_LOADED = 5_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the results as JSON, and where the next page begins (None: there is none)."""

    results: list[str]
    continuation: str | None
    charge: float


def page(
    container: Container,
    text: str,
    parameters: Mapping[str, Any],
    partition: str | None,
    size: int,
    continuation: str | None,
    across: bool = True,
) -> Page:
    """A page of up to `size` results, from one partition or (None) all; may be short or empty before the last.

    400 when it would take all of them and `across` doesn't allow that.

    Documents come in the order of their creation, or as ORDER BY says (a document without the property that a
    single ORDER BY names is left out, as under the service's default index policy). A page ends early at 4 MB of
    results or 5,000 documents looked at.
    """
    query = parse(text)
    search = Search(query, container, partition, parameters)
    if not (across or search.keyed):
        raise errors.bad_request(
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to"
            " true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    where = None if search.left is None else evaluator(search.left, query.alias)
    if aggregated(query):
        if query.columns and query.columns[0][0] is not None and partition is None:
            raise errors.bad_request("Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates.")
        results, loaded = aggregate(query, search, where, parameters)
        return Page(results, None, charges.page(loaded, 0))
    cursor = _Cursor.resumed(continuation) if continuation else _Cursor.started(query, parameters)
    columns = query.columns and [(name, evaluator(expression, query.alias)) for name, expression in query.columns]
    results, length, loaded, more = [], 0, 0, False
    for row, body, key in search.rows(cursor.position):
        if cursor.left == 0:
            break
        if len(results) == size or length > _MOST_BYTES or loaded == _MOST_LOADED:
            more = True
            break
        loaded += 1
        cursor.position = (row, key)
        item = None if where is None and columns is None else json.loads(body)
        if where is not None and where(item, parameters) is not True:
            continue
        if cursor.skipping:
            cursor.skipping -= 1
            continue
        if cursor.left is not None:
            cursor.left -= 1
        result = body if columns is None else _projected(columns, item, parameters)
        if result is not None:
            results.append(result)
            length += len(result)
    return Page(results, cursor.token() if more else None, charges.page(loaded, length))


class _Cursor:
    """Where a query stands: behind which document, how many results to skip and how many are left (None: any)."""

    def __init__(self, position: Position | None, skipping: int, left: int | None) -> None:
        self.position, self.skipping, self.left = position, skipping, left

    @staticmethod
    def started(query: Query, parameters: Mapping[str, Any]) -> "_Cursor":
        limits = [_count(bound, parameters) for bound in (query.top, query.limit) if bound is not None]
        skipping = 0 if query.offset is None else _count(query.offset, parameters)
        return _Cursor(None, skipping, min(limits, default=None))

    @staticmethod
    def resumed(token: str) -> "_Cursor":
        try:
            (row, key), skipping, left = json.loads(token)
            return _Cursor((int(row), list(key)), int(skipping), left)
        except (ValueError, TypeError) as error:
            raise errors.bad_request("Invalid continuation token.") from error

    def token(self) -> str:
        return json.dumps([self.position, self.skipping, self.left], separators=(",", ":"))


def _count(bound: Expression, parameters: Mapping[str, Any]) -> int:
    count = bound.value if isinstance(bound, tree.Literal) else None
    if isinstance(bound, tree.Parameter):
        count = argument(bound.name, parameters)
    if type(count) is not int or count < 0:
        raise errors.bad_request("TOP, OFFSET and LIMIT take a number that isn't negative.")
    return count


def _projected(columns: Any, item: Any, parameters: Mapping[str, Any]) -> str | None:
    values = [(name, evaluate(item, parameters)) for name, evaluate in columns]
    if values[0][0] is None:
        return None if values[0][1] is UNDEFINED else json.dumps(values[0][1])
    return json.dumps({name: value for name, value in values if value is not UNDEFINED})
