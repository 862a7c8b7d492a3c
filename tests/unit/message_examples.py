"""One message of each type, as it was sent: the first that a world sends which goes every way that an order goes."""

from collections.abc import Mapping
from typing import Any

from shared.contracts import Contract
from shared.contracts.shipping import ShipmentDispatched
from shared.messaging import catalogue, fact, to_wire
from shared.ports import WireMessage
from tests.unit.world import World

_ORDER = "ord_f4579d2cd5955a4eb5eebda34b640f1a"
UNSENT: tuple[Contract, ...] = (ShipmentDispatched(_ORDER, f"shp_{_ORDER}"),)
"""An example of each version that only older, or newer, senders send."""


async def examples() -> Mapping[str, WireMessage]:
    """By type. Raises LookupError for one that none of the ways below leads to."""
    world = World()
    await _every_way(world)
    sent = [*(wire for _, wire in world.broker.sent), *(_first(each, world) for each in UNSENT)]
    found = {str((wire.properties or {})["cloudEvents_type"]): wire for wire in reversed(sent)}
    if missing := catalogue().keys() - found.keys():
        raise LookupError(f"no way in tests/unit/message_examples.py leads to {', '.join(sorted(missing))}: add one")
    return found


def _first(contract: Any, world: World) -> WireMessage:
    return to_wire(fact(contract, contract.order_id, world.system))


async def _every_way(world: World) -> None:
    await world.stocked(MUG=5)
    sent = await world.placed(("MUG", 2), customerId="ada")
    await world.drain()
    await world.dispatched(sent)
    correction = {"trackingNumber": "RM2"}
    patch = {"content-type": "application/merge-patch+json", "if-match": "*"}
    await world.call("correct_shipment", correction, route={"shipmentId": f"shp_{sent}"}, headers=patch)
    await world.drain()
    await _never_captured(world)
    await world.placed(("MUG", 9))
    await world.placed(("MUG", 1), paymentMethod="pm_card_visa_chargeDeclined")
    await world.drain()
    called_off = await world.placed(("MUG", 1))
    await world.drain()
    await world.call("cancel_order", route={"orderId": called_off})
    await world.drain()
    await world.call("forget_customer", route={"customerId": "ada"})
    await world.sweep()
    await _imported(world, 300)
    await _imported(world, 300, listed=False)


async def _never_captured(world: World) -> None:
    unpaid = await world.placed(("MUG", 1), paymentMethod="pm_card_visa_captureRefused")
    await world.drain()
    await world.dispatched(unpaid)
    await world.drain()


async def _imported(world: World, amount: int, *, listed: bool = True) -> None:
    mug = {"sku": "MUG", "name": "Enamel mug", "price": {"amount": amount, "currency": "GBP"}, "listed": listed}
    await world.call("import_products", {"products": [mug]})
