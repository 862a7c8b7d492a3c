"""The pages of a query's answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.query import dialect
from local.cosmos.query.dialect import Condition, Query, key, together

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
    query = dialect.condition(condition)
    return container.holds(together(query.where), {**query.bound({}), "body": body})


def page(
    container: Container,
    text: str,
    parameters: Mapping[str, Any],
    partition: str | None,
    size: int,
    continuation: str | None,
) -> Page:
    """A page of up to `size` results, from one partition or (None) all.

    Documents come in the order of their creation, or as ORDER BY says (a document without the property that a
    single ORDER BY names is left out, as under the service's default index policy).
    """
    query = dialect.points(text, container.key_path) or dialect.query(text)
    _check_order(container, query)
    values, conditions = query.bound(parameters), [*query.where]
    if partition is not None:
        conditions.append(Condition(dialect.PARTITION, frozenset([container.key_path])))
        values["partition"] = partition
    index, clauses = _plan(container, query, conditions)
    if query.columns == dialect.COUNT:
        [(count,)] = container.select("count(*)", clauses, values, "", index)
        return Page([str(count)], None, charges.page(max(1, container.looked_at), 0))
    columns = [sql for _, sql in query.columns]
    if query.columns[0][0] is None:
        clauses.append(f"{columns[0]} IS NOT NULL")
    if len(query.order) == 1:
        clauses.append(f"{key(query.order[0][0])[0]} > 0")
    # SQLite sorts what an index has in order already if ORDER BY names what is fixed.
    fixed = frozenset[str]().union(*(one.fixed for one in conditions))
    keys = [*(part for path, _ in query.order for part in key(path) if part not in fixed), "row"]
    descending = any(descends for _, descends in query.order)
    left, position = _start(continuation, values["top"], len(keys))
    if position:
        after = {f"after_{number}": value for number, value in enumerate(position)}
        clauses.insert(0, f"({', '.join(keys)}) {'<' if descending else '>'} (:{', :'.join(after)})")
        values |= after
    ordering = ", ".join(f"{part}{' DESC' * descending}" for part in keys)
    results, length, looked_at, more = list[str](), 0, 0, None
    selected = ", ".join([*columns, *keys, container.looked])
    for found in container.select(selected, clauses, values, f"ORDER BY {ordering}", index) if left != 0 else ():
        if len(results) == size or length > _MOST_BYTES:
            more = json.dumps([left, position])
            break
        position, looked_at = found[len(columns) : -1], found[-1]
        results.append(_result(query, found[: len(columns)]))
        length += len(results[-1])
        left = None if left is None else left - 1
        if left == 0:
            break
    else:
        looked_at = container.looked_at
    return Page(results, more, charges.page(max(len(results), looked_at), length))


def _start(continuation: str | None, top: Any, keys: int) -> tuple[int | None, list[Any]]:
    """How many results are left to give (None: all), and where in the order the last one was (empty: none was)."""
    if not continuation:
        if top is not None and (type(top) is not int or top < 0):
            raise errors.bad_request("TOP takes a number that isn't negative.")
        return top, []
    try:
        left, position = json.loads(continuation)
        if len(position) != keys:
            raise ValueError("another query's")
    except (ValueError, TypeError) as error:
        raise errors.bad_request("Invalid continuation token.") from error
    return left, position


def _check_order(container: Container, query: Query) -> None:
    """400 as in Azure where the index lacks the order that is asked for."""
    if len(query.order) == 1 and not container.index.covers(query.order[0][0]):
        raise errors.bad_request("The index path corresponding to the specified order-by item is excluded.")
    if not container.index.sorts(query.order):
        raise errors.bad_request(
            "The order by query does not have a corresponding composite index that it can be served from."
        )
    if len({descends for _, descends in query.order}) > 1:
        raise errors.unsupported("ORDER BY in both directions in queries")


def _plan(container: Container, query: Query, conditions: Sequence[Condition]) -> tuple[str | None, list[str]]:
    """SQLite's index, and the clauses, which count what Azure would look at (see `local.cosmos.charges`)."""
    indexed = [one for one in conditions if all(container.index.covers(path) for path in one.paths)]
    others = [one for one in conditions if one not in indexed]
    if indexed and (query.points or indexed[-1].sql == dialect.PARTITION):
        index: str | None = container.key_index
    elif query.order:
        index = container.sql_index([part for path, _ in query.order for part in key(path)])
        return index, [container.looking, together(conditions)]
    else:
        fixed = sorted(frozenset[str]().union(*(one.fixed for one in indexed)))
        index = container.sql_index(fixed) if fixed else None
    if not others:
        return index, [together(indexed)]
    looked = f"CASE WHEN {together(indexed)} THEN {container.looking} AND {together(others)} END"
    return index, [together(indexed), looked]


def _result(query: Query, values: tuple[Any, ...]) -> str:
    """A result's JSON. A property that is undefined is left out."""
    if query.columns[0][0] is None:
        return str(values[0])
    named = zip((name for name, _ in query.columns), values, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in named if value is not None)}}}"
