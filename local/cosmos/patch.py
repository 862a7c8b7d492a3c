"""Partial updates.

What the operations do: https://learn.microsoft.com/azure/cosmos-db/partial-document-update
"""

from collections.abc import Sequence
from typing import Any

from local.cosmos import errors
from local.cosmos.requests import number

MOST_OPERATIONS = 10
_FIXED = ("id", "_rid", "_self", "_etag", "_attachments", "_ts")


def patch(item: dict[str, Any], operations: Any, key_path: Sequence[str]) -> None:
    """Change `item` by operations, one after the other; 400 at the first that can't be done, 501 if only not here."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= MOST_OPERATIONS:
        raise errors.bad_request(f"The number of patch operations can't be 0 or exceed '{MOST_OPERATIONS}'.")
    for operation in operations:
        match operation:
            case {"op": "move"}:
                raise errors.unsupported("the patch operation 'move'")
            case {"op": "add" | "set" | "replace" | "incr" as kind, "path": str(path), "value": value}:
                done = _change(item, kind, _names(path, key_path), value)
            case {"op": "remove" as kind, "path": str(path)}:
                done = _change(item, kind, _names(path, key_path), None)
            case _:
                raise errors.bad_request(f"Not a patch operation: {operation!r}.")
        if not done:
            raise errors.bad_request(f"The patch {kind!r} can't be done at {path!r}.")


def _names(path: str, key_path: Sequence[str]) -> list[str]:
    names = [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]]
    if not path.startswith("/") or path == "/":
        raise errors.bad_request(f"Not a patch path: {path!r}.")
    if names[0] in _FIXED or list(key_path[: len(names)]) == names[: len(key_path)]:
        raise errors.bad_request(f"The path {path!r} can't be patched.")
    return names


def _change(item: dict[str, Any], kind: str, names: list[str], value: Any) -> bool:
    """Whether it could be done."""
    *parents, last = names
    place: Any = item
    for name in parents:
        place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, list):
            raise errors.unsupported("patches of the elements of arrays")
    if not isinstance(place, dict) or (kind in ("replace", "remove") and last not in place):
        return False
    if kind == "remove":
        del place[last]
        return True
    if kind == "incr":
        before = place.get(last, 0)
        if not {type(before), type(value)} <= {int, float}:
            return False
        value = number(before + value)
    place[last] = value
    return True
