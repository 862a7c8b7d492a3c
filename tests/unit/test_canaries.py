"""No secret and nothing of a person is in what is logged, refused, parked or audited, or stands beside a message.

What is planted, and where it is looked for: `tests/unit/canaries.py`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.http import Operation
from shared.ports import WireMessage
from simulation.callers import ADMIN, SUPPORT, WAREHOUSE, customer
from simulation.topology import CONTEXTS
from simulation.world import ENVIRONMENT, settings_of
from tests.unit.canaries import (
    CANARY,
    Canaries,
    WatchedWorld,
    at,
    chain,
    declared,
    good,
    leaves,
    listening,
    replaced,
)
from tests.unit.echoing import EchoingBroker, EchoingContainer, EchoingProvider

SKU = "MUG-1"

ALLOWED: dict[str, set[str]] = {
    "email": {"stored order"},
    "paymentMethod": {"stored order", "body AuthorisePayment", "provider"},
    "shippingAddress": {"stored order", "stored shipment", "body CreateShipment"},
    "customerId": {"stored order", "stored order-count", "stored erasure", "audit"},
    "carrier": {"stored shipment", "audit", "body ShipmentDispatched", "body ShipmentCorrected"},
    "trackingNumber": {"stored shipment", "audit", "body ShipmentDispatched", "body ShipmentCorrected"},
    "products": {"stored product", "audit"},
    "path": {"problem"},
    "name": {"problem"},
    "property": {"property"},
    "X-Request-Id": {"log", "span", "header"},
}
"""Where what is planted in a field may be, besides the answers to those who may see it. What isn't named, nowhere: a
token, an idempotency key, a value that is refused. A path and a field's name are the caller's own, and repeated to them
alone."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT.+Z")
HEADERS = (
    *("authorization", "idempotency-key", "if-match", "if-none-match", "if-modified-since", "content-type"),
    *("content-encoding", "x-request-id", "traceparent", "tracestate", "cookie", "user-agent", "x-forwarded-for"),
)

SECRETS = [name for name in ENVIRONMENT if not name.startswith("IDENTITY_")]
SETTINGS = [settings_of(import_module(f"services.{context}.bootstrap")) for context in CONTEXTS]


@pytest.fixture
def world() -> Iterator[WatchedWorld]:
    watched = WatchedWorld(Canaries())
    with listening(watched):
        yield watched


def nowhere_else(world: WatchedWorld) -> None:
    """Every canary is only where it may be."""
    assert {each for each in world.found() if each[1] not in ALLOWED.get(each[0].split()[0], ())} == set()


async def placed(world: WatchedWorld, *, lines: int = 1, by_support: bool = False, card: str = "") -> str:
    """An order whose every text is a canary."""
    body = good(world, "place_order") | {"lines": [{"sku": SKU, "quantity": lines}]}
    body["paymentMethod"] += card
    key = {"idempotency-key": world.canaries.plant("Idempotency-Key")}
    caller = SUPPORT if by_support else customer(body["customerId"])
    answer = await world.call("place_order", body, headers=key, caller=caller)
    assert answer.status == 201, answer.body
    return str(answer.body["orderId"])


