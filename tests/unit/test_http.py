"""What callers get over HTTP: the shapes of answers, and every refusal as a problem that names each wrong field."""

import json
from typing import Any

import pytest

from shared.errors import Throttled, Unavailable
from simulation.world import Answer, order_body
from tests.unit.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10, TRAY=5)
    return world


def pointers(answer: Answer) -> list[str]:
    """Where the wrong fields are."""
    return [error["pointer"] for error in answer.body["errors"]]


async def test_placing_an_order_answers_with_its_lines_its_total_and_where_it_is(world: World) -> None:
    answer = await world.call("place_order", order_body(("mug", 2), ("TRAY", 1)))

    assert answer.status == 201
    order_id = answer.body["orderId"]
    assert answer.headers["Location"] == f"/api/orders/{order_id}"
    assert answer.body["status"] == "pending"
    assert answer.body["lines"][0] == {
        "sku": "MUG",
        "quantity": 2,
        "unitPrice": {"amount": 250, "currency": "GBP"},
        "lineTotal": {"amount": 500, "currency": "GBP"},
    }
    assert answer.body["total"] == {"amount": 750, "currency": "GBP"}
    assert answer.body["settledAt"] is None
    assert "reason" not in answer.body
    got = await world.call("get_order", route={"orderId": order_id})
    assert (got.status, got.body, got.headers["ETag"]) == (200, answer.body, answer.headers["ETag"])


async def test_the_same_key_and_body_places_one_order_and_answers_with_it_as_it_stands(world: World) -> None:
    first = await world.placed(("MUG", 2), key="k1")
    await world.drain()
    again = await world.call("place_order", order_body(("mug", 2)), headers={"idempotency-key": "k1"})

    assert (again.status, again.body["orderId"], again.body["status"]) == (201, first, "confirmed")
    assert len(world.documents("orders", "order")) == 1


async def test_a_key_that_was_used_for_another_body_is_refused_before_prices_are_looked_up(world: World) -> None:
    await world.placed(("MUG", 2), key="k1")
    answer = await world.call("place_order", order_body(("NEVER", 3)), headers={"idempotency-key": "k1"})
    assert (answer.status, answer.body["type"]) == (422, "urn:orderflow:problem:idempotency-key-reused")


async def test_without_a_key_each_request_is_an_order_of_its_own(world: World) -> None:
    assert await world.placed(("MUG", 1)) != await world.placed(("MUG", 1))


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no lines": ({"lines": []}, ["/lines"]),
    "too many lines": ({"lines": [{"sku": f"S{n}", "quantity": 1} for n in range(1001)]}, ["/lines"]),
    "a SKU twice, however spelt": (
        {"lines": [{"sku": "mug", "quantity": 1}, {"sku": "MUG", "quantity": 1}]},
        ["/lines/1/sku"],
    ),
    "no SKU at all": ({"lines": [{"sku": "a#b", "quantity": 1}]}, ["/lines/0/sku"]),
    "a quantity of zero": ({"lines": [{"sku": "MUG", "quantity": 0}]}, ["/lines/0/quantity"]),
    "a quantity above 100,000": ({"lines": [{"sku": "MUG", "quantity": 100_001}]}, ["/lines/0/quantity"]),
    "a quantity that is not whole": ({"lines": [{"sku": "MUG", "quantity": 1.5}]}, ["/lines/0/quantity"]),
    "a quantity as a text": ({"lines": [{"sku": "MUG", "quantity": "1"}]}, ["/lines/0/quantity"]),
    "a quantity that is true": ({"lines": [{"sku": "MUG", "quantity": True}]}, ["/lines/0/quantity"]),
    "an unknown field": ({"coupon": "X"}, ["/coupon"]),
    "an unknown field of a line": ({"lines": [{"sku": "MUG", "quantity": 1, "price": 1}]}, ["/lines/0/price"]),
    "another currency": ({"currency": "EUR"}, ["/currency"]),
    "an e-mail without a domain": ({"email": "ada@"}, ["/email"]),
    "an e-mail that is too long": ({"email": "a" * 60 + "@" + "b." * 100 + "com"}, ["/email"]),
    "a payment method that is none": ({"paymentMethod": "card"}, ["/paymentMethod"]),
    "a payment method that is too long": ({"paymentMethod": "pm_" + "a" * 101}, ["/paymentMethod"]),
    "nothing of what is needed": (
        {"email": None, "shippingAddress": {"name": "A"}},
        ["/email", "/shippingAddress/line1", "/shippingAddress/city", "/shippingAddress/country"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_each_wrong_field_is_named(world: World, what: str) -> None:
    changes, expected = WRONG[what]
    answer = await world.call("place_order", order_body(("MUG", 1)) | changes)
    assert (answer.status, answer.body["type"]) == (422, "urn:orderflow:problem:invalid-body")
    assert sorted(pointers(answer)) == sorted(expected)
    assert all(error["detail"] for error in answer.body["errors"])
    assert world.documents("orders", "order") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("country", "UK"), ("country", "gb"), ("name", "x" * 201), ("city", ""), ("postalCode", 1)],
)
async def test_each_wrong_field_of_the_address_is_named(world: World, field: str, value: Any) -> None:
    body = order_body(("MUG", 1))
    body["shippingAddress"][field] = value
    answer = await world.call("place_order", body)
    assert (answer.status, pointers(answer)) == (422, [f"/shippingAddress/{field}"])


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"lines": []}, "should have at least 1 item"),
        ({"lines": [{"sku": f"S{n}", "quantity": 1} for n in range(1001)]}, "should have at most 1000 items"),
        ({"lines": [7]}, "should be an object"),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "should be greater than or equal to 1"),
        ({"lines": [{"sku": "MUG", "quantity": "2"}]}, "should be a valid integer"),
        ({"email": 7}, "should be a valid string"),
        ({"currency": "EUR"}, "should be GBP, the shop's currency"),
        ({"extra": 1}, "is not a known field: remove it"),
        ({"paymentMethod": "x"}, "should be pm_ and up to 100 letters (A-Z, a-z), digits or underscores"),
    ],
)
async def test_a_wrong_field_comes_with_what_to_do_about_it(world: World, changes: dict[str, Any], detail: str) -> None:
    answer = await world.call("place_order", order_body(("MUG", 1)) | changes)
    assert [error["detail"] for error in answer.body["errors"]] == [detail]


