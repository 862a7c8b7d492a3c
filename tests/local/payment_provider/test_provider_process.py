"""What survives when the process is killed."""

import asyncio
import contextlib
from pathlib import Path

import stripe

from tests.local.payment_provider.running import Running, asked
from tests.processes import until


async def test_intents_ledger_and_keys_survive_a_kill(tmp_path: Path) -> None:
    running = Running(tmp_path)
    await running.start()
    intents = running.client().v1.payment_intents
    intent = await intents.create_async(asked(), {"idempotency_key": "create"})
    held = await intents.confirm_async(intent.id, {}, {"idempotency_key": "confirm"})

    running.kill()
    await running.start()

    again = running.client().v1.payment_intents
    assert (await again.create_async(asked(), {"idempotency_key": "create"})).id == intent.id
    assert await again.confirm_async(intent.id, {}, {"idempotency_key": "confirm"}) == held
    assert await again.retrieve_async(intent.id) == held
    assert await running.ledger_of(intent.id) == [("hold", 1_999)]
    await running.close()


async def test_a_kill_amid_requests_loses_no_answered_one_and_repeats_none(tmp_path: Path) -> None:
    running = Running(tmp_path)
    await running.start()
    answered: list[str] = []

    async def buy(number: int) -> None:
        intents = running.client().v1.payment_intents
        with contextlib.suppress(stripe.APIConnectionError):
            for turn in range(1_000):
                created = await intents.create_async(asked(), {"idempotency_key": f"create {number} {turn}"})
                answered.append((await intents.confirm_async(created.id)).id)

    async def enough() -> bool:
        return len(answered) >= 40

    buyers = [asyncio.create_task(buy(number)) for number in range(4)]
    await until(enough)
    running.kill()
    await asyncio.gather(*buyers)
    await running.start()

    ledger = {intent["id"]: intent for intent in (await running.control.get("/_ledger")).json()["intents"]}
    for intent_id in answered:
        assert [move["kind"] for move in ledger[intent_id]["movements"]] == ["hold"]
    for intent in ledger.values():
        assert sum(move["amount"] for move in intent["movements"]) == intent["amount_capturable"]
    await running.close()
