"""The pages of a query's answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.query import dialect
from local.cosmos.query.dialect import Query, key

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
    return container.holds(query.where, {**query.bound({}), "body": body})


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
    _check_composite_index(container, query)
    values, clauses = query.bound(parameters), [query.where]
    if partition is not None:
        clauses.append("pk = :partition")
        values["partition"] = partition
    index = container.key_index if partition is not None or query.points else _index(container, query)
    if query.columns == dialect.COUNT:
        [(count,)] = container.select("count(*)", clauses, values, "", index)
        return Page([str(count)], None, charges.page(1, 0))
    columns = [sql for _, sql in query.columns]
    if query.columns[0][0] is None:
        clauses.append(f"{columns[0]} IS NOT NULL")
    keys = [*(part for path in query.order for part in key(path)), "row"]
    if len(query.order) == 1:
        clauses.append(f"{keys[0]} > 0")
    left = values["top"]
    if left is not None and (type(left) is not int or left < 0):
        raise errors.bad_request("TOP takes a number that isn't negative.")
    if continuation:
        try:
            left, position = json.loads(continuation)
            after = dict(zip([f"after_{number}" for number in range(len(keys))], position, strict=True))
        except (ValueError, TypeError) as error:
            raise errors.bad_request("Invalid continuation token.") from error
        clauses.append(f"({', '.join(keys)}) {'<' if query.descending else '>'} (:{', :'.join(after)})")
        values |= after
    ordering = ", ".join(f"{part}{' DESC' * query.descending}" for part in keys)
    results, length = list[str](), 0
    for found in container.select(", ".join([*columns, *keys]), clauses, values, f"ORDER BY {ordering}", index):
        if left == 0:
            break
        if len(results) == size or length > _MOST_BYTES:
            return Page(results, json.dumps([left, position]), charges.page(len(results), length))
        position = found[len(columns) :]
        results.append(_result(query, found[: len(columns)]))
        length += len(results[-1])
        left = None if left is None else left - 1
    return Page(results, None, charges.page(len(results), length))


def _check_composite_index(container: Container, query: Query) -> None:
    wanted = ["/" + path[3:-1].replace('"."', "/") for path in query.order]
    if len(wanted) > 1 and wanted not in container.composite_indexes:
        raise errors.bad_request(
            "The order by query does not have a corresponding composite index that it can be served from."
        )


def _index(container: Container, query: Query) -> str | None:
    """An index on what the query compares and sorts by. Cosmos DB indexes every property; here the first does."""
    # An index of equal values may begin with them, so that it serves lists of values as well.
    columns = [part for path in sorted(query.equal) for part in reversed(key(path))]
    columns += [part for path in query.order for part in key(path)]
    return container.index(columns) if columns else None


def _result(query: Query, values: tuple[Any, ...]) -> str:
    """A result's JSON. A property that is undefined is left out."""
    if query.columns[0][0] is None:
        return str(values[0])
    named = zip((name for name, _ in query.columns), values, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in named if value is not None)}}}"
