"""What the contexts don't agree about is found within one window, told once, and gone when they agree again."""

import asyncio
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from inspect import isawaitable
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.operations import reconciling
from services.operations.reconciling import Reconciling
from services.payments.domain import IntentStatus
from shared.errors import Unavailable
from simulation.callers import ADMIN, SUPPORT
from simulation.witness.notes import name_of
from simulation.world import Answer
from tests.unit.forgetful import LOST, ForgetfulContainer
from tests.unit.world import World

WINDOW, AGAIN = 3600, 600
"""Seconds: how old what is compared is, and how long until what disagrees is looked at again."""
STORES = ("orders", "inventory", "payments")


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=100, TRAY=100)
    await world.sweep()
    return world


async def completed(world: World) -> str:
    """An order that went its way."""
    order = await confirmed(world)
    await world.dispatched(order)
    await world.drain()
    return order


async def confirmed(world: World) -> str:
    """One that waits for the warehouse."""
    order = await world.placed(("MUG", 2), ("TRAY", 1))
    await world.drain()
    return order


async def cancelled(world: World) -> str:
    """One whose customer thought better of it."""
    order = await confirmed(world)
    await world.call("cancel_order", route={"orderId": order})
    await world.drain()
    return order


async def payment_due(world: World) -> str:
    """One whose money was gone when it was sent."""
    order = await confirmed(world)
    world.provider.lapse()
    await world.dispatched(order)
    await world.drain()
    return order


async def rejected(world: World) -> str:
    """One of more than there is."""
    order = await world.placed(("MUG", 1000))
    await world.drain()
    return order


async def declined(world: World) -> str:
    """One whose card was refused."""
    order = await world.placed(("MUG", 1), paymentMethod="pm_card_visa_chargeDeclined")
    await world.drain()
    return order


ENDS = (completed, cancelled, payment_due, rejected, declined)


async def come_of_age(world: World, seconds: float = WINDOW) -> None:
    """Time passes, and the timer runs."""
    await world.system.sleep(seconds)
    await world.sweep()
    await world.drain()


async def open_ones(world: World) -> list[Any]:
    """What is listed."""
    answer = await world.call("list_disagreements", caller=SUPPORT)
    assert answer.status == 200
    return list(answer.body["value"])


async def codes(world: World) -> dict[str, list[str]]:
    """What differs, by what it is about."""
    return {each["id"]: [one["code"] for one in each["differences"]] for each in await open_ones(world)}


def stored(world: World, context: str, pk: str, id: str) -> Any:
    """A document itself."""
    return world.containers[context].partition(pk)[id]


def intent(world: World, order: str) -> Any:
    """The order's intent at the provider."""
    [found] = [each for each in world.provider.intents.values() if each["order"] == order]
    return found


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that wake somebody."""
    return [each.message for each in caplog.records if each.message.startswith("disagreement:")]


async def test_orders_that_went_every_way_agree(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for way in (*ENDS, confirmed):
        await way(world)
    await world.placed(("MUG", 1))

    await come_of_age(world)
    await come_of_age(world, WINDOW)

    assert (await open_ones(world), told(caplog)) == ([], [])


async def test_what_came_while_no_run_ever_succeeded_is_compared_from_the_first_event_on() -> None:
    world = World()
    await world.stocked(MUG=100)
    order = await world.placed(("MUG", 1000))
    await world.drain()
    [rejection] = [each for each in world.documents("operations", "event") if each["name"] == "OrderRejected"]
    del world.containers["operations"].partition(order)[rejection["id"]]
    await world.system.sleep(3 * WINDOW)

    await world.sweep()
    await world.drain()

    assert "OrderRejected" in {each["name"] for each in world.documents("operations", "event")}


type Plant = Callable[[World, str], object]


def gone(context: str, id: Callable[[str], tuple[str, str]]) -> Plant:
    """A document is deleted."""

    def plant(world: World, order: str) -> None:
        pk, key = id(order)
        del world.containers[context].partition(pk)[key]

    return plant


def changed(context: str, id: Callable[[str], tuple[str, str]], **fields: Any) -> Plant:
    """A document is changed by hand."""

    def plant(world: World, order: str) -> None:
        stored(world, context, *id(order)).update(fields)

    return plant


def at_provider(**fields: Any) -> Plant:
    """Somebody has been at the provider's own page."""
    return lambda world, order: intent(world, order).update(fields)


