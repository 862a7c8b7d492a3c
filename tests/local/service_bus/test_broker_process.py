"""The process: what it survives, how it ends, and what it says when it can't start."""

from __future__ import annotations

import asyncio
import random
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from tests.conformance.service_bus.links import DEAD, Links, new_message, receive
from tests.local.service_bus.running import Running
from tests.processes import ROOT, until, wait_until

# azure-servicebus leaves the socket of a connection that was reset to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


async def test_after_kill_minus_nine_every_message_is_where_it_was(fresh: Running) -> None:
    async with fresh.client() as client:
        links = Links(client)
        for body in ("completed", "abandoned", "deferred", "dead", "held", "untouched"):
            await links.send("orders", body)
        receiver = await links.receiver("orders")
        completed, abandoned, deferred, dead, _held = [await receive(receiver) for _ in range(5)]
        await receiver.complete_message(completed)
        await receiver.abandon_message(abandoned)
        await receiver.defer_message(deferred)
        await receiver.dead_letter_message(dead, reason="Tested")
        await (await links.sender("orders")).schedule_messages(new_message(), datetime.now(UTC) + timedelta(hours=1))
        before = await fresh.entity("orders")
        fresh.kill()
        await links.close()
    await fresh.start()

    assert before == {"active": 2, "locked": 1, "scheduled": 1, "deferred": 1, "deadLettered": 1}
    assert await fresh.entity("orders") == {"active": 3, "scheduled": 1, "deferred": 1, "deadLettered": 1}
    async with fresh.client() as client:
        links = Links(client)
        messages = [await links.take("orders") for _ in range(3)]
        counts = {str(message): message.delivery_count for message in messages}
        assert counts == {"abandoned": 1, "held": 0, "untouched": 0}
        assert deferred.sequence_number is not None
        receiver = await links.receiver("orders")
        (found,) = await receiver.receive_deferred_messages(deferred.sequence_number)
        assert str(found) == "deferred"
        assert (await links.take("orders", DEAD)).dead_letter_reason == "Tested"
        await links.close()


async def test_a_lock_from_before_a_restart_is_lost(fresh: Running) -> None:
    async with fresh.client(retries=3) as client:
        links = Links(client)
        await links.send("orders", "held")
        receiver = await links.receiver("orders")
        held = await receive(receiver)
        fresh.kill()
        await fresh.start()

        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(held)
        assert await links.drain("orders") == ["held"]
        await links.close()


async def test_ids_and_numbers_outlive_a_restart(fresh: Running) -> None:
    async with fresh.client(retries=3) as client:
        links = Links(client)
        first = await links.send("orders")
        number = (await links.take("orders")).sequence_number
        await links.send("payments")
        assert number == (await links.take("payments")).sequence_number == 1
        fresh.kill()
        await fresh.start()

        await links.send("orders", "again", message_id=first)
        await links.send("orders", "other")

        other = await links.take("orders")
        assert str(other) == "other"
        assert other.sequence_number == 2
        await links.close()


async def test_under_load_and_kills_nothing_accepted_is_lost_and_nothing_completed_returns(fresh: Running) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    accepted, completed, returned = set[str](), set[str](), set[str]()
    unclear = set[str]()  # completed, but for the confirmation, which may have ended with the broker
    done = asyncio.Event()

    async def sending(client: ServiceBusClient) -> None:
        async with client.get_queue_sender("payments") as sender:
            while not done.is_set():
                message = new_message()
                await sender.send_messages(message)
                accepted.add(str(message.message_id))

    async def receiving(client: ServiceBusClient) -> None:
        async with client.get_queue_receiver("payments") as receiver:
            while not done.is_set():
                for message in await receiver.receive_messages(20, max_wait_time=0.2):
                    if message.message_id in completed:
                        returned.add(str(message.message_id))
                    unclear.add(str(message.message_id))
                    await receiver.complete_message(message)
                    completed.add(str(message.message_id))

    async def persisting(client: ServiceBusClient, work: object) -> None:
        assert callable(work)
        while not done.is_set():
            try:
                await work(client)
            except ServiceBusError:
                await asyncio.sleep(0.05)

    async with fresh.client() as client:
        tasks = [asyncio.create_task(persisting(client, work)) for work in (sending, sending, receiving)]
        for _ in range(3):
            enough = len(completed) + chance.randrange(20, 200)
            await until(lambda enough=enough: _is(len(completed) >= enough))  # type: ignore[misc]
            fresh.kill()
            await fresh.start()
        done.set()
        await asyncio.gather(*tasks)
        await fresh.inject(kind="expire-locks")
        async with client.get_queue_receiver("payments") as receiver:
            while await fresh.entity("payments"):
                for message in await receiver.receive_messages(100, max_wait_time=0.5):
                    if message.message_id in completed:
                        returned.add(str(message.message_id))
                    await receiver.complete_message(message)
                    completed.add(str(message.message_id))

    assert not returned
    assert accepted <= completed | unclear
    assert len(unclear - completed) <= 3


