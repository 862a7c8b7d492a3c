"""Requests: what they address and which operation they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

from local.cosmos import errors

_OPERATIONS = {
    "GET ": "ReadAccount",
    "POST dbs": "CreateDatabase",
    "GET dbs/*": "ReadDatabase",
    "DELETE dbs/*": "DeleteDatabase",
    "POST dbs/*/colls": "CreateContainer",
    "GET dbs/*/colls/*": "ReadContainer",
    "DELETE dbs/*/colls/*": "DeleteContainer",
    "GET dbs/*/colls/*/pkranges": "ReadPartitionKeyRanges",
    "GET dbs/*/colls/*/docs": "ReadFeed",
    "POST dbs/*/colls/*/docs": "CreateItem",
    "GET dbs/*/colls/*/docs/*": "ReadItem",
    "PUT dbs/*/colls/*/docs/*": "ReplaceItem",
    "PATCH dbs/*/colls/*/docs/*": "PatchItem",
    "DELETE dbs/*/colls/*/docs/*": "DeleteItem",
}
_EXACT = 2**53
# One address serves them all; a query plan's request isn't marked as a query.
_POSTED = {
    b"x-ms-cosmos-is-batch-request": "Batch",
    b"x-ms-cosmos-is-query-plan-request": "QueryPlan",
    b"x-ms-documentdb-isquery": "Query",
    b"x-ms-documentdb-is-upsert": "UpsertItem",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request by its parts; `operation` is the name that statistics and faults know it by.

    `segments` are those of the path by names, `signed` those that were sent, which may be resource ids.
    """

    method: str
    segments: list[str]
    signed: list[str]
    headers: Mapping[bytes, bytes]
    operation: str

    @property
    def container(self) -> str:
        """The path of the container or database that it is about, as far as there is one."""
        return "/".join(self.segments[:4])

    def header(self, name: bytes) -> str | None:
        """A header's text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def asks_for(self, name: bytes) -> bool:
        """Whether a header says true."""
        return self.headers.get(name, b"").lower() == b"true"


def request_of(scope: Scope) -> Request:
    """The request of an ASGI scope, made once."""
    known: Request | None = scope.get("cosmos")
    if known is None:
        segments = [unquote(segment) for segment in scope["raw_path"].decode("latin-1").split("/") if segment]
        shape = "/".join("*" if index % 2 else segment for index, segment in enumerate(segments))
        headers = dict(scope["headers"])
        name = _OPERATIONS.get(f"{scope['method']} {shape}", "Unsupported")
        if scope["method"] == "POST":
            marked = (operation for flag, operation in _POSTED.items() if headers.get(flag, b"").lower() == b"true")
            name = next(marked, name) if name == "CreateItem" else name if next(marked, None) is None else "Unsupported"
        elif name == "ReadFeed" and b"a-im" in headers:
            name = "ChangeFeed"
        known = scope["cosmos"] = Request(scope["method"], segments, segments, headers, name)
    return known


def operation(scope: Scope) -> str:
    """The name of a scope's operation."""
    return request_of(scope).operation


def json_of(body: bytes | str) -> Any:
    """A JSON value, its numbers as doubles hold them; 400 for anything else, Python's NaN and Infinity too."""
    try:
        return json.loads(body, parse_int=number, parse_float=number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("The request body is not valid JSON.") from error


def number(text: str | float) -> int | float:
    """A number as a double holds it; a whole one without a fraction."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def _refuse(constant: str) -> None:
    raise ValueError(constant)
