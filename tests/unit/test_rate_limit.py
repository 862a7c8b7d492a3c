"""A caller places so many orders in a minute and no more, over all instances; a store that is away stops nobody."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.access import Caller
from shared.adapters.memory import MemoryContainer
from shared.errors import AlreadyExists, ConditionFailed, Contended, Throttled, Unavailable
from shared.ports import Create, Operation, Patch
from simulation.callers import GUEST, SUPPORT, customer
from simulation.world import ENVIRONMENT, Answer, order_body
from tests.unit.world import World

ADA, GRACE = customer("ada"), customer("grace")


class FailingCounts(MemoryContainer):
    """Where `answer` is set, the next write of a count fails so, before it is done or after."""

    answer: Exception | None = None
    is_done = False

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        if not self.answer or not any(map(_counts, operations)):
            return await super().write(pk, operations)
        if self.is_done:
            await super().write(pk, operations)
        answer, self.answer = self.answer, None
        raise answer


def _counts(operation: Operation) -> bool:
    """Whether it is of a count: nothing else in orders' container is patched."""
    made = operation.document["kind"] if isinstance(operation, Create) else ""
    return isinstance(operation, Patch) or made == "order-count"


async def limited(most: int) -> World:
    """Nine mugs, and a limit."""
    environment = ENVIRONMENT | {"ORDERS_PER_CUSTOMER_PER_MINUTE": str(most)}
    world = World(container=FailingCounts, environment=environment)
    await world.stocked(MUG=9)
    return world


async def place(world: World, caller: Caller = ADA, key: str | None = None, **changes: object) -> Answer:
    headers = {"idempotency-key": key} if key else {}
    body = order_body(("MUG", 1), **changes)
    return await world.call("place_order", body, headers=headers, caller=caller)


def counted(world: World) -> list[int]:
    return [document["count"] for document in world.documents("orders", "order-count")]


async def test_who_places_too_many_orders_in_a_minute_is_told_when_the_next_begins() -> None:
    world = await limited(2)
    await world.system.sleep(17.5)
    assert [(await place(world)).status for _ in range(2)] == [201, 201]

    refused = await place(world)
    assert (refused.status, refused.body["type"]) == (429, "urn:orderflow:problem:too-many-orders")
    assert refused.headers["Retry-After"] == "43"
    assert len(world.documents("orders", "order")) == 2
    assert (await place(world, GRACE)).status == 201, "the limit is each caller's own"

    await world.system.sleep(43)
    assert (await place(world)).status == 201


async def test_in_the_last_moment_of_a_minute_nobody_is_told_to_wait_for_no_time() -> None:
    world = await limited(1)
    await world.system.sleep(59.999999)
    await place(world)
    assert (await place(world)).headers["Retry-After"] == "1"


async def test_only_what_would_be_placed_is_counted() -> None:
    world = await limited(1)
    changed = {"amount": 1, "currency": "GBP"}
    assert (await place(world, expectedTotal=changed)).status == 409
    assert (await place(world, currency="EUR")).status == 422
    assert counted(world) == []

    first = await place(world, key="k")
    again = await place(world, key="k")
    assert (first.status, again.status, again.body["orderId"]) == (201, 201, first.body["orderId"])
    assert counted(world) == [1]
    assert (await place(world, key="other")).status == 429


async def test_no_more_orders_are_placed_at_once_than_the_limit_lets() -> None:
    world = await limited(4)
    answers = await asyncio.gather(*(place(world) for _ in range(9)))

    assert sorted(answer.status for answer in answers) == [201] * 4 + [429] * 5
    assert counted(world) == [4]


async def test_support_is_limited_as_itself_whomever_it_orders_for() -> None:
    world = await limited(1)
    statuses = [(await place(world, SUPPORT, customerId=name)).status for name in ("ada", "grace")]
    assert statuses == [201, 429]
    assert (await place(world, ADA)).status == 201


async def test_without_a_limit_nothing_is_counted() -> None:
    world = await limited(0)
    assert {(await place(world)).status for _ in range(9)} == {201}
    assert counted(world) == []


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("failure", [Unavailable("away"), Throttled("busy")], ids=["away", "busy"])
async def test_an_order_is_placed_though_it_cannot_be_counted(
    failure: Exception, is_done: bool, caplog: pytest.LogCaptureFixture
) -> None:
    world = await limited(1)
    store = world.containers["orders"]
    assert isinstance(store, FailingCounts)
    store.answer, store.is_done = failure, is_done

    assert (await place(world)).status == 201
    assert "an order is placed uncounted" in caplog.text


@pytest.mark.parametrize(
    ("earlier", "lost"),
    [(0, Contended("449")), (0, AlreadyExists(0)), (1, Contended("449"))],
    ids=["created, and contended", "created, and sent again", "patched, and contended"],
)
async def test_a_count_whose_answer_was_lost_neither_loses_nor_doubles_an_order(earlier: int, lost: Exception) -> None:
    world = await limited(9)
    for _ in range(earlier):
        await place(world, GUEST)
    store = world.containers["orders"]
    assert isinstance(store, FailingCounts)
    store.answer, store.is_done = lost, True

    assert (await place(world, GUEST, key="k")).status == 201
    assert len(world.documents("orders", "order")) == 1 + earlier
    assert counted(world) == [2 + earlier], "counted twice it only limits sooner"


async def test_a_count_that_was_sent_again_at_the_limit_places_nothing_and_leaves_the_key_unused() -> None:
    world = await limited(2)
    await place(world)
    store = world.containers["orders"]
    assert isinstance(store, FailingCounts)
    store.answer, store.is_done = ConditionFailed(0), True

    assert (await place(world, key="k")).status == 429
    assert len(world.documents("orders", "order")) == 1
    await world.system.sleep(60)
    assert (await place(world, key="k")).status == 201


async def test_whose_orders_are_counted_is_not_said_in_the_store() -> None:
    world = await limited(1)
    subject = "a/b?c#d\\e" + "ж" * 190
    assert (await place(world, customer(subject))).status == 201
    [document] = world.documents("orders", "order-count")
    assert "ж" not in str(document)
    assert document["ttl"] == 120