def the_order(order: str) -> tuple[str, str]:
    return order, order


def payment(order: str) -> tuple[str, str]:
    return order, "payment"


def decision(order: str) -> tuple[str, str]:
    return order, "decision"


def item(_: str) -> tuple[str, str]:
    return "sku:MUG", "stock"


def reservation(order: str) -> tuple[str, str]:
    return "sku:MUG", f"res:{order}"


async def charge_again(world: World, order: str) -> None:
    """Somebody, or a copy of ours that nobody knows of, has had the money twice."""
    second = await world.provider.create(order, 750, "GBP", "pm_card_visa")
    await world.provider.confirm(second.id)
    await world.provider.capture(second.id, 750)


async def hold_for_nobody(world: World, _: str) -> None:
    """Of an order that was never placed."""
    await world.provider.confirm((await world.provider.create("ord_of_nobody", 750, "GBP", "pm_card_visa")).id)


OF_STOCK = {"stock:MUG": ["reserved_differs"]}
NOT_NAMED = {"intent:pi_1": ["intent_unknown"]}
DEFECTS: dict[str, tuple[Any, Plant, list[str], dict[str, list[str]]]] = {
    "orders has lost it": (completed, gone("orders", the_order), ["order_missing"], {}),
    "orders says it is on its way": (completed, changed("orders", the_order, step="settling"), ["ends_differ"], {}),
    "orders has another total": (
        completed,
        changed("orders", the_order, total=700),
        ["total_differs", "money_left"],
        {},
    ),
    "inventory has lost the decision": (
        confirmed,
        gone("inventory", decision),
        ["decision_differs", "stock_differs"],
        {},
    ),
    "inventory has decided otherwise": (
        completed,
        changed("inventory", decision, state="released"),
        ["decision_differs"],
        {},
    ),
    "stock is still set aside": (
        cancelled,
        changed("inventory", reservation, state="active"),
        ["stock_differs"],
        OF_STOCK,
    ),
    "stock was given back": (completed, changed("inventory", reservation, state="released"), ["stock_differs"], {}),
    "a reservation is gone": (confirmed, gone("inventory", reservation), ["stock_differs"], OF_STOCK),
    "more is available than should be": (completed, changed("inventory", item, available=97), [], OF_STOCK),
    "fewer are on hand than should be": (confirmed, changed("inventory", item, onHand=90), [], OF_STOCK),
    "a product is gone": (confirmed, gone("inventory", item), [], OF_STOCK),
    "payments says it was let go": (completed, changed("payments", payment, state="voided"), ["payment_differs"], {}),
    "payments has lost it": (
        completed,
        gone("payments", payment),
        ["payment_differs", "money_missing"],
        NOT_NAMED,
    ),
    "payments names no intent": (completed, changed("payments", payment, intentId=None), ["money_missing"], NOT_NAMED),
    "the provider has refunded": (completed, at_provider(captured=0), ["money_missing"], {}),
    "the provider has too much": (completed, at_provider(captured=800), ["money_left"], {}),
    "the provider has let go": (confirmed, at_provider(status=IntentStatus.CANCELLED), ["money_missing"], {}),
    "the provider still holds it": (cancelled, at_provider(status=IntentStatus.HELD), ["money_left"], {}),
    "the provider took it": (cancelled, at_provider(status=IntentStatus.CAPTURED, captured=750), ["money_left"], {}),
    "it was paid after all": (
        payment_due,
        at_provider(status=IntentStatus.CAPTURED, captured=750),
        ["money_left"],
        {},
    ),
    "it was paid twice": (completed, charge_again, [], {"intent:pi_3": ["charged_twice"]}),
    "money is held for no order": (completed, hold_for_nobody, [], {"intent:pi_3": ["intent_unknown"]}),
}


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_defect_is_found_within_one_window_told_once_and_over_when_it_is_mended(
    world: World, defect: str, caplog: pytest.LogCaptureFixture
) -> None:
    way, plant, of_order, others = DEFECTS[defect]
    order = await way(world)
    await completed(world)
    await come_of_age(world, AGAIN)
    assert await open_ones(world) == []
    before = deepcopy([world.containers[each].__dict__ for each in STORES]), deepcopy(world.provider.intents)

    planted = plant(world, order)
    if isawaitable(planted):
        await planted
    await come_of_age(world)
    found = await codes(world)
    lines = told(caplog)
    await come_of_age(world, AGAIN)
    still = await codes(world), told(caplog)
    for each, was in zip(STORES, before[0], strict=True):
        vars(world.containers[each]).update(was)
    for refunded in world.provider.intents.values():
        refunded.update(status=IntentStatus.CAPTURED, captured=0)  # refunded, but for those of before
    world.provider.intents.update(before[1])
    await come_of_age(world, AGAIN)

    assert found == ({order: of_order} if of_order else {}) | others
    assert sorted(line.split(": ")[1] for line in lines) == sorted(found)
    assert still == (found, lines)
    assert await open_ones(world) == []


