"""Stores, a broker and a provider that fail, and in failing repeat what they were given: as their SDKs would raise it,
and as the adapters make of that.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count, cycle
from types import SimpleNamespace
from typing import Any, NoReturn

import stripe
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusConnectionError, ServiceBusServerBusyError

from services.payments.adapters import StripeProvider
from services.payments.domain import Intent
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.memory import MemoryBroker
from shared.adapters.service_bus import _SendingLink
from shared.ports import Document, Operation, Query, WireMessage
from shared.settings import Connection
from simulation.provider import MemoryProvider
from tests.unit.canaries import NotingContainer

type Failure = Callable[[str], Exception]
"""An error that says what it is given."""

EVERY = 5
"""So often a store, the broker and the provider do as they are asked, and then fail once."""

BY_THE_STORE: list[Failure] = [
    *(
        lambda said, status=status: CosmosHttpResponseError(status, said)  # type: ignore[no-untyped-call]
        for status in (400, 403, 408, 413, 429, 449, 503)
    ),
    lambda said: CosmosBatchOperationError(0, {}, 400, said, [{"statusCode": 400}]),  # type: ignore[no-untyped-call]
    AzureError,
    ServiceRequestError,
]
BY_OURSELVES: list[Failure] = [KeyError, lambda said: ValueError(f"invalid literal for int(): {said!r}")]
BY_THE_BROKER: list[Failure] = [
    lambda said: ServiceBusConnectionError(message=said),
    lambda said: ServiceBusServerBusyError(message=said),
    lambda said: MessageSizeExceededError(message=said),
]
BY_THE_PROVIDER: list[Failure] = [
    stripe.APIConnectionError,
    lambda said: stripe.AuthenticationError(said, http_status=401, json_body=_body(said, "api_key_expired")),
    lambda said: stripe.RateLimitError(said, http_status=429, json_body=_body(said, "rate_limit")),
    lambda said: stripe.InvalidRequestError(said, said, http_status=400, json_body=_body(said, "parameter_unknown")),
    lambda said: stripe.CardError(
        said, said, "processing_error", http_status=402, json_body=_body(said, "processing_error")
    ),
    lambda said: stripe.APIError(said, http_body=said, http_status=500),
]


def _body(said: str, code: str) -> Any:
    return {"error": {"type": "invalid_request_error", "code": code, "message": said, "param": said}}


async def by_the_store(error: Exception) -> NoReturn:
    """Raise what the adapter makes of an error of the SDK's."""
    container = CosmosContainer(Connection(endpoint="http://127.0.0.1:1"), "db", "orders", timedelta(seconds=9))
    client = SimpleNamespace(get_database_client=lambda _: SimpleNamespace(get_container_client=lambda _: None))
    container._client = SimpleNamespace(get=_giving(client))  # type: ignore[assignment]
    await container._call("read", _raising(error))
    raise AssertionError


async def by_the_broker(error: Exception) -> NoReturn:
    """Likewise, where a message doesn't go."""
    sending = _SendingLink(Connection(endpoint="127.0.0.1"), "orders", 9, 9)
    link: Any = SimpleNamespace(get=_raising(error), is_open=True, forget=lambda: None)
    sending._link = link
    await sending.send([ServiceBusMessage("")])
    raise AssertionError


async def by_the_provider(error: Exception) -> Intent:
    """Likewise, of a call to the provider."""
    provider = StripeProvider("http://127.0.0.1:1", "sk_test_1", timedelta(seconds=9))
    return await provider._call("look", _raising(error))


def _raising(error: Exception) -> Callable[..., Any]:
    async def fail(*_: Any) -> NoReturn:
        raise error

    return fail


def _giving(what: Any) -> Callable[..., Any]:
    async def give() -> Any:
        return what

    return give


class EchoingContainer(NotingContainer):
    """Fails now and then, by turns in every way."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = count(1)
        self._failures = cycle([*BY_THE_STORE, *BY_OURSELVES])

    async def _perhaps(self, *given: object) -> None:
        if next(self._asked) % EVERY == 0:
            failure = next(self._failures)
            said = f"{given!r} of {[*self._partitions.values()][-3:]!r}"
            await (by_the_store(failure(said)) if failure not in BY_OURSELVES else _raising(failure(said))())

    async def read(self, pk: str, id: str) -> Document | None:
        await self._perhaps(pk, id)
        return await super().read(pk, id)

    async def read_many(self, keys: Sequence[tuple[str, str]]) -> list[Document]:
        await self._perhaps(keys)
        return await super().read_many(keys)

    async def find(self, query: Query) -> list[Document]:
        await self._perhaps(query)
        return await super().find(query)

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        etags = await super().write(pk, operations)
        await self._perhaps(pk, operations)
        return etags


class EchoingBroker(MemoryBroker):
    """Likewise."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._asked = count(1)
        self._failures = cycle(BY_THE_BROKER)

    async def send(self, destination: str, messages: Sequence[WireMessage], at: datetime | None = None) -> None:
        if next(self._asked) % EVERY == 0:
            await by_the_broker(next(self._failures)(repr(messages)))
        await super().send(destination, messages, at)


class EchoingProvider(MemoryProvider):
    """Likewise; and it notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._failures = cycle(BY_THE_PROVIDER)

    async def create(self, order_id: str, amount: int, currency: str, payment_method: str) -> Intent:
        given = (order_id, amount, currency, payment_method)
        self.asked.append(repr(given))
        if len(self.asked) % 2:
            await by_the_provider(next(self._failures)(json.dumps(given)))
        return await super().create(*given)

    async def confirm(self, intent_id: str) -> Intent:
        self.asked.append(intent_id)
        if len(self.asked) % 2:
            await by_the_provider(next(self._failures)(repr(self.intents)))
        return await super().confirm(intent_id)
