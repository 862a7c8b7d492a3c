"""A replay from the first request to the last settled order, against a shop that answers as the API does."""

import asyncio
from collections import Counter
from contextlib import aclosing
from decimal import Decimal

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.replay.client import Api, Client, UnansweredError
from local.replay.figures import Reading, figures
from local.replay.journey import Journey, Load, Outcome
from local.replay.loading import load
from local.replay.plan import Plan, plan
from local.replay.progress import Gauge
from local.replay.report import Report
from local.replay.sales import Sale, Sales
from local.replay.warehouse import moment
from tests.local.replay.shop import BadLine, Shop, signed


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "local.replay.journey._FIRST_LOOK",
        "local.replay.journey._LONGEST_CANCEL",
        "local.replay.warehouse._LONGEST_WAIT",
        "local.replay.warehouse._BETWEEN_LOOKS",
    ):
        monkeypatch.setattr(name, 0.05)


def _plan(
    count: int,
    factor: str = "1.0",
    cancel_every: int | None = None,
    decline_every: int | None = None,
    price: int = 150,
) -> Plan:
    sales = [
        Sale(f"{number:03}", sku, "HEART", 2, price, "17850.0" if number % 2 else "", "France")
        for number in range(1, count + 1)
        for sku in ("A", f"SKU {number}")
    ]
    return plan(Sales(accepted=sales), Decimal(factor), decline_every, cancel_every)


async def _replay(
    shop: Shop,
    planned: Plan,
    remembered: list[str] | None = None,
    seed: int = 1,
    how: Load | None = None,
    line: httpx.AsyncBaseTransport | None = None,
) -> Outcome:
    remember = remembered.append if remembered is not None else lambda _: None
    async with aclosing(Api("http://shop/api", signed, transport=line or BadLine(shop))) as api:
        gauge = Gauge(lambda _: None)
        refused = await load(api, planned, gauge)
        outcome = await Journey(api, seed, gauge, remember).make(planned.orders, how or Load(4))
    outcome.complaints += refused
    return outcome


def _states(outcome: Outcome) -> Counter[str]:
    return Counter(order["status"] for order in outcome.orders.values())


async def test_every_order_is_placed_once_and_settles_over_a_bad_line() -> None:
    shop, remembered = Shop(), list[str]()

    outcome = await _replay(shop, _plan(9), remembered)

    assert _states(outcome) == {"completed": 9}
    assert outcome.unsettled == outcome.failures == outcome.complaints == []
    assert not outcome.refused
    assert sorted(remembered) == sorted(shop.orders) == [f"ord_{number:03}" for number in range(1, 10)]
    assert set(shop.owners.values()) == {"17850", *(f"guest-{number:03}" for number in range(2, 10, 2))}
    assert shop.calls["place"] > 9
    assert shop.stock == dict.fromkeys(shop.stock, 0)


async def test_orders_are_declined_and_cancelled_as_planned() -> None:
    shop = Shop()

    # On a good line: where an answer is lost, the order may be at its end before it is known.
    outcome = await _replay(shop, _plan(8, cancel_every=4, decline_every=3), line=httpx.ASGITransport(shop.app()))

    # A cancellation may come too late: the warehouse works at the same time.
    ends = {invoice: order["status"] for invoice, order in outcome.orders.items()}
    assert [invoice for invoice in sorted(ends) if ends[invoice] == "rejected"] == ["003", "006"]
    assert {ends["004"], ends["008"]} <= {"cancelled", "completed"}
    assert {ends[invoice] for invoice in ("001", "002", "005", "007")} == {"completed"}
    assert shop.calls["cancel ord_004 as customer"] >= 1 <= shop.calls["cancel ord_008 as support"]
    assert not shop.calls["cancel ord_004 as support"]
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

    assert sorted(outcome.failures) == [
        f"Invoice {number}: 422 The key was used with another body" for number in ("002", "004")
    ]
    assert outcome.refused == {"idempotency-key-reused": 2}
    assert sorted(outcome.orders) == ["001", "003"]