async def journey(world: WatchedWorld, *, forgotten: bool = False) -> None:
    """Every way that an order goes, and, if told, that half of the customers are forgotten."""
    assert (await world.call("import_products", good(world, "import_products"))).status == 200
    await world.call("put_stock", {"onHand": 50}, route={"sku": SKU})
    await world.drain()
    ways: list[dict[str, Any]] = [
        {},
        {"by_support": True},
        {"lines": 99},
        {"card": "_Declined"},
        {"card": "_captureRefused"},
        {"card": "_flaky"},
    ]
    for way in ways:
        order = await placed(world, **way)
        await world.drain()
        note = good(world, "dispatch_shipment")
        shipment = {"shipmentId": f"shp_{order}"}
        dispatched = await world.call("dispatch_shipment", note, route=shipment, caller=WAREHOUSE)
        if dispatched.status == 200:
            patch = {"content-type": "application/merge-patch+json", "if-match": dispatched.headers["ETag"]}
            correction = good(world, "correct_shipment")
            corrected = await world.call(
                "correct_shipment", correction, route=shipment, headers=patch, caller=WAREHOUSE
            )
            assert corrected.status == 200, corrected.body
        await world.drain()
    for moment in range(3):
        order = await placed(world, by_support=moment == 1)
        if moment:
            await world.drain()
        await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)
        await world.drain()
    await look_at_everything(world)
    if forgotten:
        for customer_id in [each["customerId"] for each in world.documents("orders", "order")][::2]:
            route = {"customerId": customer_id}
            assert (await world.call("forget_customer", route=route, caller=ADMIN)).status == 202
        for _ in range(5):
            await world.system.sleep(120)
            await world.sweep()
            await world.drain()
        await look_at_everything(world)


async def look_at_everything(world: WatchedWorld) -> None:
    """Every GET of what is there, and every timer."""
    for operation in declared(world):
        if operation.method == "GET":
            for route in routes(world, operation):
                await world.call(operation.id, route=route)
    await world.sweep()


def routes(world: WatchedWorld, operation: Operation) -> list[dict[str, str]]:
    """Paths to what is there."""
    found = [path_to(each) for each in world.documents("orders", "order")] or [path_to({"id": "ord_1"})]
    named = re.findall(r"{(\w+)}", operation.route)
    return [{name: each[name] for name in named} for each in (found if named else found[:1])]


def path_to(order: Mapping[str, str]) -> dict[str, str]:
    """What stands in paths to an order, and to what belongs to it."""
    id = order["id"]
    things = {"orderId": id, "orderIds": id, "shipmentId": f"shp_{id}", "parkedId": id, "disagreementId": id}
    return things | {"customerId": order.get("customerId", "ada"), "sku": SKU}


async def test_on_every_way_of_an_order(world: WatchedWorld) -> None:
    await journey(world, forgotten=True)

    nowhere_else(world)
    homes = {field.split()[0]: place for field, place in world.found()}
    assert homes.keys() >= {"email", "paymentMethod", "shippingAddress", "customerId", "carrier", "trackingNumber"}
    assert {"place_order", "send StockReserved"} <= {json.loads(each)["name"] for each in world.emitted["span"]}


def wrong(world: WatchedWorld, value: Any) -> Iterator[Any]:
    """What is no good in place of a value, and tells something."""
    names, values = (partial(world.canaries.plant, label) for label in ("name of a field", "refused value"))
    yield f"{values()}\x00"
    yield values() * 30
    yield [values()]
    yield {names(): values()}
    if isinstance(value, dict):
        yield value | {names(): values()}


async def test_in_no_refusal_of_a_body(world: WatchedWorld) -> None:
    for operation in filter(lambda each: each.request, declared(world)):
        route = routes(world, operation)[0]
        body = good(world, operation.id)
        for path in [(), *leaves(body)]:
            for each in wrong(world, at(body, path)):
                await world.call(operation.id, replaced(body, path, each), route=route)
        secret = world.canaries.plant("refused body").encode()
        for raw in (
            secret,
            b'{"' + secret,
            b'{"a": "' + secret + b"\xff" + b'"}',
            b'["' + secret + b'"]',
            b'"' + secret,
        ):
            await world.call(operation.id, raw=raw, route=route)

    nowhere_else(world)


