"""The whole system in one thread: every context on the in-memory adapters, under a clock that only waiting moves."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib import import_module
from types import ModuleType
from typing import Any

import azure.functions as func
from azure.functions import HttpRequest, HttpResponse

from services.catalog import bootstrap as catalog
from services.catalog import functions as catalog_functions
from services.inventory import bootstrap as inventory
from services.inventory import functions as inventory_functions
from services.operations import bootstrap as operations
from services.operations import functions as operations_functions
from services.orders import bootstrap as orders
from services.orders import functions as orders_functions
from services.payments import bootstrap as payments
from services.payments import functions as payments_functions
from services.shipping import bootstrap as shipping
from services.shipping import functions as shipping_functions
from shared.access import Authenticator, Caller
from shared.adapters.memory import MemoryBroker, MemoryContainer
from shared.context import BoundedContext, bounded_context
from shared.http import Operation
from shared.ports import Document, System, WireMessage
from shared.settings import Settings
from simulation.callers import ADMIN, GUEST, OPERATIONS, SUPPORT, WAREHOUSE, PlainTokens, customer, token
from simulation.clock import VirtualSystem
from simulation.neighbours import Neighbours
from simulation.provider import MemoryProvider
from simulation.topology import CONTEXTS, TOPOLOGY

ENVIRONMENT = {
    f"{service}_{context.upper()}": value
    for context in CONTEXTS
    for service, value in (
        ("COSMOS", "AccountEndpoint=http://127.0.0.1:1/;AccountKey=a2V5;"),
        (
            "SERVICEBUS",
            "Endpoint=sb://127.0.0.1:2;SharedAccessKeyName=k;SharedAccessKey=s;UseDevelopmentEmulator=true;",
        ),
    )
} | {
    "PAYMENT_PROVIDER_KEY": "sk_test_1",
    "IDENTITY_ISSUER": "https://id.example",
    "IDENTITY_AUDIENCE": "orderflow",
    # Many a test places more orders in a moment than a customer may; test_rate_limit.py and histories have the limit.
    "ORDERS_PER_CUSTOMER_PER_MINUTE": "0",
}


NEWCOMERS = {
    name: import_module(f"services.{name}.bootstrap")
    for name in CONTEXTS
    if name not in ("catalog", "inventory", "orders", "payments", "shipping", "operations")
}
"""Contexts of the topology that aren't written out in `World`: put in by what each has, its settings, `dependencies`
and `blueprint`."""


def settings_of(bootstrap: ModuleType) -> type[Settings]:
    """The settings class that a composition root declares."""
    [found] = [
        each
        for each in vars(bootstrap).values()
        if isinstance(each, type) and issubclass(each, Settings) and each is not Settings
    ]
    return found


class World:
    """Every context, its functions as the host would call them, and the broker between them."""

    def __init__(
        self,
        seed: int = 1,
        container: Callable[[], MemoryContainer] = MemoryContainer,
        broker: Callable[[Any, System], MemoryBroker] = MemoryBroker,
        provider: Callable[[], MemoryProvider] = MemoryProvider,
        environment: Mapping[str, str] = ENVIRONMENT,
        clock: Callable[[System], System] = lambda system: system,
        authenticator: Callable[[], Authenticator] = PlainTokens,
        system: VirtualSystem | None = None,
        neighbours: "Callable[[World], Neighbours]" = Neighbours,
    ) -> None:
        self.system = system or VirtualSystem(seed)
        self.broker = broker(TOPOLOGY, self.system)
        self.provider = provider()
        self.provider.now = self.system.now
        self.neighbours = neighbours(self)
        self.containers = {name: container() for name in CONTEXTS}
        orders_settings = orders.OrdersSettings.read(environment)
        catalog_settings = catalog.CatalogSettings.read(environment)
        inventory_settings = inventory.InventorySettings.read(environment)
        operations_settings = operations.OperationsSettings.read(environment)
        for each in self.containers.values():
            each.now = self.system.now
        self.contexts: dict[str, BoundedContext] = {
            settings.context: bounded_context(
                settings, self.containers[settings.context], self.broker, clock(self.system), authenticator()
            )
            for settings in (
                catalog_settings,
                inventory_settings,
                orders_settings,
                payments.PaymentsSettings.read(environment),
                shipping.ShippingSettings.read(environment),
                operations_settings,
                *(settings_of(bootstrap).read(environment) for bootstrap in NEWCOMERS.values()),
            )
        }
        of = self.contexts
        self.orders = orders.dependencies(of["orders"], orders_settings)
        self.inventory = inventory.dependencies(of["inventory"], inventory_settings)
        self.payments = payments.dependencies(of["payments"], self.provider)
        self.shipping = shipping.dependencies(of["shipping"])
        self.operations = operations.dependencies(of["operations"], operations_settings, self.neighbours)
        blueprints = (
            catalog_functions.blueprint(
                of["catalog"],
                lambda: catalog.products(of["catalog"]),
                catalog_settings.import_timeout,
                catalog_settings.signing_in,
            ),
            inventory_functions.blueprint(of["inventory"], self.inventory),
            orders_functions.blueprint(of["orders"], self.orders),
            payments_functions.blueprint(of["payments"], self.payments),
            shipping_functions.blueprint(of["shipping"], self.shipping),
            operations_functions.blueprint(of["operations"], self.operations, operations_settings.signing_in),
            *(
                import_module(f"services.{name}.functions").blueprint(of[name], bootstrap.dependencies(of[name]))
                for name, bootstrap in NEWCOMERS.items()
            ),
        )
        app = func.FunctionApp()
        for blueprint in blueprints:
            app.register_functions(blueprint)
        functions = list(app.get_functions())
        self.functions: dict[str, Any] = {str(each.get_function_name()): each.get_user_function() for each in functions}
        self.queues: dict[str, Any] = {
            binding["queueName"]: each.get_user_function()
            for each in functions
            for binding in map(json.loads, each.get_raw_bindings())
            if binding["type"] == "serviceBusTrigger"
        }

    async def call(
        self,
        operation: str,
        body: Any = None,
        *,
        route: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        caller: Caller | None = None,
    ) -> "Answer":
        """Call an HTTP function as the host would; unless told, for somebody who may."""
        payload = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        declared = self.functions[operation].operation
        caller = caller or self.somebody(operation, body)
        request = HttpRequest(
            method=declared.method,
            url=f"http://127.0.0.1:7071/api/{declared.route}",
            headers={"content-type": declared.media_type, "authorization": f"Bearer {token(caller)}"}
            | dict(headers or {}),
            params=dict(query or {}),
            route_params=dict(route or {}),
            body=payload,
        )
        answer = Answer(await self.functions[operation](request))
        self.answered(declared, answer)
        return answer

    def answered(self, operation: Operation, answer: "Answer") -> None:
        """For subclasses, which look at every answer."""

    def somebody(self, operation: str, body: Any) -> Caller:
        """Who may: the customer that a body names, the guest, or else of the staff the first whom the function lets."""
        roles = self.functions[operation].operation.roles
        if operation == "place_order":
            named = body.get("customerId") if isinstance(body, dict) else None
            return customer(named) if isinstance(named, str) and named else GUEST
        staff = (each for each in (ADMIN, SUPPORT, WAREHOUSE, OPERATIONS) if each.roles & roles)
        return next(staff, GUEST)

    async def deliver(self, queue: str, wire: WireMessage) -> None:
        """Hand a message to the function that drains the queue."""
        await self.queues[queue](_Received(wire))

    async def drain(self, until: timedelta = timedelta(0)) -> None:
        """Deliver everything that is visible, and what becomes visible within `until` of now."""
        horizon = self.system.now() + until
        while True:
            delivered = False
            for queue in self.queues:
                while message := self.broker.receive(queue):
                    delivered = True
                    await self.deliver(queue, message)
            due = self.broker.next_due()
            if not delivered:
                if due is None or due > horizon:
                    return
                assert due > self.system.now(), "a message in a queue that no function drains"
                self.system.advance_to(due)

    async def sweep(self) -> None:
        """Run every context's timer."""
        for name, function in self.functions.items():
            if name.endswith("_sweep"):
                await function(None)

    def documents(self, context: str, kind: str) -> list[Document]:
        """Every document of a kind in a context's container."""
        return self.containers[context].documents(kind)

    async def stocked(self, **stock: int) -> None:
        """Products at 2.50 each, so many of each in the house, their prices known to orders."""
        products = [
            {"sku": sku, "name": f"Product {sku}", "price": {"amount": 250, "currency": "GBP"}} for sku in stock
        ]
        assert (await self.call("import_products", {"products": products})).status == 200
        for sku, on_hand in stock.items():
            assert (await self.call("put_stock", {"onHand": on_hand}, route={"sku": sku})).status == 201
        await self.drain()

    async def placed(self, *lines: tuple[str, int], key: str | None = None, **changes: Any) -> str:
        """Place an order; its id."""
        headers = {"idempotency-key": key} if key else {}
        answer = await self.call("place_order", order_body(*lines, **changes), headers=headers)
        assert answer.status == 201, answer.body
        return str(answer.body["orderId"])

    async def order(self, order_id: str) -> dict[str, Any]:
        """The order as GET answers it."""
        body: dict[str, Any] = (await self.call("get_order", route={"orderId": order_id})).body
        return body

    async def dispatched(self, order_id: str, carrier: str = "Royal Mail") -> "Answer":
        """The warehouse sends the order's goods."""
        note = {"carrier": carrier, "trackingNumber": "RM1"}
        return await self.call("dispatch_shipment", note, route={"shipmentId": f"shp_{order_id}"})


class Answer:
    """What an HTTP function answered."""

    def __init__(self, response: HttpResponse) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.mimetype = response.mimetype
        self.content = response.get_body()
        self.body: Any = json.loads(self.content or b"null") if "json" in self.mimetype else None


class _Received(func.ServiceBusMessage):
    """What the worker makes of a message."""

    def __init__(self, wire: WireMessage) -> None:
        self._wire = wire

    def get_body(self, encoding: str | None = None) -> Any:
        return self._wire.body

    message_id = property(lambda self: self._wire.id)
    content_type = property(lambda self: self._wire.content_type)
    correlation_id = property(lambda self: self._wire.correlation_id)
    application_properties = property(lambda self: dict(self._wire.properties or {}))


def order_body(*lines: tuple[str, int], **changes: Any) -> dict[str, Any]:
    """A good request for these lines."""
    return {
        "email": "ada@example.com",
        "currency": "GBP",
        "paymentMethod": "pm_card_visa",
        "shippingAddress": {
            "name": "Ada Lovelace",
            "line1": "12 St James's Square",
            "city": "London",
            "postalCode": "SW1Y 4JH",
            "country": "GB",
        },
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
    } | changes
