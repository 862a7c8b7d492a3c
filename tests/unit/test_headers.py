"""Headers as callers, proxies and the host's joining of repeated lines write them."""

from typing import Any

import pytest

from tests.unit.world import Answer, World, order_body

ANY = "<the stock item's ETag>"


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=10)
    return world


def is_refused_for(header: str, answer: Answer) -> bool:
    """Whether it is 400 and names the header."""
    said = (answer.status, answer.body["type"], answer.body["title"])
    return said == (400, "urn:orderflow:problem:invalid-header", f"The header {header} is not valid.")


class TestIdempotencyKey:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("k1", '"k1"'),
            ("k1", " \t k1\t "),
            ("k1", "k1,k1"),
            ("k1", 'k1 , "k1"'),
            ("a key", '"a key"'),
            ('"a, key"', '"a, key","a, key"'),
            (r'"say \"a\" \\ b"', r'"say \"a\" \\ b"'),
        ],
    )
    async def test_one_key_is_one_key_however_it_is_written(self, world: World, one: str, other: str) -> None:
        assert await world.placed(("MUG", 1), key=one) == await world.placed(("MUG", 1), key=other)

    @pytest.mark.parametrize(("one", "other"), [("k1", "K1"), ("k1", '" k1"'), ("k 1", "k  1"), ("a", r'"a\\"')])
    async def test_keys_that_differ_are_two(self, world: World, one: str, other: str) -> None:
        assert await world.placed(("MUG", 1), key=one) != await world.placed(("MUG", 1), key=other)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            " ",
            '""',
            "k1,k2",
            '"k1","k2"',
            "k1,",
            ",",
            '"k1',
            'k"1',
            '"k1"x',
            'k1;"',
            r'"a\b"',
            "x" * 201,
            "tab\there",
        ],
    )
    async def test_what_is_no_key_or_more_than_one_is_refused_by_name(self, world: World, key: str) -> None:
        answer = await world.call("place_order", order_body(("MUG", 1)), headers={"idempotency-key": key})
        assert is_refused_for("Idempotency-Key", answer)
        assert world.documents("orders", "order") == []


class TestPreconditions:
    async def count(self, world: World, sku: str = "MUG", **headers: str) -> Answer:
        etag = (await world.call("get_stock", route={"sku": "MUG"})).headers["ETag"]
        named = {name.replace("_", "-"): value.replace(ANY, etag) for name, value in headers.items()}
        return await world.call("put_stock", {"onHand": 20}, route={"sku": sku}, headers=named)

    @pytest.mark.parametrize(
        "tags", [ANY, f" {ANY}\t", f'"a",{ANY}', f'{ANY} , W/"b"', f',, "a,b", ,{ANY},', "*", " * "]
    )
    async def test_if_match_holds_of_a_tag_among_others_and_of_anything(self, world: World, tags: str) -> None:
        assert (await self.count(world, if_match=tags)).status == 200

    @pytest.mark.parametrize("tags", [f"W/{ANY}", '"a"', f'"a", W/{ANY}', '"*"', '""'])
    async def test_if_match_compares_strongly_and_412_is_what_does_not_hold(self, world: World, tags: str) -> None:
        answer = await self.count(world, if_match=tags)
        assert (answer.status, answer.body["type"]) == (412, "urn:orderflow:problem:precondition-failed")

    @pytest.mark.parametrize("tags", [ANY, "*", f'W/"a",{ANY}'])
    async def test_if_match_never_holds_of_what_is_not_there(self, world: World, tags: str) -> None:
        assert (await self.count(world, sku="NEW", if_match=tags)).status == 412

    @pytest.mark.parametrize(
        "tags", ["", ",", "abc", '"a', 'a"', f"{ANY} {ANY}", f"{ANY}, *", "*,*", f"w/{ANY}", "W/*"]
    )
    async def test_an_if_match_that_is_none_is_refused_by_name_and_writes_nothing(
        self, world: World, tags: str
    ) -> None:
        assert is_refused_for("If-Match", await self.count(world, if_match=tags))
        assert (await world.call("get_stock", route={"sku": "MUG"})).body["onHand"] == 10

    @pytest.mark.parametrize("tags", ["", ANY, f"W/{ANY}", '"a"', f"*, {ANY}", "abc"])
    async def test_if_none_match_takes_a_star_alone(self, world: World, tags: str) -> None:
        assert is_refused_for("If-None-Match", await self.count(world, sku="NEW", if_none_match=tags))
        assert (await self.count(world, sku="NEW", if_none_match=" *")).status == 201
        assert (await self.count(world, sku="NEW", if_none_match="*")).status == 412

    @pytest.mark.parametrize("header", ["If-Unmodified-Since", "If-Modified-Since"])
    async def test_a_precondition_about_times_is_refused_by_name(self, world: World, header: str) -> None:
        answer = await self.count(world, **{header.lower(): "Wed, 25 Nov 2026 00:00:00 GMT"})
        assert is_refused_for(header, answer)

    @pytest.mark.parametrize("header", ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"])
    async def test_no_other_operation_writes_through_a_precondition(self, world: World, header: str) -> None:
        order_id = await world.placed(("MUG", 1))
        await world.drain()
        precondition = {header.lower(): "*"}
        product = {"sku": "A", "name": "A", "price": {"amount": 100, "currency": "GBP"}}
        shipment = {"shipmentId": f"shp_{order_id}"}
        note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
        answers = [
            await world.call("place_order", order_body(("MUG", 1)), headers=precondition),
            await world.call("cancel_order", route={"orderId": order_id}, headers=precondition),
            await world.call("import_products", {"products": [product]}, headers=precondition),
            await world.call("dispatch_shipment", note, route=shipment, headers=precondition),
        ]
        assert all(is_refused_for(header, answer) for answer in answers)
        assert len(world.documents("orders", "order")) == 1
        assert (await world.order(order_id))["status"] == "confirmed"

    async def test_a_look_at_something_passes_preconditions_over(self, world: World) -> None:
        answer = await world.call("get_stock", route={"sku": "MUG"}, headers={"if-none-match": '"a"'})
        assert answer.status == 200


class TestTraceParent:
    CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def carried(self, world: World, header: str) -> set[Any]:
        """What the messages of an order that comes with this header carry."""
        before = len(world.broker.sent)
        answer = await world.call("place_order", order_body(("MUG", 1)), headers={"traceparent": header})
        assert answer.status == 201
        return {(message.properties or {}).get("traceparent") for _, message in world.broker.sent[before:]}

    async def test_a_trace_goes_on_in_messages(self, world: World) -> None:
        assert await self.carried(world, f" {self.CONTEXT}\t") == {self.CONTEXT}

    @pytest.mark.parametrize("header", ["", "x", "é" * 60_000, f"{CONTEXT},{CONTEXT}", CONTEXT.upper()])
    async def test_what_is_no_trace_is_passed_over_as_its_standard_says(self, world: World, header: str) -> None:
        assert await self.carried(world, header) == {None}
