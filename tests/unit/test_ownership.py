"""An order belongs to its customer's subject, and so does an idempotency key: to its caller's."""

import pytest

from shared.access import Caller
from simulation.callers import ADMIN, GUEST, SUPPORT, customer
from simulation.world import Answer, order_body
from tests.unit.world import World

ADA, GRACE = customer("ada"), customer("grace")
KEY = {"idempotency-key": "k1"}


@pytest.fixture
async def world() -> World:
    """Nine mugs."""
    world = World()
    await world.stocked(MUG=9)
    return world


def pointers(answer: Answer) -> list[str]:
    return [error["pointer"] for error in answer.body["errors"]]


def as_seen(answer: Answer, order_id: str) -> tuple[int, str, dict[str, str]]:
    told = {name: value for name, value in answer.headers.items() if name not in {"X-Request-Id", "traceparent"}}
    return answer.status, str(answer.body).replace(order_id, "ID"), told


@pytest.mark.parametrize("operation", ["get_order", "cancel_order"])
@pytest.mark.parametrize("stranger", [GRACE, GUEST], ids=lambda caller: caller.subject)
async def test_anothers_order_is_answered_as_one_that_is_not_there(
    world: World, operation: str, stranger: Caller
) -> None:
    theirs, nobodys = await world.placed(("MUG", 1), customerId="ada"), "ord_none"
    before = world.documents("orders", "order")

    answers = [await world.call(operation, route={"orderId": id}, caller=stranger) for id in (theirs, nobodys)]

    assert as_seen(answers[0], theirs) == as_seen(answers[1], nobodys)
    assert answers[0].status == 404
    assert world.documents("orders", "order") == before


@pytest.mark.parametrize("owner", [ADA, GUEST], ids=lambda caller: caller.subject)
async def test_a_customer_or_a_guest_places_reads_and_cancels_their_own(world: World, owner: Caller) -> None:
    placed = await world.call("place_order", order_body(("MUG", 1)), caller=owner)
    route = {"orderId": placed.body["orderId"]}
    read = await world.call("get_order", route=route, caller=owner)
    cancelled = await world.call("cancel_order", route=route, caller=owner)

    assert (placed.status, read.status, cancelled.status) == (201, 200, 202)
    assert read.body["customerId"] == owner.subject


async def test_support_and_admin_read_any_order_and_support_cancels_it(world: World) -> None:
    route = {"orderId": await world.placed(("MUG", 1), customerId="ada")}
    assert [(await world.call("get_order", route=route, caller=each)).status for each in (SUPPORT, ADMIN)] == [200, 200]
    assert (await world.call("cancel_order", route=route, caller=ADMIN)).status == 403
    assert (await world.call("cancel_order", route=route, caller=SUPPORT)).status == 202


async def test_a_customer_orders_for_nobody_else(world: World) -> None:
    answer = await world.call("place_order", order_body(("MUG", 1), customerId="grace"), caller=ADA)

    assert (answer.status, answer.body["type"]) == (403, "urn:orderflow:problem:forbidden")
    assert "customerId" in answer.body["detail"]
    assert world.documents("orders", "order") == []


async def test_support_names_the_customer_whom_it_orders_for(world: World) -> None:
    without = await world.call("place_order", order_body(("MUG", 1)), caller=SUPPORT)
    assert (without.status, without.body["type"]) == (422, "urn:orderflow:problem:invalid-body")
    assert pointers(without) == ["/customerId"]
    assert world.documents("orders", "order") == []

    for owner in (ADA, GUEST):
        placed = await world.call("place_order", order_body(("MUG", 1), customerId=owner.subject), caller=SUPPORT)
        route = {"orderId": placed.body["orderId"]}
        assert (await world.call("get_order", route=route, caller=owner)).status == 200


async def test_a_request_that_leaves_out_the_customer_is_the_one_that_names_them(world: World) -> None:
    without = await world.call("place_order", order_body(("MUG", 1)), headers=KEY, caller=ADA)
    named = await world.call("place_order", order_body(("MUG", 1), customerId="ada"), headers=KEY, caller=ADA)
    assert (without.status, named.status, named.body) == (201, 201, without.body)


async def test_a_key_stands_for_its_caller_alone(world: World) -> None:
    for_ada = order_body(("MUG", 1), customerId="ada")
    answers = [
        await world.call("place_order", for_ada, headers=KEY, caller=ADA),
        await world.call("place_order", order_body(("MUG", 1)), headers=KEY, caller=GRACE),
        await world.call("place_order", order_body(("MUG", 1)), headers=KEY, caller=GUEST),
        await world.call("place_order", for_ada, headers=KEY, caller=SUPPORT),
        await world.call("place_order", order_body(("MUG", 1)), headers=KEY, caller=customer("support")),
    ]

    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["orderId"] for answer in answers}) == len(answers)


async def test_a_key_of_support_stands_for_one_order_whomever_it_is_for(world: World) -> None:
    for_ada = order_body(("MUG", 1), customerId="ada")
    first, again = [await world.call("place_order", for_ada, headers=KEY, caller=SUPPORT) for _ in range(2)]
    for_grace = await world.call("place_order", order_body(("MUG", 1), customerId="grace"), headers=KEY, caller=SUPPORT)

    assert first.body == again.body
    assert (for_grace.status, for_grace.body["type"]) == (422, "urn:orderflow:problem:idempotency-key-reused")


async def test_a_guests_order_of_before_is_nobodys_and_goes_on_and_staff_see_it(world: World) -> None:
    """Version 0.1.0 stored a guest's order without a customerId."""
    order_id = await world.placed(("MUG", 1))
    world.containers["orders"].partition(order_id)[order_id]["customerId"] = None
    await world.drain()

    seen = [await world.call("get_order", route={"orderId": order_id}, caller=each) for each in (GUEST, SUPPORT, ADMIN)]

    assert [answer.status for answer in seen] == [404, 200, 200]
    assert (seen[1].body["customerId"], seen[1].body["status"]) == (None, "confirmed")


@pytest.mark.parametrize("subject", ["x" * 200, "auth0|5f7c", "Zoë", "~/?#%", "a b"])
async def test_whoever_can_have_a_token_can_own_an_order(world: World, subject: str) -> None:
    placed = await world.placed(("MUG", 1), customerId=subject)
    read = await world.call("get_order", route={"orderId": placed}, caller=customer(subject))
    assert (read.status, read.body["customerId"]) == (200, subject)


@pytest.mark.parametrize("subject", ["x" * 201, "a\u200db", "a\nb", 7])
async def test_a_customer_whom_no_token_can_name_is_refused(world: World, subject: object) -> None:
    answer = await world.call("place_order", order_body(("MUG", 1), customerId=subject), caller=SUPPORT)
    assert (answer.status, pointers(answer)) == (422, ["/customerId"])