async def test_what_the_account_is_used_for_besides_is_nobodys_business(world: World) -> None:
    await world.provider.confirm((await world.provider.create("ord_1", 99, "GBP", "pm_card_visa")).id)
    intent(world, "ord_1")["order"] = None

    await come_of_age(world)

    assert await open_ones(world) == []


async def test_a_disagreement_of_a_product_or_an_intent_shows_its_one_side(world: World) -> None:
    order = await completed(world)
    await charge_again(world, order)
    stored(world, "inventory", *item(order))["available"] = 97
    await come_of_age(world)

    of_intent, of_stock = sorted(await open_ones(world), key=lambda each: each["id"])

    assert (of_intent["id"], of_intent["orderId"], "sku" in of_intent) == ("intent:pi_2", order, False)
    assert of_intent["differences"] == [
        {"code": "charged_twice", "words": "The provider has 7.50 GBP captured of it, and its order's payment is pi_1."}
    ]
    assert (of_intent["sides"].keys(), of_intent["sides"]["payments"]["captured"]) == ({"payments"}, 750)
    assert (of_stock["id"], of_stock["sku"], "orderId" in of_stock) == ("stock:MUG", "MUG", False)
    assert of_stock["differences"] == [
        {"code": "reserved_differs", "words": "1 units are set aside, and its active reservations have 0."}
    ]
    assert of_stock["sides"] == {"inventory": {"sku": "MUG", "onHand": 98, "available": 97, "reserved": 0}}


