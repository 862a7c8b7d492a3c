"""The protocol: from a request to its answer."""

import json
import math
import time
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import starlette.requests
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local.cosmos import batch, charges, errors
from local.cosmos.authorisation import Keys
from local.cosmos.container import Container, canonical
from local.cosmos.items import MOST_BYTES, Items, Operation
from local.cosmos.query import page
from local.cosmos.requests import Request, json_of, request_of
from local.cosmos.store import Store
from local.cosmos.throughput import Throughput
from local.faults import Fault, Stats

_REFUSED = {
    b"x-ms-documentdb-populatequerymetrics": "query metrics",
    b"x-ms-cosmos-populateindexmetrics": "index metrics",
    b"x-ms-documentdb-populatepartitionstatistics": "statistics of partitions",
    b"x-ms-documentdb-populatequotainfo": "quotas",
}
_RANGE = {"id": "0", "minInclusive": "", "maxExclusive": "FF", "parents": list[str](), "status": "online"}
_RANGES_ETAG = '"1"'
_MOST_PER_PAGE = 1000
_LEAST_THROUGHPUT = 400


@dataclass(slots=True)
class Answer:
    """What goes back: `body` is JSON or empty."""

    status: int
    body: str = ""
    charge: float = charges.read(0)
    headers: dict[str, str] = field(default_factory=dict)


class App:
    """Answers the protocol's requests; hands those of `/_…` to `control`."""

    def __init__(self, store: Store, keys: Keys, stats: Stats, control: ASGIApp) -> None:
        self._store, self._keys, self._stats, self._control = store, keys, stats, control
        self._throughputs: dict[tuple[str, str], Throughput] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._control(scope, receive, send)
            return
        try:
            body = await starlette.requests.Request(scope, receive).body()
        except ClientDisconnect:
            return
        request = request_of(scope)
        try:
            request = replace(request, segments=self._store.by_names(request.segments))
            self._check(request)
            answer = self._struck(request, scope["extensions"], body)
        except errors.CosmosError as error:
            text = json.dumps(errors.body(error.status, error.message))
            answer = Answer(error.status, text, headers={"x-ms-substatus": str(error.substatus)})
        media_type = "application/json" if answer.body else None
        await Response(answer.body, answer.status, self._headers(request, answer), media_type)(scope, receive, send)

    def _check(self, request: Request) -> None:
        """What isn't supported is refused whoever asks: how its signature is made is unknown here."""
        if request.operation in ("Unsupported", "QueryPlan", "ChangeFeed"):
            known = request.operation.removeprefix("Unsupported")
            raise errors.unsupported(f"{known or request.method} /{'/'.join(request.segments)}")
        self._keys.authorise(request)
        for header, what in _REFUSED.items():
            if request.asks_for(header):
                raise errors.unsupported(what)

    def _headers(self, request: Request, answer: Answer) -> dict[str, str]:
        headers = {"x-ms-request-charge": f"{answer.charge:.2f}", **answer.headers}
        headers["x-ms-activity-id"] = request.header(b"x-ms-activity-id") or str(uuid.uuid4())
        if len(request.segments) >= 4:
            headers["x-ms-alt-content-path"] = quote(request.container)
            headers["lsn"], headers["x-ms-session-token"] = f"{self._store.lsn}", f"0:-1#{self._store.lsn}"
        about_content = "docs" in request.segments[4:5]
        self._stats.charge(answer.charge, request.segments[3] if about_content else None)
        return headers

    def _struck(self, request: Request, extensions: Mapping[str, Any], body: bytes) -> Answer:
        if "fault" not in extensions or "docs" not in request.segments:
            return self._answer(request, body)
        fault: Fault = extensions["fault"]["fault"]
        if fault.kind == "stale":
            read = request.operation == "ReadItem"
            return self._answer(replace(request, operation="ReadStaleItem") if read else request, body)
        fresh = Throughput(fault.request_units or _LEAST_THROUGHPUT, time.monotonic())
        throughput = self._throughputs.setdefault((fault.id, request.container), fresh)
        if wait := throughput.wait(time.monotonic()):
            self._stats.add("throttled")
            error = errors.body(429, "The request rate is large: the container's request units are used up.")
            headers = {"x-ms-substatus": "3200", "x-ms-retry-after-ms": str(math.ceil(wait * 1000))}
            return Answer(429, json.dumps(error), 0.0, headers)
        answer = self._answer(request, body)
        throughput.spend(answer.charge)
        return answer

    def _answer(self, request: Request, body: bytes) -> Answer:
        path = "/".join(request.segments)
        match request.operation:
            case "ReadAccount":
                return _json(200, _account(request.header(b"host") or ""))
            case "CreateDatabase" | "CreateContainer":
                return _json(201, self._store.create(path, json_of(body)))
            case "ReadDatabase" | "ReadContainer":
                return _json(200, self._store.definition(path))
            case "DeleteDatabase" | "DeleteContainer":
                self._store.delete(path)
                return Answer(204)
        container = self._store.container(request.container)
        if request.header(b"x-ms-cosmos-intended-collection-rid") not in (None, "", container.rid):
            raise errors.bad_request("The container isn't the one it was.", errors.CONTAINER_MISMATCH)
        match request.operation:
            case "ReadPartitionKeyRanges" if request.header(b"if-none-match") == _RANGES_ETAG:
                return Answer(304, headers={"etag": _RANGES_ETAG})
            case "ReadPartitionKeyRanges":
                return _feed("PartitionKeyRanges", [json.dumps(_RANGE)], {"etag": _RANGES_ETAG})
            case "Query" | "ReadFeed":
                return _query(container, request, body)
        if request.operation == "Batch" and not request.asks_for(b"x-ms-cosmos-batch-atomic"):
            raise errors.unsupported("batches that aren't atomic, which bulk operations are made of")
        if len(body) > MOST_BYTES:
            raise errors.CosmosError(413, "Request size is too large")
        partition = _partition(request)
        if partition is None:
            raise errors.bad_request("PartitionKey value must be supplied for this operation.")
        if request.operation == "Batch":
            status, results, charge = batch.execute(self._store, container, partition, json_of(body))
            return Answer(status, f"[{','.join(results)}]", charge)
        return self._item(container, partition, request, body)

    def _item(self, container: Container, partition: str, request: Request, body: bytes) -> Answer:
        operation = Operation(
            request.operation.removesuffix("Item"),
            request.segments[5] if len(request.segments) > 5 else None,
            json_of(body) if request.method in ("POST", "PUT", "PATCH") else None,
            request.header(b"if-match"),
            request.header(b"if-none-match"),
        )
        with nullcontext() if request.method == "GET" else self._store.transaction():
            outcome = Items(container, partition, self._store.sequence).apply(operation)
        headers = {"etag": outcome.etag} if outcome.etag else {}
        minimal = request.header(b"prefer") == "return=minimal" and request.method != "GET"
        return Answer(outcome.status, "" if minimal else outcome.body, outcome.charge, headers)


