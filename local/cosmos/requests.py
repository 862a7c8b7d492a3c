"""Requests: what they address and which operation they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

from local.cosmos import errors

_ON_ACCOUNT = {"GET": "ReadAccount"}
_ON_DATABASES = {"GET": "ListDatabases", "POST": "CreateDatabase"}
_ON_DATABASE = {"GET": "ReadDatabase", "DELETE": "DeleteDatabase"}
_ON_CONTAINERS = {"GET": "ListContainers", "POST": "CreateContainer"}
_ON_CONTAINER = {"GET": "ReadContainer", "PUT": "ReplaceContainer", "DELETE": "DeleteContainer"}
_ON_RANGES = {"GET": "ReadPartitionKeyRanges"}
_ON_ITEMS = {"GET": "ReadFeed", "POST": "CreateItem"}
_ON_ITEM = {"GET": "ReadItem", "PUT": "ReplaceItem", "DELETE": "DeleteItem", "PATCH": "PatchItem"}
_POSTED = (
    (b"x-ms-cosmos-is-batch-request", "Batch"),
    (b"x-ms-cosmos-is-query-plan-request", "QueryPlan"),
    (b"x-ms-documentdb-isquery", "Query"),
    (b"x-ms-documentdb-is-upsert", "UpsertItem"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request by its parts; `operation` is the name that statistics and faults know it by."""

    method: str
    segments: list[str]
    headers: Mapping[bytes, bytes]
    operation: str

    @staticmethod
    def of(scope: Scope) -> "Request":
        """The request of an ASGI scope, made once."""
        known: Request | None = scope.get("cosmos")
        if known is None:
            segments = [unquote(s) for s in scope["raw_path"].decode("latin-1").split("/") if s]
            headers = dict(scope["headers"])
            known = Request(scope["method"], segments, headers, _operation(scope["method"], segments, headers))
            scope["cosmos"] = known
        return known

    def header(self, name: bytes) -> str | None:
        """A header's text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def flag(self, name: bytes) -> bool:
        """Whether a header says true, in whatever case."""
        return self.headers.get(name, b"").lower() == b"true"


def operation(scope: Scope) -> str:
    """The name of a scope's operation."""
    return Request.of(scope).operation


def _operation(method: str, segments: list[str], headers: Mapping[bytes, bytes]) -> str:
    depth = len(segments)
    kinds = segments[::2]
    on: Mapping[str, str] = {}
    if depth == 0:
        on = _ON_ACCOUNT
    elif depth <= 4 and kinds == ["dbs", "colls"][: len(kinds)]:
        on = (_ON_DATABASES, _ON_DATABASE, _ON_CONTAINERS, _ON_CONTAINER)[depth - 1]
    elif kinds == ["dbs", "colls", "docs"]:
        on = _ON_ITEMS if depth == 5 else _ON_ITEM
    elif kinds == ["dbs", "colls", "pkranges"] and depth == 5:
        on = _ON_RANGES
    found = on.get(method, "Unsupported")
    if method == "POST" and on is not _ON_ITEMS and headers.get(b"x-ms-documentdb-isquery"):
        return "Unsupported"
    if found == "CreateItem":
        return next((name for flag, name in _POSTED if headers.get(flag, b"").lower() == b"true"), found)
    return "ChangeFeed" if found == "ReadFeed" and b"a-im" in headers else found


def json_of(body: bytes) -> Any:
    """A body's JSON value; 400 for anything else, the NaN and Infinity that Python would take included."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("The request body is not valid JSON.") from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)
