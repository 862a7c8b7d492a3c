"""Partial updates.

What the operations do: https://learn.microsoft.com/azure/cosmos-db/partial-document-update
"""

from collections.abc import Callable, Sequence
from typing import Any

from local.cosmos import errors

MOST_OPERATIONS = 10
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
        apply = _OPERATIONS[operation["op"]]
        if isinstance(place, dict):
            done = apply(place, last, last in place, operation.get("value"))
        elif isinstance(place, list):
            index = len(place) if last == "-" else int(last) if last.isdecimal() else -1
            if index < 0 or index > len(place):
                raise _impossible(operation)
            if operation["op"] in ("add", "set") and (index == len(place) or operation["op"] == "add"):
                place.insert(index, operation["value"])
                continue
            done = index < len(place) and apply(place, index, True, operation.get("value"))
        else:
            done = False
        if not done:
            raise _impossible(operation)


def _names(path: Any) -> list[str]:
    if not isinstance(path, str) or not path.startswith("/") or path == "/":
        raise errors.bad_request(f"Not a patch path: {path!r}.")
    return [name.replace("~1", "/").replace("~0", "~") for name in path[1:].split("/")]


def _element(place: Any, name: str) -> Any:
    return place[int(name)] if isinstance(place, list) and name.isdecimal() and int(name) < len(place) else None


def _impossible(operation: dict[str, Any]) -> errors.CosmosError:
    return errors.bad_request(f"The patch operation {operation['op']!r} can't be done at {operation['path']!r}.")


def _set(place: Any, key: Any, _there: bool, value: Any) -> bool:
    place[key] = value
    return True


def _replace(place: Any, key: Any, there: bool, value: Any) -> bool:
    return there and _set(place, key, there, value)


def _remove(place: Any, key: Any, there: bool, _value: Any) -> bool:
    if there:
        del place[key]
    return there


def _increment(place: Any, key: Any, there: bool, value: Any) -> bool:
    before = place[key] if there else 0
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in (before, value)):
        return False
    place[key] = before + value
    return True


_OPERATIONS: dict[str, Callable[[Any, Any, bool, Any], bool]] = {
    "add": _set,
    "set": _set,
    "replace": _replace,
    "remove": _remove,
    "incr": _increment,
}
