"""What operations doesn't hear it asks for, when somebody looks; what gives no answer is shown as unknown."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.operations.asked import HoldingsView, holdings
from services.operations.ports import Said
from shared.contracts.orders import OrderShipped
from shared.messaging import first, to_wire
from simulation.callers import SUPPORT
from simulation.topology import CONTEXTS
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=100)
    return world


async def others(world: World, order_id: str) -> dict[str, Any]:
    """What the order's timeline shows of what the others say."""
    answer = await world.call("get_timeline", route={"orderId": order_id}, caller=SUPPORT)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body["others"]
    return found


async def test_a_timeline_shows_what_the_order_waits_for_and_what_is_held_for_it(world: World) -> None:
    [order] = await world.confirmed(1)

    shown = await others(world, order)

    assert (shown["wait"]["waiting"], shown["wait"]["shipmentId"]) == ("dispatch", f"shp_{order}")
    assert shown["reservations"]["units"] == {"active": 1}
    assert shown["payment"]["provider"] == {"status": "held", "held": 250, "captured": 0}
    assert shown["unknown"] == []
    assert shown["words"] == (
        f"Since 2026-11-24T06:00:00.000000Z it has waited for the warehouse to dispatch shp_{order}. "
        "That was asked again 0 times, and is asked next at 2026-11-25T06:00:00.000000Z. "
        "It is given up at 2026-11-30T06:00:00.000000Z. "
        "Inventory: reserved; units: 1 active. Payments: authorised; the provider holds 2.50 GBP, has 0.00 GBP."
    )


async def test_words_name_every_context_that_an_undoing_waits_for(world: World) -> None:
    [order] = await world.confirmed(1)
    await world.call("cancel_order", route={"orderId": order})
    await world.deliver("shipping", world.broker.receive("shipping"))  # type: ignore[arg-type]
    await world.deliver("orders", world.broker.receive("orders"))  # type: ignore[arg-type]

    words = (await others(world, order))["words"]

    assert "for inventory to answer ReleaseStock and payments to answer VoidPayment. " in words
    assert "It is never given up." in words


async def test_of_a_final_order_what_is_held_is_said_and_no_wait(world: World) -> None:
    [order] = await world.confirmed(1)
    await world.dispatched(order)
    await world.drain()

    shown = await others(world, order)

    assert (shown["wait"]["awaiting"], "waiting" in shown["wait"]) == ([], False)
    assert shown["words"] == (
        "Inventory: committed; units: 1 committed. Payments: captured; the provider holds 0.00 GBP, has 2.50 GBP."
    )


async def test_an_order_that_events_tell_of_and_orders_does_not_know_is_named_as_that(world: World) -> None:
    await world.deliver("operations", to_wire(first(OrderShipped("ord_9"), "ord_9", world.system.now())))

    shown = await others(world, "ord_9")

    assert (shown["words"], shown["unknown"]) == ("Orders knows no such order.", [])


@pytest.mark.parametrize(("answered", "words"), [(True, "has none of it"), (False, "gives no answer")])
async def test_a_provider_that_has_no_payment_is_told_from_one_that_does_not_answer(
    world: World, answered: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"orderId": "ord_9", "state": "voided", "provider": None, "providerAnswered": answered}

    async def says(_: str, path: str) -> Said | None:
        return Said(200, {"value": [said]}) if path.startswith("payments/") else None

    monkeypatch.setattr(world.neighbours, "ask", says)
    said_of_it = await holdings(["ord_9"], world.neighbours)

    assert f"Payments: voided; the provider {words}. " in HoldingsView.of("ord_9", said_of_it).words


async def test_what_gives_no_answer_is_unknown_and_the_rest_is_shown(world: World) -> None:
    [order] = await world.confirmed(1)
    world.neighbours.away = {"orders", "payments"}

    shown = await others(world, order)

    assert (shown["wait"], shown["payment"], shown["unknown"]) == (None, None, ["orders", "payments"])
    assert shown["words"] == (
        "Inventory: reserved; units: 1 active. What orders says isn't known. What payments says isn't known."
    )


