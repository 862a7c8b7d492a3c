"""Saving an aggregate: as new where it was read nowhere, else over what was read, in one batch with what that sends."""

from dataclasses import replace

import pytest

from services.payments.domain import Payment, State
from shared.contracts.payments import PaymentVoided
from shared.errors import AlreadyExists, ConditionFailed
from shared.messaging import fact
from tests.unit.test_resending import Away
from tests.unit.world import World

NEW = Payment("ord_1", State.CREATED, 500, "GBP", "pi_1")


async def test_what_is_saved_is_read_again_and_can_be_saved_over() -> None:
    payments = World().payments.payments

    saved = await payments.save(NEW)
    await payments.save(replace(saved, state=State.VOIDED))

    found = await payments.get("ord_1")
    assert found == replace(NEW, state=State.VOIDED)
    assert found.etag not in ("", saved.etag)


async def test_what_was_read_nowhere_replaces_nothing() -> None:
    payments = World().payments.payments
    await payments.save(NEW)

    with pytest.raises(AlreadyExists):
        await payments.save(replace(NEW, state=State.VOIDED))

    assert await payments.get("ord_1") == NEW


async def test_what_has_changed_since_it_was_read_is_not_replaced_and_what_that_would_send_is_not_sent() -> None:
    world = World()
    read = await world.payments.payments.save(NEW)
    await world.payments.payments.save(replace(read, state=State.VOIDING))

    with pytest.raises(ConditionFailed):
        await world.payments.payments.save(
            replace(read, state=State.VOIDED), [fact(PaymentVoided("ord_1"), "ord_1", world.system)]
        )

    assert not world.documents("payments", "outbox")
    assert not world.broker.sent


async def test_what_a_change_sends_is_stored_with_it_while_the_broker_is_away() -> None:
    world = World(broker=Away)
    assert isinstance(world.broker, Away)
    world.broker.away = True

    await world.payments.payments.save(NEW, [fact(PaymentVoided("ord_1"), "ord_1", world.system)])

    assert [each["pk"] for each in world.documents("payments", "outbox")] == ["ord_1"]
