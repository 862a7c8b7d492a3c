"""A shop of one process that answers as Orderflow's API does, for the replay to run against."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.identity.issuer import Caller, Role

_PAGE = 2


def signed(caller: Caller) -> str:
    """A token as this shop reads it: it takes everybody's word."""
    return quote(f"{caller.role} {caller.subject}")


def _caller(request: Request) -> list[str]:
    """The role and the subject of who calls."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return unquote(token).split(" ", 1) if scheme == "Bearer" else ["nobody", ""]


def _for(role: Role, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What only one role may ask."""

    async def checked(request: Request) -> Response:
        return await answer(request) if _caller(request)[0] == role else _problem(403, "Not yours to ask", "forbidden")

    return checked


def _problem(status: int, title: str, type: str = "other", pointer: str = "") -> Response:
    problem: dict[str, Any] = {"type": f"urn:orderflow:problem:{type}", "title": title}
    if pointer:
        problem["errors"] = [{"pointer": pointer, "detail": "wrong"}]
    return JSONResponse(problem, status)


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Shop:
    """`unwanted` SKUs are refused by the catalogue, those `busy_at_first` fail once; `slow_prices` is how often each
    price is asked for in vain; `least` is the least total of an order."""

    unwanted: set[str] = field(default_factory=set)
    busy_at_first: set[str] = field(default_factory=set)
    slow_prices: int = 1
    least: int = 30
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    shipments: dict[str, str] = field(default_factory=dict)
    dispatches: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def app(self) -> Starlette:
        routes = [
            Route("/api/products/import", _for(Role.ADMIN, self._import), methods=["POST"]),
            Route("/api/stock/{sku}", _for(Role.WAREHOUSE, self._count), methods=["PUT"]),
            Route("/api/prices/{sku}", self._price),
            Route("/api/orders", _for(Role.CUSTOMER, self._place), methods=["POST"]),
            Route("/api/orders/{id}", _for(Role.CUSTOMER, self._order)),
            Route("/api/orders/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/api/shipments", _for(Role.WAREHOUSE, self._pending)),
            Route("/api/shipments/{id}/dispatch", _for(Role.WAREHOUSE, self._dispatch), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    async def _import(self, request: Request) -> Response:
        results = []
        for product in (await request.json())["products"]:
            self.calls[f"import {product['sku']}"] += 1
            if product["sku"] in self.busy_at_first and self.calls[f"import {product['sku']}"] == 1:
                results.append({"sku": product["sku"], "status": "failed", "reason": "throttled"})
                continue
            refused = product["sku"] in self.unwanted
            if not refused:
                self.products[product["sku"]] = product
            results.append({"sku": product["sku"], "status": "refused" if refused else "created"})
        return JSONResponse({"results": results})

    async def _count(self, request: Request) -> Response:
        sku = request.path_params["sku"]
        assert request.headers["if-none-match"] == "*"
        if sku in self.stock:
            return _problem(412, "There already")
        self.stock[sku] = (await request.json())["onHand"]
        return JSONResponse({}, 201)

    async def _price(self, request: Request) -> Response:
        sku = request.path_params["sku"]
        self.calls[f"price {sku}"] += 1
        if self.calls[f"price {sku}"] <= self.slow_prices:
            return _problem(404, "Not known yet")
        return JSONResponse({"sku": sku, "price": self.products[sku]["price"], "listed": True})

    async def _place(self, request: Request) -> Response:
        key, body, subject = request.headers["idempotency-key"], await request.json(), _caller(request)[1]
        self.calls["place"] += 1
        if body.get("customerId", subject) != subject:
            return _problem(403, "Somebody else's", "forbidden")
        self.owners[f"ord_{key}"] = subject
        order_id = f"ord_{key}"
        if self.bodies.setdefault(key, body) != body:
            return _problem(422, "The key was used with another body", "idempotency-key-reused")
        wrong = [index for index, line in enumerate(body["lines"]) if line["sku"] not in self.products]
        if wrong:
            del self.bodies[key]
            return _problem(422, "Wrong", "invalid-body", f"/lines/{wrong[0]}/sku")
        if self._total(body) < self.least:
            del self.bodies[key]
            return _problem(422, "Outside", "invalid-body", "/lines")
        if order_id not in self.orders:
            self._begin(order_id, body)
        return JSONResponse(self.orders[order_id], 201)

    def _total(self, body: Any) -> int:
        return sum(self.products[line["sku"]]["price"]["amount"] * line["quantity"] for line in body["lines"])

    def _begin(self, order_id: str, body: Any) -> None:
        total = {"amount": self._total(body)}
        order = {"orderId": order_id, "status": "confirmed", "total": total, "placedAt": _now()}
        self.orders[order_id] = order
        if body["paymentMethod"] != "pm_card_visa":
            self._end(order_id, "rejected", reason="payment_declined")
        elif any(self.stock[line["sku"]] < line["quantity"] for line in body["lines"]):
            self._end(order_id, "rejected", reason="out_of_stock")
        else:
            for line in body["lines"]:
                self.stock[line["sku"]] -= line["quantity"]
            self.shipments[f"shp_{order_id}"] = "pending"

    def _end(self, order_id: str, status: str, **more: str) -> None:
        self.orders[order_id] |= {"status": status, "settledAt": _now()} | more

    async def _order(self, request: Request) -> Response:
        if self.owners[request.path_params["id"]] != _caller(request)[1]:
            return _problem(404, "No such order")
        return JSONResponse(self.orders[request.path_params["id"]])

    async def _cancel(self, request: Request) -> Response:
        order_id = request.path_params["id"]
        role, subject = _caller(request)
        self.calls[f"cancel {order_id}"] += 1
        self.calls[f"cancel {order_id} as {role}"] += 1
        if role != Role.SUPPORT and self.owners[order_id] != subject:
            return _problem(404, "No such order")
        if self.orders[order_id]["status"] != "confirmed":
            return _problem(409, "Too late")
        self.shipments[f"shp_{order_id}"] = "cancelled"
        self._end(order_id, "cancelled")
        return JSONResponse({}, 202)

    async def _pending(self, request: Request) -> Response:
        after = request.query_params.get("after", "")
        pending = sorted(id for id, state in self.shipments.items() if state == "pending" and id > after)
        page: dict[str, Any] = {"value": [{"shipmentId": id} for id in pending[:_PAGE]]}
        if len(pending) > _PAGE:
            page["nextLink"] = f"/api/shipments?status=pending&after={pending[_PAGE - 1]}"
        return JSONResponse(page)

    async def _dispatch(self, request: Request) -> Response:
        shipment, body = request.path_params["id"], await request.json()
        self.calls[f"dispatch {shipment}"] += 1
        if self.calls[f"dispatch {shipment}"] == 1 and shipment.endswith("0"):
            return _problem(404, "Not there yet")
        if self.shipments[shipment] != "pending":
            return _problem(409, "Cancelled")
        self.shipments[shipment] = "dispatched"
        self.dispatches[shipment] = body
        self._end(shipment.removeprefix("shp_"), "completed")
        return JSONResponse({})


class BadLine(httpx.AsyncBaseTransport):
    """A network on which nothing goes well the first time: in turn the answer is lost, or a 503 comes instead."""

    def __init__(self, shop: Shop) -> None:
        self._inside = httpx.ASGITransport(shop.app())
        self._tried: set[tuple[str, str, bytes]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        what = (request.method, str(request.url), request.read())
        first = what not in self._tried
        self._tried.add(what)
        if first and len(self._tried) % 2:
            return httpx.Response(503, headers={"Retry-After": "0"}, request=request)
        response = await self._inside.handle_async_request(request)
        if first:
            raise httpx.ReadError("lost", request=request)
        return response
