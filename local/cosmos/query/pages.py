"""The pages of a query's answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container, canonical
from local.cosmos.query.compiler import Bindings, Compiled, compiled
from local.cosmos.query.expressions import key
from local.cosmos.query.points import points

_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the results as JSON, and where the next page begins (None: there is none)."""

    results: list[str]
    continuation: str | None
    charge: float


def holds(container: Container, condition: Any, body: str) -> bool:
    """Whether an item's JSON fulfils a patch's condition, `from c where …`; 400 where that isn't one."""
    if not isinstance(condition, str):
        raise errors.bad_request("A patch's condition is a text.")
    query = compiled(condition, "condition")
    return container.holds(query.where.sure, Bindings(query.constants, {}, body=body))


def page(
    container: Container,
    text: str,
    parameters: Mapping[str, Any],
    partition: str | None,
    size: int,
    continuation: str | None,
    across: bool = True,
) -> Page:
    """A page of up to `size` results, from one partition or (None) all; 400 if it takes all and `across` forbids it.

    Documents come in the order of their creation, or as ORDER BY says (a document without the property that a
    single ORDER BY names is left out, as under the service's default index policy).
    """
    query = points(text, container.key_path) or compiled(text)
    bindings = Bindings(query.constants, parameters, partition=partition)
    bindings["points"] = json.dumps([[canonical(bindings.given(k)), bindings.given(i)] for k, i in query.points])
    search = _Search(container, query, bindings)
    if not (across or search.keyed):
        raise errors.bad_request(
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to"
            " true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    if query.aggregate:
        if query.columns and query.columns[0][0] is not None and partition is None:
            raise errors.bad_request("Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates.")
        found = _result(query, next(search.select("")))
        return Page([] if found is None else [found], None, charges.page(1, 0))
    cursor = _Cursor.resumed(continuation) if continuation else _Cursor.started(query, bindings)
    results, length, loaded = list[str](), 0, 0
    for position, values in search.rows(cursor.position):
        if cursor.left == 0:
            break
        if len(results) == size or length > _MOST_BYTES:
            return Page(results, cursor.token(), charges.page(loaded, length))
        loaded += 1
        result = _result(query, values)
        if cursor.passes(position) and result is not None:
            results.append(result)
            length += len(result)
    return Page(results, None, charges.page(loaded, length))


type _Position = tuple[int, list[Any]]
"""A document's row, and rank and value of each property of the order."""


class _Search:
    """How the documents of a query are found: through an index, in the order asked for."""

    def __init__(self, container: Container, query: Compiled, bindings: Bindings) -> None:
        self._container, self._query, self._bindings = container, query, bindings
        self._clauses, self._table_key = [query.where.sure], f"{container.table}_key"
        self._keys = [part for path, _ in query.order for part in key(path)]
        if bindings["partition"] is not None:
            self._clauses.append("pk = :partition")
        in_key = "$" + "".join(f'."{name}"' for name in container.key_path) in query.where.equal
        self.keyed = bindings["partition"] is not None or bool(query.points) or in_key
        wanted = [("/" + path[3:-1].replace('"."', "/"), descending) for path, descending in query.order]
        opposite = [(path, not descending) for path, descending in wanted]
        if len(wanted) > 1 and not any(index in (wanted, opposite) for index in container.composite_indexes):
            raise errors.bad_request(
                "The order by query does not have a corresponding composite index that it can be served from."
            )

    def select(self, rest: str) -> Iterator[tuple[Any, ...]]:
        """The rows as SQLite has them: results, then row, then the order's ranks and values."""
        columns = ["body"] if self._query.columns is None else [term.json for _, term in self._query.columns]
        if not self._query.aggregate:
            columns += ["row", *self._keys]
        return self._container.select(", ".join(columns), self._clauses, self._bindings, rest, self._index())

    def rows(self, after: _Position | None) -> Iterator[tuple[_Position, tuple[Any, ...]]]:
        """The documents, or those behind a position: where each stands, and its results."""
        keys, backwards = self._keys, self._descending(0)
        if after is not None and keys:
            self._clauses.append(f"({keys[0]}, {keys[1]}) {'<=' if backwards else '>='} (:after_rank, :after_value)")
            self._bindings |= {"after_rank": after[1][0], "after_value": after[1][1]}
        elif after is not None:
            self._clauses.append("row > :after_row")
            self._bindings["after_row"] = after[0]
        if len(self._query.order) == 1:
            self._clauses.append(f"{keys[0]} > 0")
        ordering = [f"{part}{' DESC' * self._descending(index // 2)}" for index, part in enumerate(keys)]
        for found in self.select(f"ORDER BY {', '.join([*ordering, 'row' + ' DESC' * backwards])}"):
            width = len(found) - len(keys) - 1
            position = (found[width], list(found[width + 1 :]))
            if after is None or self._is_behind(position, after):
                yield position, found[:width]

    def _is_behind(self, position: _Position, after: _Position) -> bool:
        for index, (one, other) in enumerate(zip(position[1], after[1], strict=True)):
            if one != other:
                return bool((one > other) is not self._descending(index // 2))
        return position[0] < after[0] if self._descending(0) else position[0] > after[0]

    def _descending(self, index: int) -> bool:
        return self._query.order[index][1] if self._query.order else False

    def _index(self) -> str | None:
        """An index on what the query compares and sorts by. Cosmos DB indexes every property; here the first does."""
        if self._bindings["partition"] is not None or self._query.points:
            return self._table_key
        # An index of equal values may begin with them, so that it serves lists of values as well.
        columns = [part for path in sorted(self._query.where.equal) for part in reversed(key(path))]
        # It is read forwards or backwards: of two opposite orders it serves both.
        for path, descending in self._query.order:
            columns += [part + " DESC" * (descending is not self._descending(0)) for part in key(path)]
        if not self._query.order and self._query.where.ranged:
            columns += key(self._query.where.ranged[0])
        return self._container.index(columns) if columns else None


class _Cursor:
    """Where a query stands: behind which document, how many results to skip and how many are left (None: any)."""

    def __init__(self, position: _Position | None, skipping: int, left: int | None) -> None:
        self.position, self.skipping, self.left = position, skipping, left

    @staticmethod
    def started(query: Compiled, bindings: Bindings) -> "_Cursor":
        bounds = [bindings.given(name) if name else None for name in (query.offset, query.top, query.limit)]
        if any(bound is not None and (type(bound) is not int or bound < 0) for bound in bounds):
            raise errors.bad_request("TOP, OFFSET and LIMIT take a number that isn't negative.")
        return _Cursor(None, bounds[0] or 0, min((bound for bound in bounds[1:] if bound is not None), default=None))

    @staticmethod
    def resumed(token: str) -> "_Cursor":
        try:
            (row, keys), skipping, left = json.loads(token)
            return _Cursor((int(row), list(keys)), int(skipping), left)
        except (ValueError, TypeError) as error:
            raise errors.bad_request("Invalid continuation token.") from error

    def passes(self, position: _Position) -> bool:
        """Go on to this document; whether it is one of the results."""
        self.position = position
        if self.skipping:
            self.skipping -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def token(self) -> str:
        return json.dumps([self.position, self.skipping, self.left], separators=(",", ":"))


def _result(query: Compiled, values: tuple[Any, ...]) -> str | None:
    """A result's JSON; None where `VALUE` is undefined. A property that is undefined is left out."""
    if query.columns is None or query.columns[0][0] is None:
        return None if values[0] is None else str(values[0])
    named = zip((name for name, _ in query.columns), values, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in named if value is not None)}}}"