def _account(host: str) -> dict[str, Any]:
    """The account, at the address by which its client knows it: a client goes to the one that it is given."""
    locations = [{"name": "Local", "databaseAccountEndpoint": f"http://{host}/"}]
    policy = {"defaultConsistencyLevel": "Strong"}
    account = {"id": "local", "writableLocations": locations, "readableLocations": locations}
    return account | {"enableMultipleWriteLocations": False, "userConsistencyPolicy": policy}


def _query(container: Container, request: Request, body: bytes) -> Answer:
    if request.header(b"x-ms-start-epk") or request.header(b"x-ms-end-epk") not in (None, "", "FF"):
        raise errors.unsupported("feed ranges narrower than a container")
    wish: Any = {"query": "SELECT * FROM c"} if request.operation == "ReadFeed" else json_of(body)
    try:
        text, parameters = str(wish["query"]), {p["name"][1:]: p["value"] for p in wish.get("parameters") or []}
    except (TypeError, KeyError, AttributeError) as error:
        raise errors.bad_request("A query has a text, and parameters with a name and a value.") from error
    continuation = request.header(b"x-ms-continuation")
    found = page(container, text, parameters, _partition(request), _size(request), continuation)
    headers = {"x-ms-continuation": found.continuation} if found.continuation else {}
    return _feed("Documents", found.results, headers, found.charge)


def _json(status: int, value: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(value), headers={"etag": value["_etag"]} if "_etag" in value else {})


def _feed(name: str, members: list[str], headers: dict[str, str], charge: float = charges.read(0)) -> Answer:
    counted = {"x-ms-item-count": str(len(members)), **headers}
    return Answer(200, f'{{"{name}":[{",".join(members)}],"_count":{len(members)}}}', charge, counted)


def _partition(request: Request) -> str | None:
    """The partition key that a request is for, as the store keeps it; None: all of them."""
    text = request.header(b"x-ms-documentdb-partitionkey")
    if text is None:
        return None
    match json_of(text):
        case [] | [{}]:
            return canonical({})
        case [None | bool() | int() | float() | str() as value]:
            return canonical(value)
    raise errors.bad_request("The partition key is a JSON array of one text, number, true, false or null.")


def _size(request: Request) -> int:
    text = request.header(b"x-ms-max-item-count") or "-1"
    if not text.removeprefix("-").isdecimal():
        raise errors.bad_request("x-ms-max-item-count is a number.")
    return min(int(text), _MOST_PER_PAGE) if int(text) > 0 else _MOST_PER_PAGE
