"""Values as queries see them: their types, their order, and what is equal."""

from typing import Any

from local.cosmos.query.tree import UNDEFINED, Undefined

_RANKS: dict[type, int] = {type(None): 1, int: 4, float: 4, str: 5, list: 6, dict: 7, Undefined: 0}
NUMBER, STRING, ARRAY, OBJECT = 4, 5, 6, 7


def rank(value: Any) -> int:
    """The place of a value's type in the order of types: undefined, null, false, true, numbers, strings, …"""
    return 2 + value if isinstance(value, bool) else _RANKS[type(value)]


def same(left: Any, right: Any) -> bool:
    """Whether two defined values are equal; values of different types aren't."""
    if rank(left) != rank(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return bool(left == right)


def compared(operator: str, left: Any, right: Any) -> Any:
    """A comparison: true, false, or UNDEFINED.

    Equality across types is false and inequality true, as the service and Microsoft's own evaluator have it (its
    documentation says undefined). The others need two values of one type, neither arrays nor objects.
    """
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if operator in ("=", "!="):
        return same(left, right) is (operator == "=")
    ranks = rank(left), rank(right)
    if isinstance(left, bool) and isinstance(right, bool):
        left, right = int(left), int(right)
    elif ranks[0] != ranks[1] or ranks[0] >= ARRAY:
        return UNDEFINED
    elif left is None:
        left = right = 0
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    return left > right if operator == ">" else left >= right
