"""A request to place an order is one request, however often the store, the SDK or the caller repeats it."""

from dataclasses import dataclass
from typing import Any

import pytest

from services.orders.domain import Address
from services.orders.handlers import NewOrder, WantedLine
from shared.adapters.memory import MemoryContainer
from shared.errors import AlreadyExists, Contended
from shared.ports import Replace
from tests.unit.world import World, order_body

LOST: list[tuple[type[Exception], int]] = [(Contended, 0), (Contended, 1), (AlreadyExists, 0), (AlreadyExists, 1)]
"""What the store says of the batch that it is sent once more, and how many reads after that show the old state."""


class Forgetful(MemoryContainer):
    """Writes the first order, answers with an error all the same, and then shows the old state to some reads."""

    lost: tuple[type[Exception], int]
    old_reads = 0
    written = False

    async def write(self, pk: str, operations: Any) -> list[str]:
        etags = await super().write(pk, operations)
        if pk.startswith("ord_") and not self.written:
            self.written = True
            error, self.old_reads = self.lost
            raise error(0)
        return etags

    async def read(self, pk: str, id: str) -> Any:
        if self.old_reads and pk == id:
            self.old_reads -= 1
            return None
        return await super().read(pk, id)


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}], ids=["no key", "key"])
@pytest.mark.parametrize("lost", LOST, ids=str)
async def test_an_order_whose_answer_was_lost_is_one_order_and_goes_on_at_once(
    lost: tuple[type[Exception], int], headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forgetful, "lost", lost, raising=False)
    world = World(container=Forgetful)
    await world.stocked(MUG=5)

    answer = await world.call("place_order", order_body(("MUG", 1)), headers=headers)
    await world.drain()

    assert answer.status == 201
    [order] = world.documents("orders", "order")
    assert order["id"] == answer.body["orderId"]
    assert order["step"] == "awaiting_dispatch", "its messages were published without a sweep"
    assert len(world.provider.intents) == 1


async def test_what_was_placed_stands_though_its_product_is_delisted_before_the_request_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Forgetful, "lost", (Contended, 0), raising=False)
    world = World(container=Forgetful)
    await world.stocked(MUG=5)
    orders = world.containers["orders"]
    write = orders.write

    async def delist_meanwhile(pk: str, operations: Any) -> list[str]:
        try:
            return await write(pk, operations)
        except Contended:
            price = await orders.read("price:MUG", "price")
            assert price
            await write("price:MUG", [Replace(price | {"listed": False}, price["_etag"])])
            raise

    monkeypatch.setattr(orders, "write", delist_meanwhile)

    assert (await world.call("place_order", order_body(("MUG", 1)))).status == 201
    assert len(world.documents("orders", "order")) == 1


def test_an_absent_field_of_a_line_takes_no_part_in_the_digest() -> None:
    @dataclass(frozen=True, slots=True)
    class LaterLine(WantedLine):
        gift_note: str | None = None

    address = Address("Ada", "12 St James Square", "London", "GB")
    now = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (WantedLine("MUG", 1),))
    later = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (LaterLine("MUG", 1),))
    assert later.digest == now.digest


def test_the_digest_of_a_request_is_what_it_has_always_been() -> None:
    """Fields that are added later are absent here, and change nothing: a retry across a deployment is the same."""
    address = Address("Ada", "12 St James Square", "London", "GB")
    new = NewOrder("ada@example.com", "GBP", "pm_card_visa", address, (WantedLine("MUG", 1),))
    assert new.digest == "550d9293953595651e0da6b6233c21f951212ae15135087307440890365a1732"
