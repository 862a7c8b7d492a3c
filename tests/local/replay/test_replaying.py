"""A replay from the first request to the last settled order, against a shop that answers as the API does."""

from collections import Counter
from contextlib import aclosing
from decimal import Decimal
from io import StringIO

import httpx
import pytest
from rich.console import Console

from local.replay.client import Api, UnansweredError
from local.replay.journey import Journey, Outcome
from local.replay.loading import load
from local.replay.plan import Plan, plan
from local.replay.progress import Gauge
from local.replay.sales import Sale, Sales
from local.replay.warehouse import moment
from tests.local.replay.shop import BadLine, Shop


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "local.replay.journey._FIRST_LOOK",
        "local.replay.journey._LONGEST_CANCEL",
        "local.replay.warehouse._LONGEST_WAIT",
        "local.replay.warehouse._BETWEEN_LOOKS",
    ):
        monkeypatch.setattr(name, 0.05)


def _plan(count: int, factor: str = "1.0", cancel_every: int | None = None, decline_every: int | None = None) -> Plan:
    sales = [
        Sale(f"{number:03}", sku, "HEART", 2, 150, "17850.0", "France")
        for number in range(1, count + 1)
        for sku in ("A", f"SKU {number}")
    ]
    return plan(Sales(accepted=sales), Decimal(factor), decline_every, cancel_every)


async def _replay(shop: Shop, planned: Plan, remembered: list[str] | None = None, seed: int = 1) -> Outcome:
    remember = remembered.append if remembered is not None else lambda _: None
    async with aclosing(Api("http://shop/api", transport=BadLine(shop))) as api:
        with Gauge(Console(file=StringIO())).shown() as gauge:
            refused = await load(api, planned, gauge)
            outcome = await Journey(api, seed, gauge, remember).make(planned.orders, 4)
    outcome.complaints += refused
    return outcome


def _states(outcome: Outcome) -> Counter[str]:
    return Counter(order["status"] for order in outcome.orders.values())


async def test_every_order_is_placed_once_and_settles_over_a_bad_line() -> None:
    shop, remembered = Shop(), list[str]()

    outcome = await _replay(shop, _plan(9), remembered)

    assert _states(outcome) == {"completed": 9}
    assert outcome.unsettled == outcome.refused == outcome.complaints == []
    assert sorted(remembered) == sorted(shop.orders) == [f"ord_{number:03}" for number in range(1, 10)]
    assert shop.calls["place"] > 9
    assert shop.stock == dict.fromkeys(shop.stock, 0)


async def test_orders_are_declined_and_cancelled_as_planned() -> None:
    shop = Shop()

    outcome = await _replay(shop, _plan(8, cancel_every=4, decline_every=3))

    # A cancellation may come too late: the warehouse works at the same time.
    ends = {invoice: order["status"] for invoice, order in outcome.orders.items()}
    assert [invoice for invoice in sorted(ends) if ends[invoice] == "rejected"] == ["003", "006"]
    assert {ends["004"], ends["008"]} <= {"cancelled", "completed"}
    assert {ends[invoice] for invoice in ("001", "002", "005", "007")} == {"completed"}
    assert shop.calls["cancel ord_004"] >= 1 <= shop.calls["cancel ord_008"]
    assert not any(shop.calls[f"cancel ord_{number:03}"] for number in (1, 2, 3, 5, 6, 7))


async def test_a_second_replay_places_and_restocks_nothing() -> None:
    shop = Shop()
    first = await _replay(shop, _plan(5, factor="0.8"))
    before = (dict(shop.stock), {id: dict(order) for id, order in shop.orders.items()}, dict(shop.dispatches))

    second = await _replay(shop, _plan(5, factor="0.8"), seed=2)

    assert (shop.stock, shop.orders, shop.dispatches) == before
    assert _states(second) == _states(first)


async def test_a_replay_that_differs_is_refused_order_by_order() -> None:
    shop = Shop()
    await _replay(shop, _plan(4))

    outcome = await _replay(shop, _plan(4, decline_every=2))

    assert sorted(outcome.refused) == [
        f"Invoice {number}: 422 The key was used with another body; /lines: wrong" for number in ("002", "004")
    ]
    assert sorted(outcome.orders) == ["001", "003"]


async def test_a_product_that_the_catalogue_refuses_is_not_waited_for() -> None:
    shop = Shop(unwanted={"SKU 2"})

    outcome = await _replay(shop, _plan(3))

    assert [refusal.partition(":")[0] for refusal in outcome.refused] == ["Invoice 002"]
    assert len(outcome.complaints) == 1
    assert _states(outcome) == {"completed": 2}


async def test_an_api_that_stays_away_is_given_up() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with aclosing(Api("http://shop/api", patience=0.3, transport=httpx.MockTransport(away))) as api:
        with pytest.raises(UnansweredError, match=r"GET orders/1 found no answer.*refused"):
            await api.send("GET", "orders/1")


def test_a_moment_depends_on_nothing_but_seed_and_name() -> None:
    assert moment(1, "536365", 2.0) == moment(1, "536365", 2.0)
    assert len({moment(seed, name, 2.0) for seed in (1, 2) for name in ("a", "b")}) == 4
    assert all(0.0 <= moment(1, str(number), 2.0) <= 2.0 for number in range(100))


def test_without_a_terminal_progress_is_a_line_now_and_then() -> None:
    said = StringIO()

    with Gauge(Console(file=said, width=20)).shown() as gauge:
        gauge.begin("placed", 2)
        gauge.step("placed")
        gauge.step("placed")

    assert said.getvalue().startswith("placed 2/2 (")
    assert said.getvalue().count("\n") == 1
