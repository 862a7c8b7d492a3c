"""Counting stock: one request is one count, however often the store, its client or the caller sends it."""

import pytest

from shared.access import Caller, Role
from shared.errors import AlreadyExists, ConditionFailed
from simulation.callers import ADMIN
from simulation.world import Answer
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World

SKU = {"sku": "MUG"}


@pytest.fixture
def world() -> World:
    return World(container=ForgetfulContainer)


def forgetful(world: World) -> ForgetfulContainer:
    container = world.containers["inventory"]
    assert isinstance(container, ForgetfulContainer)
    return container


async def count(world: World, on_hand: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call("put_stock", {"onHand": on_hand}, route=SKU, headers=named)


async def stock(world: World) -> tuple[int, int]:
    body = (await world.call("get_stock", route=SKU)).body
    return body["onHand"], body["available"]


@pytest.mark.parametrize("answer", LOST, ids=lambda lost: type(lost).__name__)
async def test_a_count_whose_answer_is_lost_is_not_made_again_over_what_was_sold_meanwhile(
    world: World, answer: Exception
) -> None:
    await world.stocked(MUG=10)
    order_id = await world.placed(("MUG", 5))
    await world.drain()

    async def five_leave() -> None:
        await world.dispatched(order_id)
        await world.drain()

    forgetful(world).forget(answer, meanwhile=five_leave)
    counted = await count(world, 20)

    assert (counted.status, counted.body) == (200, {"sku": "MUG", "onHand": 20, "available": 15})
    assert "etag" not in counted.headers
    assert await stock(world) == (15, 15)


@pytest.mark.parametrize("old_reads", [0, 2])
async def test_a_count_that_was_stored_is_never_a_lost_race(world: World, old_reads: int) -> None:
    forgetful(world).forget(AlreadyExists(0))
    first = await count(world, 10, if_none_match="*")
    assert (first.status, await stock(world)) == (201, (10, 10))
    assert (await count(world, 10, if_none_match="*")).status == 412

    forgetful(world).forget(ConditionFailed(0), old_reads)
    second = await count(world, 20, if_match=first.headers["etag"])
    assert (second.status, await stock(world)) == (200, (20, 20))
    assert (await count(world, 30, if_match=first.headers["etag"])).status == 412
    assert (await count(world, 30, if_match=second.headers["etag"])).status == 200


async def test_a_count_sent_again_under_its_key_is_answered_as_the_first_time(world: World) -> None:
    first = await count(world, 10, idempotency_key="c-1", if_none_match="*")
    assert (await count(world, 10, idempotency_key="c-1", if_none_match="*")).headers["etag"] == first.headers["etag"]
    await count(world, 30, idempotency_key="c-2")

    again = await count(world, 10, idempotency_key="c-1", if_none_match="*")

    assert (
        (again.status, again.body) == (first.status, first.body) == (201, {"sku": "MUG", "onHand": 10, "available": 10})
    )
    assert await stock(world) == (30, 30)


async def test_a_key_stands_for_one_count(world: World) -> None:
    await count(world, 10, idempotency_key="c-1")

    reused = await count(world, 11, idempotency_key="c-1")

    assert (reused.status, reused.body["type"]) == (422, "urn:orderflow:problem:idempotency-key-reused")
    assert await stock(world) == (10, 10)
    other = await world.call("put_stock", {"onHand": 11}, route={"sku": "TRAY"}, headers={"idempotency-key": "c-1"})
    assert other.status == 201


async def test_a_key_is_its_callers_own(world: World) -> None:
    olga, piet = (Caller(subject, frozenset({Role.WAREHOUSE})) for subject in ("olga", "piet"))

    for caller, on_hand in ((olga, 10), (piet, 10), (ADMIN, 11)):
        counted = await world.call(
            "put_stock", {"onHand": on_hand}, route=SKU, headers={"idempotency-key": "1"}, caller=caller
        )
        assert (counted.status, counted.body["onHand"]) == (201 if caller is olga else 200, on_hand)

    assert await stock(world) == (11, 11)
    entries = (await world.call("inventory_audit")).body["value"]
    assert {entry["subject"] for entry in entries} == {"olga", "piet", "admin"}


async def test_what_is_taken_and_given_back_leaves_the_remembered_counts_alone(world: World) -> None:
    await count(world, 10, idempotency_key="c-1")
    products = [{"sku": "MUG", "name": "Mug", "price": {"amount": 250, "currency": "GBP"}}]
    await world.call("import_products", {"products": products})
    await world.drain()
    await world.placed(("MUG", 4), paymentMethod="pm_card_visa_chargeDeclined")
    await world.placed(("MUG", 3))
    await world.drain()

    again = await count(world, 10, idempotency_key="c-1")

    assert (again.status, again.body["available"], await stock(world)) == (201, 10, (10, 7))


async def test_a_product_remembers_its_last_eight_counts(world: World) -> None:
    for number in range(20):
        await count(world, number, idempotency_key=f"c-{number}")

    [document] = world.documents("inventory", "stock")
    assert [each["onHand"] for each in document["counts"]] == list(range(12, 20))
    assert (await count(world, 12, idempotency_key="c-12")).status == 200
    assert await stock(world) == (19, 19)
