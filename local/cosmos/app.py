"""The protocol: from a request to its answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from local.cosmos import batch, charges, errors
from local.cosmos.authorisation import OPERATOR, Keys
from local.cosmos.change_feed import changes
from local.cosmos.container import Container, canonical
from local.cosmos.items import MOST_BYTES, Items, Operation
from local.cosmos.query import page
from local.cosmos.requests import Request, json_of
from local.cosmos.statistics import CosmosStats
from local.cosmos.store import Store

DATABASE = "orderflow"
_KINDS = {
    "CreateItem": "Create",
    "UpsertItem": "Upsert",
    "ReadItem": "Read",
    "ReplaceItem": "Replace",
    "PatchItem": "Patch",
    "DeleteItem": "Delete",
}
_WHOLE = (None, "", "00"), (None, "FF")
_MOST_PER_PAGE = 1000


@dataclass(slots=True)
class Answer:
    """What goes back: `body` is JSON or empty."""

    status: int
    body: str = ""
    charge: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class App:
    """Answers the protocol's requests; hands those of `/_…` to `control`."""

    def __init__(self, store: Store, keys: Keys, stats: CosmosStats, control: ASGIApp) -> None:
        self._store, self._keys, self._stats, self._control = store, keys, stats, control
        self._handlers: dict[str, Callable[[Request, bytes], Answer]] = {
            "ReadAccount": self._read_account,
            "ListDatabases": self._list_databases,
            "CreateDatabase": self._create_database,
            "ReadDatabase": self._read_database,
            "DeleteDatabase": self._delete_database,
            "ListContainers": self._list_containers,
            "CreateContainer": self._create_container,
            "ReadContainer": self._read_container,
            "ReplaceContainer": self._replace_container,
            "DeleteContainer": self._delete_container,
            "ReadPartitionKeyRanges": self._read_ranges,
            "Batch": self._batch,
            "Query": self._query,
            "QueryPlan": self._query_plan,
            "ReadFeed": self._query,
            "ChangeFeed": self._change_feed,
            **dict.fromkeys(_KINDS, self._item),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._control(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await self._send(scope, self._answer(Request.of(scope), body), send)

    def _answer(self, request: Request, body: bytes) -> Answer:
        try:
            self._authorise(request)
            handler = self._handlers.get(request.operation)
            if handler is None:
                raise errors.unsupported(f"{request.method} /{'/'.join(request.segments)}")
            return handler(request, body)
        except errors.CosmosError as error:
            return Answer(error.status, json.dumps(error.body), 1.0, {"x-ms-substatus": str(error.substatus)})

    def _authorise(self, request: Request) -> None:
        holder = self._keys.holder(request.method, request.segments, request.headers)
        if holder == OPERATOR or request.operation == "ReadAccount":
            return
        administrative = request.operation in ("ReplaceContainer", "DeleteContainer")
        if request.segments[:4] != ["dbs", DATABASE, "colls", holder] or administrative:
            what = f"{request.operation} on /{'/'.join(request.segments)}"
            raise errors.CosmosError(403, f"Request blocked by Auth: the key of {holder!r} may not do {what}.")

    async def _send(self, scope: Scope, answer: Answer, send: Send) -> None:
        request = Request.of(scope)
        container = None
        headers = {"x-ms-request-charge": f"{answer.charge:.2f}", **answer.headers}
        if request.segments[2:3] == ["colls"] and len(request.segments) > 3:
            container = f"{request.segments[1]}/{request.segments[3]}"
            headers["x-ms-alt-content-path"] = quote("/".join(request.segments[:4]))
            headers["x-ms-session-token"] = f"0:-1#{self._store.sequence.last}"
        self._stats.charge(container, answer.charge)
        content = answer.body.encode()
        if content:
            headers["content-type"] = "application/json"
        if answer.status not in (204, 304):
            headers["content-length"] = str(len(content))
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _read_account(self, _request: Request, _body: bytes) -> Answer:
        policy = {"defaultConsistencyLevel": "Strong"}
        return _json(200, {"id": "local", "_rid": "local.documents", "userConsistencyPolicy": policy})

    def _list_databases(self, _request: Request, _body: bytes) -> Answer:
        return _feed("", "Databases", [json.dumps(one) for one in self._store.databases.values()])

    def _create_database(self, _request: Request, body: bytes) -> Answer:
        return _json(201, self._store.create_database(json_of(body)))

    def _read_database(self, request: Request, _body: bytes) -> Answer:
        return _json(200, self._database(request))

    def _delete_database(self, request: Request, _body: bytes) -> Answer:
        self._store.delete_database(self._database(request)["id"])
        return Answer(204, charge=4.95)

    def _database(self, request: Request) -> dict[str, Any]:
        found = self._store.databases.get(request.segments[1])
        if found is None:
            raise errors.not_found()
        return found

    def _list_containers(self, request: Request, _body: bytes) -> Answer:
        database = self._database(request)
        mine = [c for c in self._store.containers.values() if c.database == database["id"]]
        return _feed(database["_rid"], "DocumentCollections", [json.dumps(one.definition) for one in mine])

    def _create_container(self, request: Request, body: bytes) -> Answer:
        return _json(201, self._store.create_container(request.segments[1], json_of(body)).definition)

    def _read_container(self, request: Request, _body: bytes) -> Answer:
        return _json(200, self._container_itself(request).definition)

    def _replace_container(self, request: Request, body: bytes) -> Answer:
        return _json(200, self._store.replace_container(self._container_itself(request), json_of(body)).definition)

    def _delete_container(self, request: Request, _body: bytes) -> Answer:
        self._store.delete_container(self._container_itself(request))
        return Answer(204, charge=4.95)

    def _container_itself(self, request: Request) -> Container:
        self._store_database(request)
        found = self._store.containers.get((request.segments[1], request.segments[3]))
        if found is None:
            raise errors.not_found()
        return found

    def _store_database(self, request: Request) -> None:
        if request.segments[1] not in self._store.databases:
            raise errors.owner_not_found()

    def _container(self, request: Request) -> Container:
        """The container that a request for its items is about."""
        container = self._store.container(request.segments[1], request.segments[3])
        if request.header(b"x-ms-cosmos-intended-collection-rid") not in (None, "", container.rid):
            raise errors.bad_request("The container isn't the one it was.", errors.COLLECTION_RID_MISMATCH)
        return container

    def _read_ranges(self, request: Request, _body: bytes) -> Answer:
        container = self._container(request)
        headers = {"etag": '"1"'}
        if request.header(b"if-none-match") == '"1"':
            return Answer(304, headers=headers)
        whole = {"id": "0", "_rid": container.rid, "minInclusive": "", "maxExclusive": "FF", "status": "online"}
        return _feed(container.rid, "PartitionKeyRanges", [json.dumps(whole | {"parents": []})], headers=headers)

    def _item(self, request: Request, body: bytes) -> Answer:
        if len(body) > MOST_BYTES:
            raise errors.too_large("Request size")
        container, partition = self._container(request), _partition(request)
        if partition is None:
            raise errors.bad_request("PartitionKey value must be supplied for this operation.")
        operation = Operation(
            _KINDS[request.operation],
            request.segments[5] if len(request.segments) > 5 else None,
            json_of(body) if request.method in ("POST", "PUT", "PATCH") else None,
            request.header(b"if-match"),
            request.header(b"if-none-match"),
        )
        if operation.kind == "Read":
            outcome = Items(container, partition, self._store.sequence, 0).apply(operation)
        else:
            with self._store.transaction() as lsn:
                outcome = Items(container, partition, self._store.sequence, lsn).apply(operation)
        headers = {"etag": outcome.etag} if outcome.etag else {}
        minimal = request.header(b"prefer") == "return=minimal" and operation.kind != "Read"
        return Answer(outcome.status, "" if minimal else outcome.body, outcome.charge, headers)

    def _batch(self, request: Request, body: bytes) -> Answer:
        if len(body) > MOST_BYTES:
            raise errors.too_large("Request size")
        container, partition = self._container(request), _partition(request)
        if partition is None:
            raise errors.bad_request("A batch needs a partition key.")
        status, results, charge = batch.execute(self._store, container, partition, json_of(body))
        return Answer(status, f"[{','.join(results)}]", charge)

    def _query(self, request: Request, body: bytes) -> Answer:
        container = self._container(request)
        _check_range(request)
        text, parameters = _query_of(body) if request.operation == "Query" else ("SELECT * FROM c", {})
        continuation = request.header(b"x-ms-continuation")
        across = request.operation == "ReadFeed" or request.flag(b"x-ms-documentdb-query-enablecrosspartition")
        found = page(container, text, parameters, _partition(request), _size(request), continuation, across)
        headers = {"x-ms-continuation": found.continuation} if found.continuation else {}
        return _feed(container.rid, "Documents", found.results, found.charge, headers)

    def _query_plan(self, request: Request, body: bytes) -> Answer:
        """A plan that passes the query through as it is: the one partition there is answers it whole."""
        self._container(request)
        _query_of(body)
        everywhere = {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}
        info: dict[str, object] = {
            "distinctType": "None",
            "top": None,
            "offset": None,
            "limit": None,
            "orderBy": [],
            "aggregates": [],
        }
        info |= {"orderByExpressions": [], "groupByExpressions": [], "rewrittenQuery": "", "hasSelectValue": True}
        return _json(200, {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": [everywhere]})

    def _change_feed(self, request: Request, _body: bytes) -> Answer:
        container = self._container(request)
        if request.header(b"a-im") != "Incremental Feed":
            raise errors.unsupported("the change feed with all versions and deletes")
        _check_range(request)
        after, since = request.header(b"if-none-match"), request.header(b"if-modified-since")
        found = changes(container, _partition(request), after, since, _size(request), self._store.sequence.last)
        headers = {"etag": found.etag}
        if not found.documents:
            return Answer(304, "", found.charge, headers)
        return _feed(container.rid, "Documents", found.documents, found.charge, headers)


def _json(status: int, value: dict[str, Any]) -> Answer:
    headers = {"etag": value["_etag"]} if "_etag" in value else {}
    return Answer(status, json.dumps(value), charges.read(0), headers)


def _feed(
    rid: str, name: str, members: list[str], charge: float = 2.0, headers: dict[str, str] | None = None
) -> Answer:
    body = f'{{"_rid":"{rid}","{name}":[{",".join(members)}],"_count":{len(members)}}}'
    return Answer(200, body, charge, {"x-ms-item-count": str(len(members)), **(headers or {})})


def _partition(request: Request) -> str | None:
    """The partition key that a request is for, as the store keeps it; None: all of them."""
    text = request.header(b"x-ms-documentdb-partitionkey")
    if text is None:
        return None
    key = json_of(text.encode("latin-1"))
    if not isinstance(key, list) or len(key) > 1:
        raise errors.bad_request("The partition key is a JSON array of one value.")
    if key and isinstance(key[0], list | dict) and key[0]:
        raise errors.bad_request("A partition key is a text, a number, true, false or null.")
    return canonical(key[0] if key else {})


def _query_of(body: bytes) -> tuple[str, dict[str, Any]]:
    wish = json_of(body)
    if not isinstance(wish, dict) or not isinstance(wish.get("query"), str):
        raise errors.bad_request("A query is a JSON object with the field 'query'.")
    try:
        return wish["query"], {p["name"]: p["value"] for p in wish.get("parameters") or []}
    except (TypeError, KeyError) as error:
        raise errors.bad_request("A query's parameters have a name and a value.") from error


def _size(request: Request) -> int:
    text = request.header(b"x-ms-max-item-count") or "-1"
    if not text.removeprefix("-").isdecimal():
        raise errors.bad_request("x-ms-max-item-count is a number.")
    return min(int(text), _MOST_PER_PAGE) if int(text) > 0 else _MOST_PER_PAGE


def _check_range(request: Request) -> None:
    bounds = request.header(b"x-ms-start-epk"), request.header(b"x-ms-end-epk")
    if any(bound not in whole for bound, whole in zip(bounds, _WHOLE, strict=True)):
        raise errors.unsupported("feed ranges narrower than a container")
