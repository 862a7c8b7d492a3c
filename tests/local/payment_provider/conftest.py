"""One provider for all tests: each works on intents of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from stripe import PaymentIntentService

from tests.local.payment_provider.running import Running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    running = Running(tmp_path_factory.mktemp("provider"))
    await running.start()
    yield running
    await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def provider(process: Running) -> Running:
    await process.control.delete("/_faults")
    return process


@pytest.fixture
def intents(provider: Running) -> PaymentIntentService:
    return provider.client().v1.payment_intents
