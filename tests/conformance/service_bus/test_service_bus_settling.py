"""Locks and how they end: https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement."""

from __future__ import annotations

import asyncio

import pytest
from azure.servicebus import ServiceBusMessageState, ServiceBusReceiveMode
from azure.servicebus.aio import AutoLockRenewer
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError

from tests.conformance.service_bus.links import DEAD, WAIT, Links, peek, receive
from tests.processes import until


async def test_a_completed_message_is_gone(links: Links, queue: str) -> None:
    await links.send(queue)
    receiver = await links.receiver(queue)
    message = await receive(receiver)

    await receiver.complete_message(message)

    assert await links.is_empty(queue)


async def test_many_messages_are_received_together_and_completed_one_by_one(links: Links, queue: str) -> None:
    wanted, got = {await links.send(queue) for _ in range(100)}, set[str]()
    receiver = await links.receiver(queue)

    while got != wanted:
        for message in await receiver.receive_messages(100 - len(got), max_wait_time=WAIT):
            await receiver.complete_message(message)
            got.add(str(message.message_id))

    assert await links.is_empty(queue)


async def test_an_abandoned_message_comes_back_at_once_and_counts(links: Links, queue: str) -> None:
    await links.send(queue)
    receiver = await links.receiver(queue)
    first = await receive(receiver)
    first_token = first.lock_token

    await receiver.abandon_message(first)

    second = await receive(receiver)
    assert (first.delivery_count, second.delivery_count) == (0, 1)
    assert second.sequence_number == first.sequence_number
    assert second.lock_token != first_token
    await receiver.complete_message(second)


async def test_after_its_last_delivery_a_message_is_a_dead_letter(links: Links, queue: str) -> None:
    identity = await links.send(queue, "poison", application_properties={"kept": 7})
    receiver = await links.receiver(queue)

    for _ in range(3):
        await receiver.abandon_message(await receive(receiver))

    assert await links.is_empty(queue)
    letter = await links.take(queue, DEAD)
    assert (letter.message_id, str(letter)) == (identity, "poison")
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert letter.dead_letter_error_description
    assert letter.application_properties is not None
    assert letter.application_properties[b"kept"] == 7


async def test_a_receiver_dead_letters_a_message_with_its_reason(links: Links, queue: str) -> None:
    await links.send(queue)
    receiver = await links.receiver(queue)

    message = await receive(receiver)
    await receiver.dead_letter_message(message, reason="Unreadable", error_description="Not JSON: \u20ac")

    letter = await links.take(queue, DEAD)
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("Unreadable", "Not JSON: \u20ac")
    assert await links.is_empty(queue, DEAD)


async def test_dead_letters_are_forwarded_with_their_source(links: Links) -> None:
    fragile, dead = await links.empty("conformance-fragile"), await links.empty("conformance-dead")
    identity = await links.send(fragile)
    receiver = await links.receiver(fragile)

    await receiver.abandon_message(await receive(receiver))

    letter = await links.take(dead)
    assert letter.message_id == identity
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert letter.dead_letter_source == fragile
    assert letter.delivery_count == 0