async def test_two_intents_of_one_second_are_looked_at_again_by_one_look(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = await completed(world)
    for _ in range(2):
        await charge_again(world, order)
    await come_of_age(world)
    found = await codes(world)
    caplog.clear()
    caplog.set_level("INFO")
    await come_of_age(world, AGAIN)

    assert found == {"intent:pi_2": ["charged_twice"], "intent:pi_3": ["charged_twice"]}
    assert await codes(world) == found
    assert "another timer compares" not in caplog.text


async def test_an_orders_timeline_tells_of_what_differs(world: World) -> None:
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await come_of_age(world)

    shown = (await world.call("get_timeline", route={"orderId": order}, caller=SUPPORT)).body

    assert shown["why"].endswith("It is completed, and the provider has 0.00 GBP captured, not 7.50 GBP.")
    assert [each["code"] for each in shown["disagreement"]["differences"]] == ["money_missing"]
    await world.call("let_disagreement_be", route={"disagreementId": order}, query={"reason": "A"}, caller=ADMIN)
    later = (await world.call("get_timeline", route={"orderId": order}, caller=SUPPORT)).body
    assert "disagreement" not in later


async def test_a_disagreement_shows_what_each_says(world: World) -> None:
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await come_of_age(world)

    [shown] = await open_ones(world)

    assert (shown["id"], shown["orderId"]) == (order, order)
    assert shown["foundAt"] == shown["lookedAt"]
    assert shown["differences"] == [
        {"code": "money_missing", "words": "It is completed, and the provider has 0.00 GBP captured, not 7.50 GBP."}
    ]
    sides = shown["sides"]
    assert (sides["orders"]["status"], sides["orders"]["total"]["amount"]) == ("completed", 750)
    assert sides["inventory"] == {"decision": "committed", "units": {"committed": 3}}
    assert sides["payments"]["provider"]["captured"] == 0
    assert {"OrderPlaced", "OrderCompleted"} < {*sides["events"]}


def unheard(world: World, order: str, name: str) -> None:
    """Operations has not heard of it."""
    partition = world.containers["operations"].partition(order)
    [id] = [id for id, each in partition.items() if each["name"] == name]
    del partition[id]


@pytest.mark.parametrize(("way", "name"), [(completed, "OrderCompleted"), (rejected, "OrderPlaced")])
async def test_what_was_not_heard_is_announced_again_and_all_agree(
    world: World, way: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    order = await way(world)
    unheard(world, order, name)

    await come_of_age(world)
    found = await codes(world)
    await come_of_age(world, AGAIN)

    assert (found, len(told(caplog))) == ({order: ["not_announced"]}, 1)
    assert await open_ones(world) == []
    heard = [each["name"] for each in world.documents("operations", "event") if each["orderId"] == order]
    assert heard.count(name) == 1


async def test_an_end_that_its_events_contradict_is_not_announced(world: World) -> None:
    order = await completed(world)
    document = stored(world, "orders", order, order)
    document["step"] = document["history"][-1]["step"] = "cancelled"
    sent = len(world.broker.sent)

    await come_of_age(world)

    assert {"ends_differ", "not_announced"} < {*(await codes(world))[order]}
    assert [name_of(each) for _, each in world.broker.sent[sent:]] == []


async def test_without_an_answer_nothing_is_told_and_nothing_passed_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await world.system.sleep(WINDOW)

    for away in ("orders", "inventory", "payments"):
        world.neighbours.away = {away}
        with pytest.raises(Unavailable, match=f"{away} gave no answer about {order}"):
            await world.functions["operations_sweep"](None)
    world.neighbours.away = set()
    look, world.provider.look = world.provider.look, is_away  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable, match="the payment provider gave no answer"):
        await world.functions["operations_sweep"](None)
    nothing = await open_ones(world), told(caplog)
    world.provider.look = look  # type: ignore[method-assign]
    await world.sweep()

    assert nothing == ([], [])
    assert await codes(world) == {order: ["money_missing"]}


async def is_away(_: str) -> Any:
    raise Unavailable("the payment provider gave no clear answer")


async def test_what_differs_only_once_or_while_the_order_moves_is_no_difference(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, moving = await confirmed(world), await confirmed(world)
    looks: Counter[str] = Counter()
    ask = world.neighbours.ask

    async def asked(context: str, path: str, method: str = "GET") -> Any:
        said = await ask(context, path, method)
        looks[path] += 1
        assert said
        for each in said.body.get("value", ()):
            if path.startswith("payments/") and (looks[path] == 1 or each["orderId"] == moving):
                each["provider"]["held"] = 0
            if path.startswith("waits/") and each["orderId"] == moving:
                each["chases"] = looks[path]
        return said

    monkeypatch.setattr(world.neighbours, "ask", asked)
    await come_of_age(world)

    assert (
        sum(number for path, number in looks.items() if {once, moving} == {*path[len("payments/") :].split(",")}) == 2
    )
    assert (await open_ones(world), told(caplog)) == ([], [])


async def test_a_person_lets_it_be_until_something_else_differs(world: World, caplog: pytest.LogCaptureFixture) -> None:
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await come_of_age(world)
    route = {"disagreementId": order}

    async def lets_be(reason: str) -> Answer:
        return await world.call("let_disagreement_be", route=route, query={"reason": reason}, caller=ADMIN)

    answers = [await lets_be("Refunded to please them"), await lets_be("Again")]
    listed = await open_ones(world)
    await come_of_age(world, AGAIN)
    later = await open_ones(world), len(told(caplog))
    [entry] = world.documents("operations", "audit")
    stored(world, "payments", order, "payment")["state"] = "voided"
    await Reconciling(world.operations)._compare_orders({order: []})

    assert [(each.status, each.body) for each in answers] == [
        (200, {"id": order, "reason": "Refunded to please them"})
    ] * 2
    assert (listed, later) == ([], ([], 1))
    assert entry["target"] == {"kind": "disagreement", "id": order}
    assert entry["before"] == {"status": "open", "differences": "money_missing"}
    assert entry["after"] == {"status": "let be", "reason": "Refunded to please them"}
    assert await codes(world) == {order: ["payment_differs", "money_missing"]}
    assert len(told(caplog)) == 2


async def test_nothing_is_let_be_that_agrees(world: World) -> None:
    order = await completed(world)
    route, query = {"disagreementId": order}, {"reason": "It looked odd"}

    assert (await world.call("let_disagreement_be", route=route, query=query, caller=ADMIN)).status == 404


async def test_an_order_is_looked_at_once_it_has_ended_or_waited_for_so_long_and_never_for_an_event_of_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Counter[str] = Counter()
    ask = world.neighbours.ask

    async def asked(context: str, path: str, method: str = "GET") -> Any:
        looks[path] += 1
        return await ask(context, path, method)

    monkeypatch.setattr(world.neighbours, "ask", asked)
    waits, ends = await confirmed(world), await confirmed(world)
    await world.system.sleep(WINDOW - AGAIN)
    await world.dispatched(ends)
    await world.drain()
    for _ in range(30):
        await come_of_age(world, AGAIN)

    asked_about = {path: number for path, number in looks.items() if "?" not in path and "stock/" not in path}
    each = ("waits", "reservations", "payments")
    assert asked_about == {f"{context}/{order}": 1 for context in each for order in (waits, ends)}


async def test_every_one_is_listed_once_and_looked_at_again_however_many_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "PAGE", 2)
    orders = [await completed(world) for _ in range(5)]
    for each in orders:
        intent(world, each)["captured"] = 0
    await come_of_age(world)
    pages, query = [], {"limit": "2"}
    while query:
        page = await world.call("list_disagreements", query=query, caller=SUPPORT)
        pages.append([each["orderId"] for each in page.body["value"]])
        query = dict(parse_qsl(urlsplit(page.body.get("nextLink", "")).query))
    for each in orders:
        intent(world, each)["captured"] = 750
    for _ in range(4):
        await come_of_age(world, AGAIN)

    assert sorted(chain(*pages)) == sorted(orders)
    assert await open_ones(world) == []


async def test_of_two_timers_one_tells(world: World, caplog: pytest.LogCaptureFixture) -> None:
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await world.system.sleep(WINDOW)

    await asyncio.gather(*(Reconciling(world.operations).run() for _ in range(3)))

    assert await codes(world) == {order: ["money_missing"]}


@pytest.mark.parametrize("answer", LOST, ids=str)
async def test_a_lost_answer_of_the_store_passes_nothing_over(answer: Exception) -> None:
    world = World(container=ForgetfulContainer)
    await world.stocked(MUG=100, TRAY=100)
    order = await completed(world)
    intent(world, order)["captured"] = 0
    await world.system.sleep(WINDOW)
    container = world.containers["operations"]
    assert isinstance(container, ForgetfulContainer)

    container.forget(answer)
    for _ in range(2):
        await Reconciling(world.operations).run()

    assert await codes(world) == {order: ["money_missing"]}