WAIT = {"orderId": "o", "since": "2026-11-24T06:00:00Z", "waiting": "stock", "chases": 0}
HALF = {"awaiting": [], "units": {}, "provider": None, "dependencies": {"store": ["up"]}, "value": [{"id": "p"}]}
WRONG = {"awaiting": ["x"], "units": [], "decision": 1, "state": "held", "provider": {"held": "all"}, "value": {}}


@pytest.mark.parametrize(
    "said",
    [
        Said(500, {}),
        Said(200, {"a": "stranger's"}),
        Said(200, {}),
        Said(200, HALF),
        Said(200, WAIT | WRONG | {"dependencies": "up"}),
        Said(200, dict.fromkeys(HALF)),
    ],
    ids=str,
)
async def test_what_is_no_answer_of_ours_is_unknown(world: World, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    [order] = await world.confirmed(1)

    async def ask(*_: str) -> Said:
        return said

    monkeypatch.setattr(world.neighbours, "ask", ask)

    assert (await others(world, order))["unknown"] == ["orders", "inventory", "payments"]
    registry = (await world.call("get_registry")).body
    assert {each["health"] for each in registry["contexts"]} == {"unknown"}
    assert (await world.call("list_parked")).body == {"contexts": [], "unknown": list(CONTEXTS)}
    assert (await world.call("list_waiting")).status == 503


async def test_who_waits_is_listed_page_by_page_as_orders_has_it(world: World) -> None:
    dispatch = await world.confirmed(3)
    await world.placed(("MUG", 1))

    query: dict[str, str] = {"waiting": "dispatch,settle", "over": "PT1S", "limit": "2"}
    first = await world.call("list_waiting", query=query, caller=SUPPORT)
    link = urlsplit(first.body["nextLink"])
    second = await world.call("list_waiting", query=dict(parse_qsl(link.query)), caller=SUPPORT)

    assert link.path == "/api/operations/orders"
    found = [each["orderId"] for page in (first, second) for each in page.body["value"]]
    assert found == dispatch
    assert "nextLink" not in second.body


@pytest.mark.parametrize(
    "query",
    [{"over": "10 minutes"}, {"over": "P1M"}, {"waiting": "godot"}, {"after": "made-up"}, {"limit": "0"}],
    ids=str,
)
async def test_what_is_no_question_is_refused(world: World, query: dict[str, str]) -> None:
    answer = await world.call("list_waiting", query=query)

    assert (answer.status, answer.body["type"]) == (400, "urn:orderflow:problem:invalid-query")
    assert f"The query parameter {next(iter(query))} is not valid." == answer.body["title"]


async def test_while_orders_is_away_the_list_is_too(world: World) -> None:
    world.neighbours.away = {"orders"}

    assert (await world.call("list_waiting")).status == 503


async def test_the_registry_has_every_context_with_its_release_functions_and_health(world: World) -> None:
    registry = (await world.call("get_registry", caller=SUPPORT)).body

    assert registry["health"] == "ready"
    assert [each["name"] for each in registry["contexts"]] == list(CONTEXTS)
    assert {name for each in registry["contexts"] for name in each["functions"]} == set(world.functions)
    assert {each["version"] for each in registry["contexts"]} == {"unreleased"}
    assert {(each["health"], *each["dependencies"].values()) for each in registry["contexts"]} == {
        ("ready", "up", "up")
    }


async def test_a_context_that_is_away_is_unknown_and_one_that_cannot_work_is_not_ready_until_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: str) -> None:
        raise ConnectionError

    async def health() -> tuple[str, dict[str, str]]:
        registry = (await world.call("get_registry")).body
        return registry["health"], {each["name"]: each["health"] for each in registry["contexts"]}

    world.neighbours.away = {"shipping"}
    one_away = await health()
    await world.system.sleep(5)
    with monkeypatch.context() as patched:
        patched.setattr(world.containers["orders"], "read", fails)
        one_more_fails = await health()
    world.neighbours.away = set()
    await world.system.sleep(5)

    ready = dict.fromkeys(CONTEXTS, "ready")
    assert one_away == ("unknown", ready | {"shipping": "unknown"})
    assert one_more_fails == ("not_ready", ready | {"shipping": "unknown", "orders": "not_ready"})
    assert await health() == ("ready", ready)
