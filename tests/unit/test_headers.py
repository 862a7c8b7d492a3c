"""Headers as callers, proxies and the host's joining of repeated lines write them."""

import re
from typing import Any

import pytest

from simulation.world import Answer, order_body
from tests.unit.world import World

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

    @pytest.mark.parametrize("header", ["If-Match", "If-Modified-Since", "If-Unmodified-Since"])
    async def test_a_look_at_something_passes_all_others_over(self, world: World, header: str) -> None:
        answer = await world.call("get_stock", route={"sku": "MUG"}, headers={header.lower(): '"a"'})
        assert answer.status == 200


class TestLookingAgain:
    """GET with If-None-Match."""

    async def look(self, world: World, tags: str | None) -> Answer:
        headers = {} if tags is None else {"if-none-match": tags}
        return await world.call("get_stock", route={"sku": "MUG"}, headers=headers)

    @pytest.mark.parametrize("form", ["*", " * ", "{}", "W/{}", '"a", {}', ',{},"b,c"', '"a",W/{}'])
    async def test_what_the_caller_has_is_not_sent_again(self, world: World, form: str) -> None:
        tag = (await self.look(world, None)).headers["ETag"]
        answer = await self.look(world, form.format(tag))
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, None, tag)
        assert answer.headers["Cache-Control"] == "private, no-cache"

    @pytest.mark.parametrize("tags", [None, "", '"a"', 'W/"a"', "*, *", "garbage {}", "{} garbage", "w/{}"])
    async def test_anything_else_is_answered_whole(self, world: World, tags: str | None) -> None:
        tag = (await self.look(world, None)).headers["ETag"]
        answer = await self.look(world, tags and tags.format(tag))
        assert (answer.status, answer.body["onHand"], answer.headers["ETag"]) == (200, 10, tag)

    async def test_it_is_sent_once_it_has_changed(self, world: World) -> None:
        tag = (await self.look(world, None)).headers["ETag"]
        await world.placed(("MUG", 1))
        await world.drain()
        assert (await self.look(world, tag)).body["available"] == 9

    async def test_everything_that_has_one_address_has_an_etag_which_its_writes_answer_as_well(
        self, world: World
    ) -> None:
        order_id = await world.placed(("MUG", 1))
        await world.drain()
        dispatched = await world.dispatched(order_id)
        routes = {
            "get_product": {"sku": "MUG"},
            "get_price": {"sku": "MUG"},
            "get_stock": {"sku": "MUG"},
            "get_order": {"orderId": order_id},
            "get_shipment": {"shipmentId": f"shp_{order_id}"},
        }
        for operation, route in routes.items():
            tag = (await world.call(operation, route=route)).headers["ETag"]
            again = await world.call(operation, route=route, headers={"if-none-match": tag})
            assert (again.status, again.body) == (304, None), operation
            assert 304 in world.functions[operation].operation.statuses
            assert dispatched.headers["ETag"] == tag or operation != "get_shipment"

    async def test_a_problem_and_a_list_are_not_kept(self, world: World) -> None:
        nothing = await world.call("get_stock", route={"sku": "NONE"}, headers={"if-none-match": "*"})
        assert (nothing.status, nothing.headers["Cache-Control"]) == (404, "no-store")
        page = await world.call("list_shipments", headers={"if-none-match": "*"})
        assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")


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

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "x",
            "é" * 60_000,
            f"{CONTEXT},{CONTEXT}",
            CONTEXT.upper(),
            "ff" + CONTEXT[2:],
            CONTEXT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
            CONTEXT.replace("b7ad6b7169203331", "0" * 16),
        ],
    )
    async def test_what_is_no_trace_is_passed_over_for_a_fresh_one(self, world: World, header: str) -> None:
        [carried] = await self.carried(world, header)
        assert carried != header
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", carried)