async def _is(value: bool) -> bool:
    return value


async def test_a_folder_without_keys_is_said_in_one_line(tmp_path: Path) -> None:
    running = Running(tmp_path)
    (tmp_path / "keys.json").unlink()

    ended = await asyncio.to_thread(subprocess.run, running.command(), cwd=ROOT, capture_output=True, text=True)

    assert ended.returncode == 2
    assert "No stack runs with the state folder" in ended.stderr
    assert ended.stderr.count("\n") == 1


async def test_a_port_in_use_is_said_in_one_line(broker: Running, tmp_path: Path) -> None:
    second = Running(tmp_path)
    second.port = broker.port

    ended = await asyncio.to_thread(subprocess.run, second.command(), cwd=ROOT, capture_output=True, text=True)

    assert ended.returncode == 2
    assert str(broker.port) in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_is_due_while_it_ends_is_still_done(tmp_path: Path) -> None:
    running = Running(tmp_path)
    script = (
        "from local.service_bus import __main__, server\n"
        "server._BEAT = 0\n"  # something is due in every round of the loop
        "__main__.main()\n"
    )
    python, _, _, *arguments = running.command()

    def is_up() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{running.control_port}/_health").is_success
        return False

    with subprocess.Popen([python, "-c", script, *arguments], cwd=ROOT, stderr=subprocess.PIPE) as process:
        wait_until(is_up)
        process.terminate()
        _, said = process.communicate()

    assert (process.returncode, said) == (0, b"")


async def test_a_client_that_asks_for_heartbeats_hears_them(broker: Running) -> None:
    fields = b"\xa1\x01x" + b"\x40" * 3 + b"\x70" + (2_000).to_bytes(4)  # container id; idle time-out in milliseconds
    body = b"\x02\x00\x00\x00\x00\x53\x10\xc0" + bytes([len(fields) + 1, 5]) + fields
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"AMQP\x00\x01\x00\x00" + (4 + len(body)).to_bytes(4) + body)

    async with asyncio.timeout(10):
        await reader.readuntil(b"\x00\x00\x00\x08\x02\x00\x00\x00")
    writer.close()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"AMQP\xff\xff\xff\xff"]
)
async def test_a_client_that_does_not_speak_amqp_is_cut_off(broker: Running, links: Links, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(garbage)

    async with asyncio.timeout(10):
        try:
            while await reader.read(1000):
                pass
        except ConnectionResetError:
            pass
    writer.close()

    await links.send("orders", "fine")
    assert await links.drain("orders") == ["fine"]


async def test_what_a_client_that_vanished_had_locked_is_there_for_others(broker: Running, links: Links) -> None:
    await links.send("orders", "held")
    script = (
        "import asyncio, os, sys\n"
        "from azure.servicebus.aio import ServiceBusClient\n"
        "async def main():\n"
        "    async with ServiceBusClient.from_connection_string(sys.argv[1]) as client:\n"
        "        async with client.get_queue_receiver('orders') as receiver:\n"
        "            await receiver.receive_messages(1)\n"
        "            os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    ended = await asyncio.to_thread(subprocess.run, [*broker.command()[:1], "-c", script, broker.connection()])
    assert ended.returncode == 9

    assert await broker.entity("orders") == {"locked": 1}
    await broker.inject(kind="expire-locks")
    assert await links.drain("orders") == ["held"]


async def test_a_message_reaches_a_client_that_waits_on_another_connection_at_once(broker: Running) -> None:
    async with broker.client() as sends, broker.client() as receives:
        sender, receiver = Links(sends), Links(receives)
        waiting = await receiver.receiver("orders")
        began = asyncio.get_running_loop().time()
        for _ in range(6):
            message, _id = await asyncio.gather(receive(waiting), sender.send("orders"))
            await waiting.complete_message(message)
        took = asyncio.get_running_loop().time() - began
        await sender.close()
        await receiver.close()

    # Left to a connection's next heartbeat, each but the first would wait for about a second.
    assert took < 2
