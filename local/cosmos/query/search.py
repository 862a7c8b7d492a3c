"""What SQLite can do for a query: find the documents through an index, in the order asked for.

Each property becomes two SQL expressions, its type's rank and its value, so that SQLite's order is the dialect's.
Cosmos DB indexes every property; here an index is made when the first query needs it. What SQLite can't decide, the
caller must: that is `left` (None: nothing). `keyed` says whether the partition keys are known.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.cosmos import errors
from local.cosmos.container import Container, canonical
from local.cosmos.query import tree
from local.cosmos.query.evaluation import argument
from local.cosmos.query.tree import UNDEFINED, Expression, Path, Query
from local.cosmos.query.values import ARRAY, NUMBER, STRING, rank

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_RANK = (
    "CASE json_type(body, '{path}') WHEN 'text' THEN 5 WHEN 'integer' THEN 4 WHEN 'real' THEN 4 WHEN 'null' THEN 1 "
    "WHEN 'false' THEN 2 WHEN 'true' THEN 3 WHEN 'array' THEN 6 WHEN 'object' THEN 7 ELSE 0 END"
)
_VALUE = "ifnull(json_extract(body, '{path}'), 0)"
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_FEW = "(SELECT value FROM json_each(?))"
_POINTS = "(pk, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))"

type Position = tuple[int, list[Any]]


class Search:
    """How to find a query's documents in a container, or in one of its partitions."""

    def __init__(
        self, query: Query, container: Container, partition: str | None, parameters: Mapping[str, Any]
    ) -> None:
        self._container, self._alias, self._parameters = container, query.alias, parameters
        self._clauses: list[str] = []
        self._values: list[object] = []
        self._equal: set[Path] = set()
        self._ranged: list[Path] = []
        self.keyed = False
        self._order = query.order
        if partition is not None:
            self._in_partition(partition)
        undecided = [part for part in _conjuncts(query.where) if not self._narrow(part)]
        self.left = tree.Every(tuple(undecided)) if undecided else None
        self._check_order()

    def rows(self, after: Position | None = None) -> Iterator[tuple[int, str, list[Any]]]:
        """The documents, or those behind a position: row, body, and rank and value of each property of the order."""
        keys = [column for path, _ in self._order for column in _columns(path)]
        ordering = [f"{key} {self._direction(index // 2)}" for index, key in enumerate(keys)]
        ordering.append(f"row {self._direction(0)}")
        clauses, values = list(self._clauses), list(self._values)
        if after is not None and keys:
            clauses.append(f"({keys[0]}, {keys[1]}) {'<=' if self._descending(0) else '>='} (?, ?)")
            values += after[1][:2]
        elif after is not None:
            clauses.append("row > ?")
            values.append(after[0])
        if len(self._order) == 1:
            clauses.append(f"{keys[0]} > 0")
        columns, order = ", ".join(["row", "body", *keys]), f"ORDER BY {', '.join(ordering)}"
        for row, body, *key in self._container.select(columns, clauses, values, order, self._index()):
            if after is None or self._is_behind(row, key, after):
                yield row, body, key

    def count(self) -> int:
        """How many documents there are, where nothing is left to decide."""
        rows = self._container.select("count(*)", self._clauses, self._values, index=self._index())
        return int(next(rows)[0])

    def _is_behind(self, row: int, key: list[Any], after: Position) -> bool:
        for index, (one, other) in enumerate(zip(key, after[1], strict=True)):
            if one != other:
                return bool((one > other) is not self._descending(index // 2))
        return row < after[0] if self._descending(0) else row > after[0]

    def _descending(self, index: int) -> bool:
        return self._order[index][1] if self._order else False

    def _direction(self, index: int) -> str:
        return "DESC" if self._descending(index) else "ASC"

    def _index(self) -> str | None:
        if self.keyed:
            return f"{self._container.table}_key"
        columns = [column for path in sorted(self._equal, key=str) for column in _columns(path)]
        # An index is read forwards or backwards: of two opposite orders it serves both.
        backwards = self._descending(0)
        for path, descending in self._order:
            direction = "ASC" if descending is backwards else "DESC"
            columns += [f"{column} {direction}" for column in _columns(path)]
        if not self._order and self._ranged:
            columns += _columns(self._ranged[0])
        return self._container.index(columns) if columns else None

    def _in_partition(self, partition: str) -> None:
        self.keyed = True
        self._add("pk = ?", partition)

    def _add(self, clause: str, *values: object) -> None:
        self._clauses.append(clause)
        self._values += values

    def _constant(self, expression: Expression) -> Any:
        if isinstance(expression, tree.Literal):
            return expression.value
        if isinstance(expression, tree.Parameter):
            return argument(expression.name, self._parameters)
        return UNDEFINED

    def _narrow(self, part: Expression) -> bool:
        """Let SQLite decide this part, if it can."""
        match part:
            case tree.Compare(operator, Path() as path, other) if operator in _MIRRORED and self._plain(path):
                return self._compare(path, operator, self._constant(other))
            case tree.Compare(operator, other, Path() as path) if operator in _MIRRORED and self._plain(path):
                return self._compare(path, _MIRRORED[operator], self._constant(other))
            case tree.Member(Path() as path, options) if self._plain(path):
                return self._member(path, [self._constant(option) for option in options])
            case tree.Call("ARRAY_CONTAINS", (options, Path() as path)) if self._plain(path):
                return self._member(path, self._constant(options))
            case tree.Either(parts):
                return self._points(parts)
            case _:
                return False

    def _plain(self, path: Path) -> bool:
        steps = path.steps
        return path.root == self._alias and bool(steps) and all(_PLAIN.fullmatch(str(step)) for step in steps)

    def _compare(self, path: Path, operator: str, value: Any) -> bool:
        if not _storable(value):
            return False
        kind = rank(value)
        if operator == "=" and path.steps == self._container.key_path:
            self._in_partition(canonical(value))
            return True
        if operator == "=" and path.steps == ("id",) and self.keyed and kind == STRING:
            self._add("id = ?", value)
            return True
        ranks, values = _columns(path)
        if operator == "=":
            self._equal.add(path)
        elif kind in (NUMBER, STRING):
            self._ranged.append(path)
        else:
            return False
        self._add(f"{ranks} = {kind}")
        if kind in (NUMBER, STRING):
            self._add(f"{values} {operator} ?", value)
        return True

    def _member(self, path: Path, options: Any) -> bool:
        if not isinstance(options, list) or not all(map(_storable, options)):
            return False
        kinds = {rank(option) for option in options}
        if kinds not in ({NUMBER}, {STRING}):
            return False
        if path.steps == ("id",) and self.keyed and kinds == {STRING}:
            self._add(f"id IN {_FEW}", json.dumps(options))
            return True
        ranks, values = _columns(path)
        self._equal.add(path)
        self._add(f"{ranks} = {kinds.pop()}")
        self._add(f"{values} IN {_FEW}", json.dumps(options))
        return True

    def _points(self, parts: tuple[Expression, ...]) -> bool:
        """`id and key = … OR id and key = …`, which is how the SDK reads many items at once."""
        points = []
        for part in parts:
            found: dict[tuple[str | int, ...], Any] = {}
            for equation in _conjuncts(part):
                match equation:
                    case tree.Compare("=", Path(root, steps), other) if root == self._alias:
                        found[steps] = self._constant(other)
                    case _:
                        return False
            if found.keys() != {("id",), self._container.key_path} or not isinstance(found["id",], str):
                return False
            if rank(found[self._container.key_path]) in (0, ARRAY, 7):
                return False
            points.append([canonical(found[self._container.key_path]), found["id",]])
        self.keyed = True
        self._add(_POINTS, json.dumps(points))
        return True

    def _check_order(self) -> None:
        for path, _ in self._order:
            if path.root != self._alias:
                raise errors.bad_request(f"Identifier '{path.root}' could not be resolved.")
            if not self._plain(path):
                raise errors.unsupported("ORDER BY anything but plain properties")
        if len(self._order) > 1:
            wanted = [("/" + "/".join(map(str, path.steps)), descending) for path, descending in self._order]
            opposite = [(path, not descending) for path, descending in wanted]
            if not any(index in (wanted, opposite) for index in self._container.composite_indexes):
                raise errors.bad_request(
                    "The order by query does not have a corresponding composite index that it can be served from."
                )


def _columns(path: Path) -> list[str]:
    steps = "$" + "".join(f'."{step}"' for step in path.steps)
    return [_RANK.format(path=steps), _VALUE.format(path=steps)]


def _conjuncts(expression: Expression | None) -> Iterator[Expression]:
    if isinstance(expression, tree.Every):
        for part in expression.parts:
            yield from _conjuncts(part)
    elif expression is not None:
        yield expression


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, float)
