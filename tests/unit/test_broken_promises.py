"""What cannot succeed is said once, not every hour."""

from datetime import timedelta

from services.payments.domain import Intent, IntentStatus
from shared.ports import Delete
from simulation.provider import MemoryProvider
from tests.unit.world import World


class CountingProvider(MemoryProvider):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def look(self, intent_id: str) -> Intent:
        self.calls += 1
        return await super().look(intent_id)

    async def cancel(self, intent_id: str) -> Intent:
        self.calls += 1
        return await super().cancel(intent_id)


async def test_a_payment_that_was_captured_by_hand_and_is_to_be_voided_is_parked_once_in_a_week() -> None:
    world = World(provider=CountingProvider)
    provider = world.provider
    assert isinstance(provider, CountingProvider)
    await world.stocked(MUG=5)
    order = await world.placed(("MUG", 1))
    await world.drain()
    for intent in provider.intents.values():
        intent["status"] = IntentStatus.CAPTURED
    await world.call("cancel_order", route={"orderId": order})

    for _ in range(7 * 24 * 4):
        await world.drain(timedelta(minutes=15))
        await world.system.sleep(timedelta(minutes=15).total_seconds())
        await world.sweep()

    [parked] = world.documents("payments", "parked")
    assert parked["occurrences"] > 100
    assert provider.calls < 100
    assert (await world.order(order))["status"] == "cancelling"

    # A person has let the money go, and deletes the document: the next command is handled.
    for intent in provider.intents.values():
        intent["status"] = IntentStatus.HELD
    await world.containers["payments"].write(parked["pk"], [Delete(parked["id"])])
    await world.system.sleep(timedelta(hours=2).total_seconds())
    await world.sweep()
    await world.drain()
    assert (await world.order(order))["status"] == "cancelled"
