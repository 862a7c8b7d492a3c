"""A shop that runs, used by one person after another: one request at a time, over one connection that stays open."""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import processor
from local.identity.issuer import Caller, Role, mint
from local.verify.stack import read_stack

SKUS = ("MUG-1", "MUG-2", "MUG-3")
ORDER = {
    "email": "ada@example.com",
    "currency": "GBP",
    "paymentMethod": "pm_card_visa",
    "shippingAddress": {"name": "Ada Lovelace", "line1": "12 St James Square", "city": "London", "country": "GB"},
    "lines": [{"sku": sku, "quantity": 2} for sku in SKUS],
}
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.005
EVENTS_OF_AN_ORDER = {"shipping": 1, "orders": 4}
"""How many shipping has published when an order may be dispatched, and orders when it is completed."""


class Shop:
    """The stack of a state folder, as its customers and staff see it."""

    def __init__(self, state: Path) -> None:
        stack = read_stack(state)
        self._api, self._broker = _connection(stack.api), _connection(stack.parts["service_bus"].control)
        self._hosts = [part.pid for name, part in stack.parts.items() if name.startswith("functions_host")]
        subjects = {role: role.value for role in Role} | {Role.CUSTOMER: "ada"}
        self._headers = {
            role: {"Authorization": f"Bearer {mint(state, Caller(role, subject))}", "Content-Type": "application/json"}
            for role, subject in subjects.items()
        }

    def processor(self) -> float:
        """The milliseconds of processor time that the Functions hosts have taken so far, in all their threads."""
        return processor.spent(self._hosts)

    def stock_up(self) -> None:
        """Put products on sale, with plenty of each in the house."""
        products = [{"sku": sku, "name": "Enamel mug", "price": {"amount": 250, "currency": "GBP"}} for sku in SKUS]
        self._done(Role.ADMIN, "POST", "products/import", {"products": products})
        for sku in SKUS:
            self._done(Role.WAREHOUSE, "PUT", f"stock/{sku}", {"onHand": 1_000_000})
            _until(lambda sku=sku: self.ask(Role.CUSTOMER, "GET", f"prices/{sku}")[0] == 200)  # type: ignore[misc]

    def place(self) -> str:
        """Place an order; its id."""
        return str(self._done(Role.CUSTOMER, "POST", "orders", ORDER)["orderId"])

    def look(self, order_id: str) -> str:
        """The status of an order."""
        return str(self._done(Role.CUSTOMER, "GET", f"orders/{order_id}")["status"])

    def complete(self) -> None:
        """An order from its placing to its end. Nobody looks at it meanwhile: the broker tells how far it is."""
        self._broker.close()  # it lets go of who says nothing for a while
        before = self._published()
        order_id = self.place()
        self._until_published("shipping", before)
        parcel = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
        self._done(Role.WAREHOUSE, "POST", f"shipments/shp_{order_id}/dispatch", parcel)
        self._until_published("orders", before)
        if (status := self.look(order_id)) != "completed":
            raise SystemExit(f"an order that should be completed is {status}")

    def rest(self) -> None:
        """Wait until operations, where there is such a context, has heard every event."""
        _until(lambda: self._unheard() <= 0)

    def _unheard(self) -> int:
        counted = self._counted()
        sent = sum(each.get("messagesSent", 0) for name, each in counted.items() if name.endswith("-events"))
        return sent - int(counted["operations"]["completed"]) if "operations" in counted else 0

    def _until_published(self, context: str, before: dict[str, int]) -> None:
        wanted = before[context] + EVENTS_OF_AN_ORDER[context]
        _until(lambda: self._published()[context] == wanted)

    def _published(self) -> dict[str, int]:
        counted = self._counted()
        return {name: counted.get(f"{name}-events", {}).get("messagesSent", 0) for name in EVENTS_OF_AN_ORDER}

    def _counted(self) -> dict[str, dict[str, int]]:
        """What the broker has counted so far, by queue and topic."""
        self._broker.request("GET", "/_stats")
        counted: dict[str, dict[str, int]] = json.loads(self._broker.getresponse().read())["byEntity"]
        return counted

    def _done(self, role: Role, method: str, path: str, body: object = None) -> Any:
        """What is answered to what has to succeed."""
        status, answer = self.ask(role, method, path, body)
        if status >= 300:
            raise SystemExit(f"{method} {path} was answered {status}: {answer}")
        return answer

    def ask(self, role: Role, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status, and what is answered."""
        text = None if body is None else json.dumps(body).encode()
        self._api.request(method, f"/api/{path}", text, self._headers[role])
        response = self._api.getresponse()
        return response.status, json.loads(response.read() or b"null")


def _connection(address: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_SECONDS)


def _until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > give_up:
            raise SystemExit(f"nothing went on for {PATIENCE_SECONDS:g} seconds")
        time.sleep(LOOK_SECONDS)