async def test_all_wrong_fields_are_named_at_once(world: World) -> None:
    body = order_body(("MUG", 0), ("mug", 1), email="nobody", currency="USD")
    answer = await world.call("place_order", body)
    assert sorted(pointers(answer)) == ["/currency", "/email", "/lines/0/quantity", "/lines/1/sku"]


async def test_what_the_catalogue_does_not_sell_is_named_once_the_rest_is_right(world: World) -> None:
    delisted = {"sku": "TRAY", "name": "Tray", "price": {"amount": 250, "currency": "GBP"}, "listed": False}
    await world.call("import_products", {"products": [delisted]})
    await world.drain()

    answer = await world.call("place_order", order_body(("MUG", 1), ("NEVER", 1), ("TRAY", 1)))

    assert (answer.status, pointers(answer)) == (422, ["/lines/1/sku", "/lines/2/sku"])
    assert world.documents("orders", "order") == []


@pytest.mark.parametrize(("price", "quantity"), [(29, 1), (99_999_999, 2)])
async def test_a_total_outside_the_providers_limits_is_refused(world: World, price: int, quantity: int) -> None:
    product = {"sku": "ODD", "name": "Odd", "price": {"amount": price, "currency": "GBP"}}
    await world.call("import_products", {"products": [product]})
    await world.drain()
    answer = await world.call("place_order", order_body(("ODD", quantity)))
    assert (answer.status, pointers(answer)) == (422, ["/lines"])