async def test_in_no_refusal_of_a_path_a_parameter_or_a_header(world: WatchedWorld) -> None:
    await world.stocked(MUG=5)
    for operation in declared(world):
        body = good(world, operation.id) if operation.request else None
        route = routes(world, operation)[0]
        for name in route:
            path = world.canaries.plant("customerId" if name == "customerId" else "path")
            await world.call(operation.id, body, route=route | {name: f"{path}#" if name == "sku" else path})
        parameters = (
            [each.alias or name for name, each in operation.query.model_fields.items()] if operation.query else []
        )
        for name in parameters:
            for text in (world.canaries.plant("refused value"), f"{world.canaries.plant('refused value')}\n"):
                await world.call(operation.id, body, route=route, query={name: text})
        unknown = {world.canaries.plant("name of a parameter"): world.canaries.plant("refused value")}
        await world.call(operation.id, body, route=route, query=unknown)
        for name in HEADERS:
            label = "X-Request-Id" if name == "x-request-id" else "header"
            for form in ("{}", "Bearer {}", '"{}"', '{},"', "application/json; charset={}"):
                text = form.format(world.canaries.plant(label))
                await world.call(operation.id, body, route=route, headers={name: text})

    nowhere_else(world)


async def test_in_no_reason_of_a_message_that_is_parked(world: WatchedWorld) -> None:
    await journey(world)
    samples = {(queue, str((wire.properties or {})["cloudEvents_type"])): wire for queue, wire in world.delivered}

    for (queue, _), wire in samples.items():
        for number, bad in enumerate(poisoned(world, wire)):
            ids = {"cloudEvents_id": f"{wire.id}-{number}"}
            await world.deliver(
                queue, replace(bad, id=f"{wire.id}-{number}", properties=dict(bad.properties or {}) | ids)
            )
    for context in ("inventory", "orders", "payments", "shipping"):
        dead = {"DeadLetterReason": "MaxDeliveryCountExceeded", "DeadLetterErrorDescription": secret(world, "property")}
        await world.deliver(f"{context}-dead", WireMessage(id="dead", body=secret(world).encode(), properties=dead))
    await world.drain(until=timedelta(days=2))
    for context in CONTEXTS:
        page = await world.call(f"{context}_parked", query={"limit": "1000"}, caller=SUPPORT)
        world.emitted["parked list"].append(json.dumps(page.body))

    assert len(world.everything("parked")) > len(samples)
    for context in CONTEXTS:
        for parked in world.documents(context, "parked"):
            route = {"parkedId": parked["pk"]}
            await world.call(f"{context}_replay", route=route, query={"dryRun": "true"})
            answer = await world.call(f"{context}_replay", route=route)
            assert answer.status in (202, 409)
            world.emitted["parked list"].append(json.dumps(answer.body))
    nowhere_else(world)


def secret(world: WatchedWorld, field: str = "refused value") -> str:
    """A canary as a field of JSON."""
    return json.dumps({"email": world.canaries.plant(field)})


def unreadable(world: WatchedWorld, data: Any, path: tuple[str | int, ...]) -> Iterator[Any]:
    """What can't stand at a path. Of a text that may be any there is none: the journey's canaries are in those."""
    value = at(data, path)
    yield [secret(world)]
    if TIME.fullmatch(str(value)) or path[-1] in ("state", "step", "status"):
        yield world.canaries.plant("refused value")


def poisoned(world: WatchedWorld, wire: WireMessage) -> Iterator[WireMessage]:
    """A message that is no good any more, in every way that one can be."""
    data = json.loads(wire.body)
    for path in leaves(data):
        for bad in (..., *unreadable(world, data, path)):
            yield replace(wire, body=json.dumps(replaced(data, path, bad)).encode())
    for body in (f"[{secret(world)}", f"[{secret(world)}]", json.dumps(secret(world)), secret(world) * 2):
        yield replace(wire, body=body.encode())
    yield replace(wire, body=wire.body + b"\xff")
    for name in ("traceparent", "orderflow_retryUntil", "orderflow_firstFailure", "orderflow_attempt", "diagnostic"):
        yield replace(wire, properties=dict(wire.properties or {}) | {name: secret(world, "property")})