async def test_a_deferred_message_is_received_by_its_number_alone(links: Links, queue: str) -> None:
    await links.send(queue, "put off")
    await links.send(queue, "next")
    receiver = await links.receiver(queue)

    message = await receive(receiver)
    assert message.sequence_number is not None
    await receiver.defer_message(message)

    assert str(await links.take(queue)) == "next"
    assert [message.state for message in await peek(receiver)] == [ServiceBusMessageState.DEFERRED]
    (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
    assert str(deferred) == "put off"
    await receiver.complete_message(deferred)
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(message.sequence_number)


async def test_a_lock_that_ends_gives_the_message_to_the_next_receiver_and_counts(links: Links, brief: str) -> None:
    await links.send(brief)
    receiver = await links.receiver(brief)

    lost = await receive(receiver)
    again = await receive(receiver)

    assert again.delivery_count == 1
    assert again.sequence_number == lost.sequence_number
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(lost)
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(lost)
    await receiver.complete_message(again)


async def test_a_renewed_lock_outlasts_its_first_end(links: Links, brief: str) -> None:
    await links.send(brief)
    receiver = await links.receiver(brief)

    message = await receive(receiver)
    first_end = message.locked_until_utc
    # Nobody else gets it during six seconds, though a lock lasts five.
    async with links.new_receiver(brief, None, ServiceBusReceiveMode.PEEK_LOCK) as other:
        for _ in range(3):
            assert not await other.receive_messages(1, max_wait_time=2)
            renewed = await receiver.renew_message_lock(message)

    assert first_end is not None
    assert renewed > first_end
    await receiver.complete_message(message)


async def test_ten_messages_under_a_lock_renewer_keep_their_locks(links: Links, brief: str) -> None:
    for _ in range(10):
        await links.send(brief)
    async with (
        links.new_receiver(brief, None, ServiceBusReceiveMode.PEEK_LOCK) as receiver,
        AutoLockRenewer() as renewer,
    ):
        messages = [await receive(receiver) for _ in range(10)]
        first_ends = [message.locked_until_utc for message in messages]
        for message in messages:
            renewer.register(receiver, message, max_lock_renewal_duration=30)

        async def renewed() -> bool:
            return not any(message.locked_until_utc in first_ends for message in messages)

        await until(renewed)
        for message in messages:
            await receiver.complete_message(message)

    assert await links.is_empty(brief)


async def test_a_lock_outlives_the_link_that_it_was_given_on(links: Links, queue: str) -> None:
    await links.send(queue)
    async with links.new_receiver(queue, None, ServiceBusReceiveMode.PEEK_LOCK) as first:
        message = await receive(first)

    async with links.new_receiver(queue, None, ServiceBusReceiveMode.PEEK_LOCK) as second:
        assert not await second.receive_messages(1, max_wait_time=0.5)
        await second.complete_message(message)

    assert await links.is_empty(queue)


async def test_what_a_receiver_had_fetched_ahead_is_free_again_when_it_closes(links: Links, queue: str) -> None:
    for number in range(5):
        await links.send(queue, str(number))

    async with links.bus.get_queue_receiver(queue, prefetch_count=10) as first:
        await first.complete_message(await receive(first))

    rest = [await links.take(queue) for _ in range(4)]
    assert [str(message) for message in rest] == ["1", "2", "3", "4"]
    assert {message.delivery_count for message in rest} == {0}


async def test_receive_and_delete_takes_a_message_without_a_lock(links: Links, queue: str) -> None:
    await links.send(queue, "gone")

    async with links.new_receiver(queue, None, ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        message = await receive(receiver)

    assert str(message) == "gone"
    assert message.raw_amqp_message.delivery_annotations == {}
    assert b"x-opt-locked-until" not in (message.raw_amqp_message.annotations or {})
    assert await links.is_empty(queue)


async def test_two_receivers_share_a_queue(links: Links, queue: str) -> None:
    wanted, got = [await links.send(queue) for _ in range(20)], list[str]()

    async def drain() -> None:
        async with links.new_receiver(queue, None, ServiceBusReceiveMode.PEEK_LOCK) as receiver:
            while len(got) < 20:
                for message in await receiver.receive_messages(3, max_wait_time=1):
                    got.append(str(message.message_id))
                    await receiver.complete_message(message)

    await asyncio.gather(drain(), drain())

    assert sorted(got) == sorted(wanted)


async def test_peeking_locks_nothing_and_shows_what_others_hold(links: Links, queue: str) -> None:
    for number in range(3):
        await links.send(queue, str(number))
    receiver = await links.receiver(queue)
    held = await receive(receiver)
    assert held.sequence_number is not None

    all_of_them = await receiver.peek_messages(10, sequence_number=1)
    later = await receiver.peek_messages(10, sequence_number=held.sequence_number + 1)

    assert [str(message) for message in all_of_them] == ["0", "1", "2"]
    assert [str(message) for message in later] == ["1", "2"]
    await receiver.complete_message(held)
    assert [str(await links.take(queue)), str(await links.take(queue))] == ["1", "2"]
