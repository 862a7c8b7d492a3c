"""Indexing policies: which properties of a container's items its index has.

https://learn.microsoft.com/azure/cosmos-db/index-policy ; a path more precise than another comes before it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from local.cosmos import errors

_LISTS = ("includedPaths", "excludedPaths")
_DEFAULT: dict[str, Any] = {"indexingMode": "consistent", "automatic": True, _LISTS[0]: [{"path": "/*"}], _LISTS[1]: []}
_ETAG = {"path": '/"_etag"/?'}
_ALWAYS = {("id",), ("_ts",)}
_REMEMBERED = 10_000
_NAME = re.compile(r"""/(?:"([^"]*)"|'([^']*)'|([^/]+))""")
type Path = tuple[str, ...]
type Sorting = Sequence[tuple[Path, bool]]
"""Paths, and whether they descend."""


def policy(wish: Any) -> dict[str, Any]:
    """The policy that a container gets; 400 or 501 for one that can't be."""
    if not isinstance(wish, dict | None):
        raise errors.bad_request("An indexing policy is an object.")
    given = _DEFAULT | {name: value for name, value in (wish or {}).items() if value not in (None, [])}
    if unknown := given.keys() - _DEFAULT.keys() - {"compositeIndexes"}:
        raise errors.unsupported(f"indexing policies with {min(unknown)!r}")
    match str(given["indexingMode"]).lower(), given["automatic"]:
        case "none", _:
            return {"indexingMode": "none", "automatic": False, _LISTS[0]: [], _LISTS[1]: []}
        case mode, automatic if (mode, automatic) != ("consistent", True):
            raise errors.unsupported(f"the indexing mode {mode!r}, or one that isn't automatic")
    try:
        for name in _LISTS:
            # A path's `indexes`, and / for all of them, are of old; Azure still takes both and returns neither.
            given[name] = [{"path": "/*" if one["path"] == "/" else one["path"]} for one in given[name]]
        Index(given)
    except (TypeError, KeyError, AttributeError) as error:
        raise errors.bad_request("An indexing policy consists of lists of objects with a path.") from error
    paths = [path for name in _LISTS for path in given[name]]
    if {"path": "/*"} not in paths:
        raise errors.bad_request("The special mandatory indexing path '/*' is in none of the path type sets.")
    return given | ({} if _ETAG in paths else {"excludedPaths": [*given["excludedPaths"], _ETAG]})


class Index:
    """What a policy, `indexingPolicy` of a container's definition, says of paths."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self._mode: str = policy["indexingMode"]
        self._covered = {names(one["path"]): name == _LISTS[0] for name in _LISTS for one in policy[name]}
        self._composites = [
            [(names(part["path"]), part.get("order", "ascending").lower() == "descending") for part in index]
            for index in policy.get("compositeIndexes", [])
        ]
        # Items of a container mostly have the same paths.
        self._covers = lru_cache(_REMEMBERED)(self.covers)

    def covers(self, path: Path) -> bool:
        """Whether the values at a path are in it; an array's elements are at `[]`."""
        if self._mode == "none" or path in _ALWAYS:
            return self._mode != "none"
        patterns = ((*path, "?"), *((*path[:length], "*") for length in range(len(path), -1, -1)))
        return next((self._covered[pattern] for pattern in patterns if pattern in self._covered), False)

    def sorts(self, sorting: Sorting) -> bool:
        """Whether it can be read in this order: a composite index has exactly its paths, all this way or all the other.

        A single property needs none.
        """
        opposite = [(path, not descends) for path, descends in sorting]
        return len(sorting) < 2 or any(index in (list(sorting), opposite) for index in self._composites)

    def entries(self, item: dict[str, Any]) -> int:
        """How many entries an item has in it."""
        paths: list[Path] = []
        _gather(item, (), paths)
        there = set(paths)
        whole = sum(all(path in there for path, _ in index) for index in self._composites)
        return sum(map(self._covers, paths)) + whole


def names(path: str) -> Path:
    """The names in a path, some of which may be quoted: `/a/"b/c"`."""
    return tuple(quoted or single or bare for quoted, single, bare in _NAME.findall(path))


def _gather(value: Any, path: Path, found: list[Path]) -> None:
    """The path of each value, arrays' elements one by one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _gather(inner, (*path, name), found)
    elif isinstance(value, list):
        path = (*path, "[]")
        for inner in value:
            _gather(inner, path, found)
    else:
        found.append(path)