@pytest.mark.parametrize(
    ("raw", "headers", "status", "type"),
    [
        (b"{", {}, 400, "not-json"),
        (b"[]", {}, 422, "invalid-body"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported-media-type"),
        (b" " * (1024 * 1024 + 1), {}, 413, "body-too-large"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_its_own_problem(
    world: World, raw: bytes, headers: dict[str, str], status: int, type: str
) -> None:
    answer = await world.call("place_order", raw=raw, headers=headers)
    assert (answer.status, answer.body["type"]) == (status, f"urn:orderflow:problem:{type}")
    assert answer.body["status"] == status
    assert answer.body["title"]


@pytest.mark.parametrize(
    ("operation", "route"),
    [
        ("get_order", {"orderId": "ord_none"}),
        ("get_order", {"orderId": "a?b#c"}),
        ("cancel_order", {"orderId": "ord_none"}),
        ("get_price", {"sku": "NONE"}),
        ("get_product", {"sku": "NONE"}),
        ("get_stock", {"sku": "NONE"}),
        ("get_shipment", {"shipmentId": "shp_none"}),
        ("get_shipment", {"shipmentId": "none"}),
    ],
)
async def test_what_is_not_there_is_404(world: World, operation: str, route: dict[str, str]) -> None:
    answer = await world.call(operation, route=route)
    assert (answer.status, answer.body["type"]) == (404, "urn:orderflow:problem:not-found")


@pytest.mark.parametrize("operation", ["get_order", "cancel_order", "get_shipment", "dispatch_shipment"])
async def test_an_id_longer_than_any_is_404_without_asking_the_store_which_refuses_it(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    async def refuse(*_: Any) -> None:
        raise ValueError("the id is longer than 1,023 bytes")

    for container in world.containers.values():
        monkeypatch.setattr(container, "read", refuse)
    route = {"orderId": "x" * 1024, "shipmentId": "shp_" + "x" * 1024}
    body = {"carrier": "A", "trackingNumber": "1"} if operation == "dispatch_shipment" else {}
    answer = await world.call(operation, body, route=route)
    assert (answer.status, answer.body["type"]) == (404, "urn:orderflow:problem:not-found")


@pytest.mark.parametrize("operation", ["get_price", "get_product", "get_stock"])
async def test_a_sku_in_a_path_is_folded_and_one_that_cannot_be_is_refused(world: World, operation: str) -> None:
    assert (await world.call(operation, route={"sku": "mug"})).body["sku"] == "MUG"
    assert (await world.call(operation, route={"sku": "a%b"})).status == 422


@pytest.mark.parametrize(
    ("failure", "wait"), [(Unavailable("away"), "2"), (Throttled("slower"), "5"), (Throttled("slower", wait=7.2), "8")]
)
async def test_a_store_that_is_away_is_503_with_a_time_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception, wait: str
) -> None:
    async def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(world.containers["orders"], "read", fail)
    answer = await world.call("get_order", route={"orderId": "ord_1"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, wait)


async def test_an_unexpected_failure_is_a_problem_that_gives_nothing_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(world.containers["orders"], "read", fail)
    answer = await world.call("get_order", route={"orderId": "ord_1"})
    assert answer.status == 500
    assert "secret" not in json.dumps(answer.body)


class TestStock:
    async def count(self, world: World, on_hand: Any, sku: str = "MUG", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await world.call("put_stock", {"onHand": on_hand}, route={"sku": sku}, headers=named)

    async def test_a_count_sets_what_is_there_and_keeps_what_is_set_aside(self, world: World) -> None:
        await world.placed(("MUG", 4))
        await world.drain()
        answer = await self.count(world, 20)
        assert (answer.status, answer.body) == (200, {"sku": "MUG", "onHand": 20, "available": 16})
        assert answer.headers["ETag"]

    async def test_a_first_count_creates_the_item(self, world: World) -> None:
        answer = await self.count(world, 3, sku="new one")
        assert (answer.status, answer.body) == (201, {"sku": "NEW ONE", "onHand": 3, "available": 3})

    async def test_a_count_below_what_is_set_aside_is_409(self, world: World) -> None:
        await world.placed(("MUG", 4))
        await world.drain()
        answer = await self.count(world, 3)
        assert (answer.status, answer.body["type"]) == (409, "urn:orderflow:problem:below-reserved")
        assert (await self.count(world, 4)).body["available"] == 0

    async def test_only_if_new_is_412_where_there_is_one(self, world: World) -> None:
        assert (await self.count(world, 3, if_none_match="*")).status == 412
        assert (await self.count(world, 3, sku="NEW", if_none_match="*")).status == 201

    async def test_only_if_unchanged_is_412_where_it_has_changed_or_is_not_there(self, world: World) -> None:
        etag = (await world.call("get_stock", route={"sku": "MUG"})).headers["ETag"]
        assert (await self.count(world, 11, if_match=etag)).status == 200
        assert (await self.count(world, 12, if_match=etag)).status == 412
        assert (await self.count(world, 12, sku="NEW", if_match="*")).status == 412
        assert (await self.count(world, 12, if_match="*")).status == 200

    @pytest.mark.parametrize("on_hand", [-1, 1.5, "1", None, True, 10**10])
    async def test_a_count_that_is_none_is_refused(self, world: World, on_hand: Any) -> None:
        answer = await self.count(world, on_hand)
        assert (answer.status, pointers(answer)) == (422, ["/onHand"])


class TestImport:
    @staticmethod
    def product(sku: Any, amount: Any = 100, **changes: Any) -> dict[str, Any]:
        return {"sku": sku, "name": "Thing", "price": {"amount": amount, "currency": "GBP"}} | changes

    async def results(self, world: World, *products: Any) -> list[dict[str, Any]]:
        answer = await world.call("import_products", {"products": list(products)})
        assert answer.status == 200
        results: list[dict[str, Any]] = answer.body["results"]
        return results

    async def test_each_product_is_created_updated_or_left_as_it_is(self, world: World) -> None:
        await self.results(world, self.product("A"), self.product("B"))
        results = await self.results(world, self.product("a"), self.product("B", 200), self.product("C"))
        assert [(each["sku"], each["status"]) for each in results] == [
            ("A", "unchanged"),
            ("B", "updated"),
            ("C", "created"),
        ]
        assert (await world.call("get_product", route={"sku": "B"})).body == {
            "sku": "B",
            "name": "Thing",
            "price": {"amount": 200, "currency": "GBP"},
            "listed": True,
        }

    async def test_a_bad_product_is_refused_alone_with_each_wrong_field(self, world: World) -> None:
        results = await self.results(
            world, self.product("A"), self.product("b#d", 0, name=""), 7, self.product("a"), self.product("C")
        )
        assert [each["status"] for each in results] == ["created", "refused", "refused", "refused", "created"]
        assert sorted(error["pointer"] for error in results[1]["errors"]) == ["/name", "/price/amount", "/sku"]
        assert results[2]["sku"] is None
        assert results[3]["errors"] == [{"pointer": "/sku", "detail": "is named earlier in the same import"}]

    async def test_a_delisted_product_can_still_be_looked_up_but_not_ordered(self, world: World) -> None:
        await self.results(world, self.product("MUG", listed=False))
        await world.drain()
        assert (await world.call("get_product", route={"sku": "MUG"})).body["listed"] is False
        assert (await world.call("get_price", route={"sku": "MUG"})).body["listed"] is False

    async def test_an_unchanged_product_that_was_just_announced_publishes_nothing(self, world: World) -> None:
        await self.results(world, self.product("A"))
        sent = len(world.broker.sent)
        await self.results(world, self.product("A"))
        await self.results(world, self.product("A", name="Another name"))
        assert len(world.broker.sent) == sent

    async def test_a_replica_passes_over_older_versions(self, world: World) -> None:
        await self.results(world, self.product("A", 100))
        await self.results(world, self.product("A", 300))
        await self.results(world, self.product("A", 200))
        late = [message for _, message in world.broker.sent if b'"sku":"A"' in message.body]
        await world.drain()
        await world.deliver("orders-prices", late[1])
        assert (await world.call("get_price", route={"sku": "A"})).body["price"]["amount"] == 200

    @pytest.mark.parametrize("body", [{}, {"products": {}}, {"products": [], "more": 1}, [], {"products": [1] * 5001}])
    async def test_a_body_of_another_shape_is_refused_whole(self, world: World, body: Any) -> None:
        assert (await world.call("import_products", body)).status == 422

    async def test_eight_mebibytes_are_taken_and_no_more(self, world: World) -> None:
        padding = b" " * (8 * 1024 * 1024 - len(b'{"products":[]}'))
        assert (await world.call("import_products", raw=b'{"products":[]}' + padding)).status == 200
        assert (await world.call("import_products", raw=b'{"products":[]} ' + padding)).status == 413


class TestShipments:
    async def test_pending_ones_are_listed_oldest_first(self, world: World) -> None:
        first, second = await world.confirmed(2)
        listed = (await world.call("list_shipments", query={"status": "pending"})).body
        assert [each["orderId"] for each in listed["value"]] == [first, second]
        assert listed["value"][0]["lines"] == [{"sku": "MUG", "quantity": 1}]
        assert listed["value"][0]["shippingAddress"]["city"] == "London"
        assert "nextLink" not in listed

    async def test_dispatching_the_same_again_is_fine_and_with_other_data_is_409(self, world: World) -> None:
        [order_id] = await world.confirmed(1)
        assert (await world.dispatched(order_id)).body["status"] == "dispatched"
        assert (await world.dispatched(order_id)).status == 200
        other = {"carrier": "DHL", "trackingNumber": "2"}
        answer = await world.call("dispatch_shipment", other, route={"shipmentId": f"shp_{order_id}"})
        assert (answer.status, answer.body["type"]) == (409, "urn:orderflow:problem:cannot-dispatch")

    async def test_a_dispatch_names_carrier_and_number(self, world: World) -> None:
        [order_id] = await world.confirmed(1)
        answer = await world.call("dispatch_shipment", {"carrier": ""}, route={"shipmentId": f"shp_{order_id}"})
        assert (answer.status, pointers(answer)) == (422, ["/carrier", "/trackingNumber"])


async def test_a_rejected_order_says_why_and_can_not_be_cancelled(world: World) -> None:
    order_id = await world.placed(("MUG", 99))
    await world.drain()
    assert (await world.order(order_id))["reason"] == "out_of_stock"
    answer = await world.call("cancel_order", route={"orderId": order_id})
    assert (answer.status, answer.body["type"]) == (409, "urn:orderflow:problem:too-late-to-cancel")


async def test_cancelling_again_is_202_while_it_is_under_way_and_when_it_is_done(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    for _ in range(2):
        assert (await world.call("cancel_order", route={"orderId": order_id})).status == 202
    await world.drain()
    answer = await world.call("cancel_order", route={"orderId": order_id})
    assert (answer.status, answer.body["status"]) == (202, "cancelled")