async def test_a_product_that_the_catalogue_refuses_is_not_waited_for() -> None:
    shop = Shop(unwanted={"SKU 2"})

    outcome = await _replay(shop, _plan(3))

    assert outcome.refused == {"product_not_for_sale": 1}
    assert outcome.failures == []
    assert len(outcome.complaints) == 1
    assert _states(outcome) == {"completed": 2}


async def test_a_product_that_could_not_be_imported_is_sent_again() -> None:
    shop = Shop(busy_at_first={"SKU 2"})

    outcome = await _replay(shop, _plan(3), line=httpx.ASGITransport(shop.app()))

    assert _states(outcome) == {"completed": 3}
    assert (shop.calls["import SKU 1"], shop.calls["import SKU 2"]) == (1, 2)


async def test_an_order_below_the_shops_least_total_is_an_outcome_and_no_failure() -> None:
    outcome = await _replay(Shop(least=500), _plan(2, price=100), how=Load(1))

    assert outcome.refused == {"total_outside_limits": 2}
    assert outcome.failures == outcome.unsettled == []


async def test_a_refusal_that_no_rule_of_the_shop_explains_is_a_failure() -> None:
    class Broken(Shop):
        async def _place(self, request: Request) -> Response:
            return JSONResponse({"type": "urn:orderflow:problem:internal", "title": "Oh"}, 500)

    outcome = await _replay(Broken(), _plan(1))

    assert outcome.refused == {"internal": 1}
    assert outcome.failures == ["Invoice 001: 500 Oh"]


async def test_a_second_replay_tells_apart_what_was_placed_before() -> None:
    shop, nothing = Shop(), Reading((1, 2), 0, 0, 0)
    await _replay(shop, _plan(3, factor="2"))

    second = await _replay(shop, _plan(5), seed=2)
    third = await _replay(shop, _plan(5), seed=3)

    assert (len(second.placed), second.earlier) == (2, {"001", "002", "003"})
    assert figures(second, nothing, nothing).p50_ms is not None
    assert (third.placed, len(third.earlier)) == ([], 5)
    measured = figures(third, nothing, nothing)
    assert (measured.p50_ms, measured.orders_per_second, measured.placed_per_second) == (None, None, None)
    told = Report(_plan(5), Load(), third, measured, []).document()["orders"]
    assert (told["placed"], told["placed_earlier"], told["completed"], told["rejected"]) == (0, 5, 5, {})


async def test_at_a_rate_orders_are_placed_whatever_becomes_of_those_before_them() -> None:
    class Stuck(Shop):
        """Nobody is answered before all have asked."""

        everybody = asyncio.Event()

        async def _place(self, request: Request) -> Response:
            self.calls["asked"] += 1
            if self.calls["asked"] == 5:
                self.everybody.set()
            await self.everybody.wait()
            return await super()._place(request)

    shop, planned = Stuck(), _plan(5)
    async with aclosing(Api("http://shop/api", signed, transport=httpx.ASGITransport(shop.app()))) as api:
        gauge = Gauge(lambda _: None)
        await load(api, planned, gauge)
        outcome = await Journey(api, 1, gauge, lambda _: None).make(planned.orders, Load(1, rate=50.0))

    assert _states(outcome) == {"completed": 5}
    assert outcome.placing_seconds >= 4 / 50
    assert str(Load(1, rate=50.0)) == "50 a second (open loop)"


async def test_an_api_that_stays_away_is_given_up() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with aclosing(Client("http://shop/api", patience=0.3, transport=httpx.MockTransport(away))) as api:
        with pytest.raises(UnansweredError, match=r"GET orders/1 found no answer.*refused"):
            await api.send("GET", "orders/1")


def test_a_moment_depends_on_nothing_but_seed_and_name() -> None:
    assert moment(1, "536365", 2.0) == moment(1, "536365", 2.0)
    assert len({moment(seed, name, 2.0) for seed in (1, 2) for name in ("a", "b")}) == 4
    assert all(0.0 <= moment(1, str(number), 2.0) <= 2.0 for number in range(100))


def test_progress_is_a_line_now_and_then() -> None:
    said: list[str] = []

    gauge = Gauge(said.append)
    gauge.begin("placed", 2)
    gauge.step("placed")
    gauge.step("placed")

    assert len(said) == 1
    assert said[0].startswith("placed 2/2 (")
