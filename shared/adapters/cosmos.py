"""shared.ports.Container on Azure Cosmos DB for NoSQL.

What is worth knowing about the SDK (azure-cosmos 4.17, seen by running): it sends writes again by itself after a reset
or a time-out, so every write must be harmless twice; a call may hang far longer than its `timeout`, so each is cut off
here; and it takes conditions out of the operations that it is given, so these are built anew for every attempt.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from shared.adapters.identity import credential
from shared.adapters.opening import Opening
from shared.errors import (
    AlreadyExists,
    ConditionFailed,
    Contended,
    Missing,
    OrderflowError,
    Throttled,
    Unavailable,
    Unexpected,
)
from shared.ports import Change, Condition, Create, Delete, Document, Operation, Patch, Query, Replace
from shared.settings import Connection
from shared.telemetry import span

_MOST_IN_A_QUERY = 500
_NEVER_IN_AN_ID = frozenset("/\\?#")

BY_STATUS: dict[int, Callable[[int, str], OrderflowError]] = {
    401: lambda _, detail: Unavailable(detail),
    403: lambda _, detail: Unavailable(detail),
    404: lambda index, _: Missing(index),
    408: lambda _, detail: Unavailable(detail),
    409: lambda index, _: AlreadyExists(index),
    410: lambda _, detail: Unavailable(detail),
    412: lambda index, _: ConditionFailed(index),
    429: lambda _, detail: Throttled(detail),
    449: lambda _, detail: Contended(detail),
}
"""What a status means, whether of a whole request or of the operation at an index. From 500 on, Unavailable."""


class CosmosContainer:
    """One container, opened at the first call, in the event loop of the first call."""

    def __init__(
        self,
        connection: Connection,
        database: str,
        name: str,
        timeout: timedelta,
        open_timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        self._connection = connection
        self._database = database
        self._name = name
        self._timeout = timeout.total_seconds()
        self._client = Opening(self._open, open_timeout.total_seconds())

    async def read(self, pk: str, id: str) -> Document | None:
        """One document, or None."""
        # Of an address dots alone are no part: the store would be asked for something else.
        if _NEVER_IN_AN_ID & set(id) or id in (".", ".."):
            return None
        try:
            document: Document = await self._call("read", lambda container: container.read_item(id, partition_key=pk))
        except Missing:
            return None
        return document

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        """Those of the documents named as (pk, id) that exist."""
        found: list[Document] = []
        for start in range(0, len(keys), _MOST_IN_A_QUERY):
            items = [(id, pk) for pk, id in keys[start : start + _MOST_IN_A_QUERY]]
            found += await self._call("read many", lambda container, items=items: container.read_items(items))  # type: ignore[misc]
        return found

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        """Do all operations, or none; the new ETags."""
        results = await self._call(
            "write",
            lambda container: container.execute_item_batch(
                [_batch_operation(each) for each in operations], partition_key=pk
            ),
        )
        return [result.get("eTag", "") for result in results]

    async def find(self, query: Query) -> list[Document]:
        """At most `query.limit` documents."""
        text, parameters = sql(query)

        async def collect(container: ContainerProxy) -> list[Document]:
            pages = container.query_items(text, parameters=parameters, max_item_count=query.limit)
            return [document async for document in pages]

        documents: list[Document] = await self._call("find", collect)
        return documents

    async def close(self) -> None:
        """Let go of the connections; the next call opens them anew."""
        if client := self._client.forget():
            await client.close()

    async def _call(self, operation: str, call: Callable[[ContainerProxy], Awaitable[Any]]) -> Any:
        with span(f"Cosmos DB {operation}", kind="CLIENT", container=self._name):
            return await self._answer(call)

    async def _answer(self, call: Callable[[ContainerProxy], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                client = await self._client.get()
                return await call(client.get_database_client(self._database).get_container_client(self._name))
        except CosmosBatchOperationError as error:
            index = error.error_index
            raise _translated(int(error.operation_responses[index]["statusCode"]), index) from error
        except CosmosHttpResponseError as error:
            # 1003: the container itself isn't there, or not yet. That is no answer about a document.
            if error.status_code == 404 and error.sub_status not in (None, 0):
                raise Unavailable(f"{self._name}: {error.sub_status}") from error
            if error.status_code == 429:
                wait = int(error.headers.get("x-ms-retry-after-ms", 1000)) / 1000
                raise Throttled("Cosmos DB answered 429", wait) from error
            raise _translated(error.status_code or 500, 0) from error
        except AzureError as error:
            raise Unavailable(f"Cosmos DB gave no clear answer: {type(error).__name__}") from error
        except TimeoutError as error:
            raise Unavailable(f"Cosmos DB gave no answer within {self._timeout} s") from error

    async def _open(self) -> CosmosClient:
        client = CosmosClient(
            self._connection.endpoint,
            self._connection.key or credential(self._connection.client_id),
            connection_timeout=2,
            read_timeout=self._timeout,
            retry_total=2,
            retry_throttle_total=2,
            # Else aiohttp looks for a .netrc before each request, in a thread: two fifths of the CPU of a call.
            transport=AioHttpTransport(use_env_settings=False),
        )
        try:
            await client.__aenter__()
        except BaseException:
            await client.close()
            raise
        return client


def _translated(status: int, index: int) -> OrderflowError:
    detail = f"Cosmos DB answered {status}"
    if status >= 500:
        return Unavailable(detail)
    known = BY_STATUS.get(status)
    return known(index, detail) if known else Unexpected(detail)


def _batch_operation(operation: Operation) -> tuple[Any, ...]:
    match operation:
        case Create(document):
            return "create", (document,)
        case Replace(document, etag):
            return "replace", (document["id"], document), {"if_match_etag": etag}
        case Patch(id, changes, where):
            options = {"filter_predicate": f"from c where {_comparison(where)}"} if where else {}
            return "patch", (id, [_patch_operation(each) for each in changes]), options
        case Delete(id, etag):
            return "delete", (id,), {"if_match_etag": etag} if etag else {}


def _patch_operation(change: Change) -> Document:
    return {"op": change.op, "path": f"/{change.name}", "value": change.value}


def _comparison(condition: Condition, value: str | None = None) -> str:
    # A patch's condition takes no parameters, so the value is written as a JSON literal.
    return f"c.{condition.name} {condition.op} {value or json.dumps(condition.value)}"


def sql(query: Query) -> tuple[str, list[dict[str, Any]]]:
    """The query's text and parameters."""
    parameters: list[dict[str, Any]] = [{"name": "@kind", "value": query.kind}]
    clauses = ["c.kind = @kind"]
    for number, condition in enumerate(query.where):
        parameters.append({"name": f"@p{number}", "value": condition.value})
        clauses.append(_comparison(condition, f"@p{number}"))
    if query.after:
        parameters += [{"name": f"@after{number}", "value": value} for number, value in enumerate(query.after)]
        clauses.append(_keyset(query.order_by, "<" if query.descending else ">"))
    direction = "DESC" if query.descending else "ASC"
    order = f" ORDER BY {', '.join(f'c.{name} {direction}' for name in query.index)}" if query.order_by else ""
    return f"SELECT TOP {query.limit:d} * FROM c WHERE {' AND '.join(clauses)}{order}", parameters


def _keyset(names: tuple[str, ...], beyond: str) -> str:
    """Strictly after (@after0, @after1). The first comparison is what the index is read by, an OR isn't."""
    if len(names) == 1:
        return f"c.{names[0]} {beyond} @after0"
    first, second = names
    return f"c.{first} {beyond}= @after0 AND (c.{first} {beyond} @after0 OR c.{second} {beyond} @after1)"
