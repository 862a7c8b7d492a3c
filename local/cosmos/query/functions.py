"""The functions of the dialect. Arguments arrive evaluated; UNDEFINED is among the values."""

from collections.abc import Callable
from typing import Any

from local.cosmos import errors
from local.cosmos.query.tree import UNDEFINED
from local.cosmos.query.values import rank, same

AGGREGATES = {"COUNT", "SUM", "AVG", "MIN", "MAX"}


def function(name: str, arguments: int) -> Callable[..., Any]:
    """The function of this name; 501 where the stand-in has none, 400 where it doesn't take so many arguments."""
    if name in AGGREGATES:
        raise errors.unsupported(f"the aggregate {name} within an expression")
    if name not in _FUNCTIONS:
        raise errors.unsupported(f"the query function {name}")
    least, most, called = _FUNCTIONS[name]
    if not least <= arguments <= most:
        raise errors.bad_request(f"The function {name} doesn't take {arguments} arguments.")
    return called


def _of_type(*types: type) -> tuple[int, int, Callable[[Any], bool]]:
    def is_type(value: Any) -> bool:
        return isinstance(value, types) and (bool in types or not isinstance(value, bool))

    return 1, 1, is_type


def _on_text(test: Callable[[str, str], Any]) -> tuple[int, int, Callable[..., Any]]:
    def on_text(text: Any, part: Any, ignoring_case: Any = False) -> Any:
        if not (isinstance(text, str) and isinstance(part, str)):
            return UNDEFINED
        return test(text.lower(), part.lower()) if ignoring_case is True else test(text, part)

    return 2, 3, on_text


def _of_text(change: Callable[[str], Any]) -> tuple[int, int, Callable[[Any], Any]]:
    return 1, 1, lambda text: change(text) if isinstance(text, str) else UNDEFINED


def _array_contains(array: Any, item: Any, partial: Any = False) -> Any:
    if not isinstance(array, list):
        return UNDEFINED
    return any(same(item, one) or (partial is True and _within(item, one)) for one in array)


def _within(part: Any, whole: Any) -> bool:
    if not (isinstance(part, dict) and isinstance(whole, dict)):
        return False
    return all(name in whole and same(value, whole[name]) for name, value in part.items())


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "IS_DEFINED": (1, 1, lambda value: value is not UNDEFINED),
    "IS_NULL": _of_type(type(None)),
    "IS_BOOL": _of_type(bool),
    "IS_NUMBER": _of_type(int, float),
    "IS_STRING": _of_type(str),
    "IS_ARRAY": _of_type(list),
    "IS_OBJECT": _of_type(dict),
    "IS_PRIMITIVE": (1, 1, lambda value: 0 < rank(value) < 6),
    "STARTSWITH": _on_text(str.startswith),
    "ENDSWITH": _on_text(str.endswith),
    "CONTAINS": _on_text(lambda text, part: part in text),
    "STRINGEQUALS": _on_text(lambda text, other: text == other),
    "LOWER": _of_text(str.lower),
    "UPPER": _of_text(str.upper),
    "LENGTH": _of_text(len),
    "ARRAY_LENGTH": (1, 1, lambda array: len(array) if isinstance(array, list) else UNDEFINED),
    "ARRAY_CONTAINS": (2, 3, _array_contains),
}