async def test_in_nothing_that_is_said_of_what_is_stored_and_cannot_be_read(world: WatchedWorld) -> None:
    await journey(world)
    journeys = list(world.delivered)
    for queue, wire in [each for each in journeys if "CreateShipment" in str(each[1].properties)][:1]:
        await world.deliver(f"{queue}-dead", wire)

    for container in world.containers.values():
        for document in [container.documents(kind)[0] for kind in KINDS if container.documents(kind)]:
            partition = container.partition(document["pk"])
            for path in [each for each in leaves(document) if each[0] not in ("id", "pk", "kind", "_etag")]:
                for bad in unreadable(world, document, path):
                    partition[document["id"]] = replaced(document, path, bad)
                    await look_at(world, document, journeys)
            partition[document["id"]] = document
    nowhere_else(world)
    assert world.places()["log"].count("unparseable") > 100


KINDS = (
    "order",
    "erasure",
    "price",
    "payment",
    "shipment",
    "product",
    "stock",
    "decision",
    "audit",
    "outbox",
    "order-count",
    "parked",
)


async def look_at(world: WatchedWorld, document: dict[str, Any], journeys: list[tuple[str, WireMessage]]) -> None:
    """Have the functions come by a document."""
    route = path_to({"id": document["pk"]})
    for operation in declared(world):
        if operation.method == "GET":
            await world.call(operation.id, route=route)
    for context in CONTEXTS:
        await world.call(f"{context}_replay", route=route, query={"dryRun": "true"})
    await world.call("cancel_order", route=route)
    await world.sweep()
    for queue, wire in journeys:
        if document["pk"] in (wire.correlation_id, f"price:{wire.correlation_id}"):
            await world.deliver(queue, wire)


async def test_in_nothing_that_is_said_of_failures_that_repeat_what_was_given() -> None:
    world = WatchedWorld(Canaries(), container=EchoingContainer, broker=EchoingBroker, provider=EchoingProvider)
    with listening(world):
        await world.call("import_products", good(world, "import_products"))
        for _ in range(6):
            await world.call("put_stock", {"onHand": 50}, route={"sku": SKU})
            await world.drain(until=timedelta(minutes=5))
            await world.sweep()
        for number in range(24):
            by_support = number % 3 == 0
            body = good(world, "place_order") | {"lines": [{"sku": SKU, "quantity": 1}]}
            caller = SUPPORT if by_support else customer(body["customerId"])
            await world.call("place_order", body, caller=caller)
            await world.drain(until=timedelta(minutes=20))
        await look_at_everything(world)
        for order in [each["id"] for each in world.documents("orders", "order")]:
            note = good(world, "dispatch_shipment")
            await world.call("dispatch_shipment", note, route={"shipmentId": f"shp_{order}"}, caller=WAREHOUSE)
            await world.call("cancel_order", route={"orderId": order}, caller=SUPPORT)
        await world.drain(until=timedelta(days=2))

    nowhere_else(world)
    told = world.places()
    assert {failure for failure in FAILURES if failure.lower() not in told["log"] + told["host"]} == set()


FAILURES = (
    *("Cosmos DB answered 429", "Cosmos DB answered 503", "Cosmos DB answered 413", "KeyError", "ValueError"),
    *("ServiceBusServerBusyError", "the payment provider gave no clear answer", "payment_provider_key_rejected"),
)
"""Of each kind one was heard."""


LOCAL = (
    "AccountEndpoint=http://127.0.0.1:1/;AccountKey={0};Endpoint=sb://127.0.0.1:2;SharedAccessKeyName=k;"
    "SharedAccessKey={0};UseDevelopmentEmulator=true;"
)


@pytest.mark.parametrize("setting", SECRETS)
def test_in_no_fault_of_a_setting(setting: str) -> None:
    canaries = Canaries()
    told: list[str] = []
    for form in (
        "{}",
        "AccountEndpoint=https://there.example;AccountKey={};",
        "AccountKey={}",
        "sk_live_{}!",
        "sk_live_{}",
        LOCAL,
        "{}\n",
        "@x({})",
    ):
        environment = ENVIRONMENT | {setting: form.format(canaries.plant(setting))}
        for settings in SETTINGS:
            try:
                told.append(repr(settings.read(environment)))
            except SettingsError as fault:
                told.append(chain(fault))

    assert CANARY.findall("".join(told).lower()) == []
