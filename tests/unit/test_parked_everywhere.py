"""What is parked in every context, in one list: who gives no answer is named, and nobody's words are in it."""

import json
from typing import Any

import pytest

from services.operations.ports import Said
from shared.ports import WireMessage
from simulation.callers import ADMIN, SUPPORT
from simulation.topology import CONTEXTS
from tests.unit.world import World

QUEUES = [context for context in CONTEXTS if context != "catalog"]


@pytest.fixture
async def world() -> World:
    """Something is parked wherever anything can be."""
    world = World()
    for queue in QUEUES:
        for order in ("ord_1", "ord_2"):
            await world.deliver(queue, WireMessage(f"{queue}-{order}", b'{"name": "Canary"', correlation_id=order))
    return world


async def parked(world: World, **query: str) -> Any:
    answer = await world.call("list_parked", query=query, caller=SUPPORT)
    assert answer.status == 200, answer.body
    return answer.body


async def test_each_context_tells_what_it_has(world: World) -> None:
    found = await parked(world)

    listed = {each["name"]: [message["id"] for message in each["value"]] for each in found["contexts"]}
    assert listed == {"catalog": []} | {queue: [f"{queue}-ord_1", f"{queue}-ord_2"] for queue in QUEUES}
    assert (found["unknown"], {each["hasMore"] for each in found["contexts"]}) == ([], {False})
    assert "Canary" not in json.dumps(found)
    for each in found["contexts"]:
        own = await world.call(f"{each['name']}_parked", caller=SUPPORT)
        assert own.body["value"] == each["value"]


async def test_of_one_order_its_own_are_told(world: World) -> None:
    found = await parked(world, subject="ord_2")

    assert {message["id"] for each in found["contexts"] for message in each["value"]} == {f"{q}-ord_2" for q in QUEUES}


async def test_that_a_context_has_more_than_a_page_is_said(world: World) -> None:
    for number in range(99):
        await world.deliver("payments", WireMessage(f"m{number}", b"x"))

    found = await parked(world)

    assert [(each["name"], len(each["value"])) for each in found["contexts"] if each["hasMore"]] == [("payments", 100)]


async def test_who_gives_no_answer_is_named_and_the_others_are_shown(world: World) -> None:
    world.neighbours.away = {"orders", "payments"}

    found = await parked(world)

    assert found["unknown"] == ["orders", "payments"]
    assert [each["name"] for each in found["contexts"]] == [each for each in CONTEXTS if each not in found["unknown"]]


@pytest.mark.parametrize("said", [Said(500, {}), Said(200, {"value": [{"id": 1}]}), Said(403, {"title": "x"})], ids=str)
async def test_what_is_no_list_of_ours_is_unknown(world: World, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: str) -> Said:
        return said

    monkeypatch.setattr(world.neighbours, "ask", ask)

    assert await parked(world) == {"contexts": [], "unknown": [*CONTEXTS]}


async def test_an_orders_timeline_has_its_own_and_who_gives_no_answer(world: World) -> None:
    await world.stocked(MUG=10)
    order, another = await world.confirmed(2)
    await world.deliver("payments", WireMessage("p-1", b"{", correlation_id=order))
    await world.deliver("orders", WireMessage("p-2", b"{", correlation_id=another))
    world.neighbours.away = {"shipping"}

    timeline = await world.call("get_timeline", route={"orderId": order}, caller=SUPPORT)

    [message] = [each for of in timeline.body["parked"]["contexts"] for each in of["value"]]
    assert message["id"] == "p-1"
    assert timeline.body["parked"] == await parked(world, subject=order)
    assert timeline.body["parked"]["unknown"] == ["shipping"]


async def test_what_is_replayed_or_discarded_is_gone(world: World) -> None:
    for queue in QUEUES:
        route = {"parkedId": f"{queue}-ord_1"}
        assert (await world.call(f"{queue}_discard", route=route, query={"reason": "x"}, caller=ADMIN)).status == 200

    assert {len(each["value"]) for each in (await parked(world))["contexts"] if each["name"] != "catalog"} == {1}
