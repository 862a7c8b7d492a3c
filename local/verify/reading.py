"""Reads what a running stack has stored, from every store, as whoever operates it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient, DatabaseProxy

from local import topology
from local.verify.invariants import CONTAINERS, Document, Snapshot
from local.verify.placed import placed_orders
from local.verify.stack import Stack, read_stack

_DATABASE = "orderflow"
_PAGE = 1000


class Reader:
    """Everything that one stack holds. `contexts` names the contexts, and so the containers."""

    def __init__(self, stack: Stack, database: DatabaseProxy, http: httpx.AsyncClient, state: Path) -> None:
        self._stack = stack
        self._database = database
        self._http = http
        self.state = state
        self.contexts = topology.load().contexts

    async def snapshot(self) -> Snapshot:
        """All of it, in the order that the invariants count upon."""
        placed = placed_orders(self.state)
        containers = {name: await self.query(name) for name in ("orders", "payments")}
        intents = await self.intents()
        containers |= {name: await self.query(name) for name in CONTAINERS if name not in containers}
        counted = await self.query("operations", partition="sums")  # at one moment, and before what was counted
        containers |= {name: await self.query(name) for name in self.contexts if name not in containers}
        containers["operations"] = [each for each in containers["operations"] if each["pk"] != "sums"] + counted
        entities = await self._ask("service_bus", "_entities")
        return Snapshot.of(containers, placed=placed, intents=intents, entities=entities)

    async def with_fresh(self, snapshot: Snapshot, skus: Iterable[str]) -> Snapshot:
        """The snapshot with the partitions of these SKUs read again, each at one moment."""
        stale = {f"sku:{sku}" for sku in skus}
        inventory = [document for document in snapshot.inventory if document["pk"] not in stale]
        for pk in stale:
            inventory += await self.query("inventory", partition=pk)
        return replace(snapshot, inventory=inventory)

    async def query(
        self, context: str, where: str = "", partition: str | None = None, **parameters: object
    ) -> list[Document]:
        """Documents of one context's container: all, or those of which `where` is true, or of one partition."""
        of_partition: dict[str, Any] = {} if partition is None else {"partition_key": partition}
        pages = self._database.get_container_client(context).query_items(
            f"SELECT * FROM c{where and f' WHERE {where}'}",
            parameters=[{"name": f"@{name}", "value": value} for name, value in parameters.items()],
            max_item_count=_PAGE,
            **of_partition,
        )
        return [document async for document in pages]

    async def intents(self) -> list[Document]:
        """The provider's intents with their movements of money."""
        found: list[Document] = (await self._ask("payment_provider", "_ledger"))["intents"]
        return found

    async def messages(self, correlation_id: str) -> list[Document]:
        """What the broker holds for one order."""
        found: list[Document] = await self._ask("service_bus", "_messages", correlationId=correlation_id)
        return found

    async def _ask(self, part: str, path: str, **query: str) -> Any:
        address = f"{self._stack.parts[part].control.rstrip('/')}/{path}"
        return (await self._http.get(address, params=query)).raise_for_status().json()


@asynccontextmanager
async def reader(state: Path) -> AsyncIterator[Reader]:
    """A reader of the stack that runs with this state folder; NoStackError where none does."""
    stack = read_stack(state)
    async with (
        CosmosClient(
            stack.parts["cosmos"].address,
            credential=stack.keys["cosmos"]["operator"],
            transport=AioHttpTransport(use_env_settings=False),
        ) as cosmos,
        httpx.AsyncClient(trust_env=False, timeout=30.0) as http,
    ):
        yield Reader(stack, cosmos.get_database_client(_DATABASE), http, state)
