"""Partial updates.

What the operations do: https://learn.microsoft.com/azure/cosmos-db/partial-document-update
"""

from collections.abc import Sequence
from typing import Any

from local.cosmos import errors

MOST_OPERATIONS = 10
_OPERATIONS = ("add", "set", "replace", "remove", "incr")
_SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")


def check(body: Any, key_path: Sequence[str]) -> None:
    """Refuse, with 400, a patch that can't be one or that touches what can't be patched; 501 for `move`."""
    operations = body.get("operations") if isinstance(body, dict) else None
    if not isinstance(operations, list) or not operations:
        raise errors.bad_request("A patch needs operations.")
    if len(operations) > MOST_OPERATIONS:
        raise errors.bad_request(f"The number of patch operations can't exceed '{MOST_OPERATIONS}'.")
    for operation in operations:
        kind = operation.get("op") if isinstance(operation, dict) else None
        if kind == "move":
            raise errors.unsupported("the patch operation 'move'")
        if kind not in _OPERATIONS:
            raise errors.bad_request(f"Unknown patch operation {kind!r}.")
        if kind != "remove" and "value" not in operation:
            raise errors.bad_request(f"The patch operation {kind!r} needs a value.")
        path = _names(operation.get("path"))
        if path[0] in ("id", *_SYSTEM) or list(key_path[: len(path)]) == path[: len(key_path)]:
            raise errors.bad_request(f"The path {operation['path']!r} can't be patched.")


def patch(item: dict[str, Any], operations: Sequence[dict[str, Any]]) -> None:
    """Change `item` by checked operations, one after the other; 400 at the first that can't be done."""
    for operation in operations:
        *parents, last = _names(operation["path"])
        place: Any = item
        for name in parents:
            place = place.get(name) if isinstance(place, dict) else _element(place, name)
        if isinstance(place, dict):
            done = _change(place, last, last in place, operation)
        else:
            done = isinstance(place, list) and _change_array(place, last, operation)
        if not done:
            raise errors.bad_request(f"The patch {operation['op']!r} can't be done at {operation['path']!r}.")


def _names(path: Any) -> list[str]:
    if not isinstance(path, str) or not path.startswith("/") or path == "/":
        raise errors.bad_request(f"Not a patch path: {path!r}.")
    return [name.replace("~1", "/").replace("~0", "~") for name in path[1:].split("/")]


def _element(place: Any, name: str) -> Any:
    return place[int(name)] if isinstance(place, list) and name.isdecimal() and int(name) < len(place) else None


def _change(place: Any, key: Any, there: bool, operation: dict[str, Any]) -> bool:
    kind: str = operation["op"]
    value: Any = operation.get("value")
    if kind in ("replace", "remove") and not there:
        return False
    if kind == "remove":
        del place[key]
        return True
    if kind == "incr":
        before = place[key] if there else 0
        if not {type(before), type(value)} <= {int, float}:
            return False
        value = before + value
    place[key] = value
    return True


def _change_array(array: list[Any], name: str, operation: dict[str, Any]) -> bool:
    index = len(array) if name == "-" else int(name) if name.isdecimal() else len(array) + 1
    kind = operation["op"]
    if index <= len(array) and (kind == "add" or (kind == "set" and index == len(array))):
        array.insert(index, operation["value"])
        return True
    return index < len(array) and _change(array, index, True, operation)
