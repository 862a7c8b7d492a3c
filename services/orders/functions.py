"""Orders' functions: who reacts to what."""

from functools import partial
from urllib.parse import quote

import azure.functions as func

from services.orders import handlers, placing
from services.orders.domain import Order, Wanted
from services.orders.forgetting import Forgetting, due_of, forget_customer, orders_of
from services.orders.http_models.customers import CustomerDataPage, ErasureView, WholeOrderView
from services.orders.http_models.orders import OrderPage, OrdersQuery, OrderView
from services.orders.http_models.placing import OrderBody
from services.orders.http_models.prices import PriceView
from services.orders.http_models.waits import AnnouncedView, standing_of, wait_of
from services.orders.process import Trigger
from services.orders.resending import Resending
from shared.access import EVERYBODY, Role
from shared.codec import parse_rfc3339, rfc3339
from shared.context import BoundedContext
from shared.contracts.catalog import PriceChanged, ProductDelisted, ProductListed
from shared.errors import Unparseable, not_found
from shared.fields import id_in_route, ids_in_route, sku_in_route, subject_in_route
from shared.functions import Queues, context_blueprint
from shared.http import API, UNCHANGED, Call, HttpFunctions, Reply
from shared.messaging import catalogue, contract_name
from shared.paging import PageParameters, Paging
from shared.waits import StandingPage, WaitPage, WaitsQuery

FACTS = [each for each in catalogue().values() if contract_name(each) in Trigger]
"""Every version of what others say that can happen to an order."""
PRODUCT_STATES = (ProductListed, PriceChanged, ProductDelisted)


def blueprint(context: BoundedContext, deps: handlers.Dependencies) -> func.Blueprint:
    """Every function of the context."""
    http = HttpFunctions(context.system, context.authenticator)

    @http.function(
        "POST orders",
        roles={Role.CUSTOMER, Role.SUPPORT},
        owned=True,
        summary="Place an order; under an Idempotency-Key as often as you like",
        statuses={
            201: "Placed, now or before under the same key",
            403: "A customer names another customer, or the token's roles don't let its bearer do this",
            409: "`total-changed`: it is another than the one expected",
            422: "A field is wrong, or `idempotency-key-reused`: the key was used for another body",
            429: "`too-many-orders` of the caller's in this minute",
        },
        context={"currency": context.settings.currency},
        sends=["Location", "ETag"],
    )
    async def place_order(call: Call[OrderBody]) -> Reply[OrderView]:
        new = call.body.new_order(placing.owner_of(call.body.customer_id, call.customer))
        order_id = placing.order_id(call.role, call.caller.subject, call.idempotency_key, call.request_id)
        order = await placing.place_order(new, order_id, call.actor, deps)
        return Reply(OrderView.of(order), 201, {"Location": f"{API}/orders/{order.id}", "ETag": order.etag})

    @http.function(
        "GET orders",
        roles={Role.CUSTOMER, Role.SUPPORT, Role.ADMIN},
        owned=True,
        summary="Orders, newest first",
        statuses={
            200: "A page of orders, with its ETag",
            304: UNCHANGED,
            400: "A query parameter is wrong",
            403: "A customer names another customer",
        },
    )
    async def list_orders(call: Call[None, OrdersQuery]) -> Reply[OrderPage]:
        paging, wanted = Paging(call, "orders"), Wanted(call.query.customer_id, call.query.status or ())
        orders = await handlers.list_orders(wanted, call.customer, paging.after, call.query.limit, deps)
        next_link = paging.next_link([(each.placed_at, each.id) for each in orders])
        return Reply(OrderPage(value=[OrderView.of(each) for each in orders], next_link=next_link))

    @http.function(
        "GET orders/{orderId}",
        roles={Role.CUSTOMER, Role.SUPPORT, Role.ADMIN},
        owned=True,
        summary="One order",
        statuses={200: "The order, with its ETag", 304: UNCHANGED, 404: "No such order"},
    )
    async def get_order(call: Call[None]) -> Reply[OrderView]:
        order = await handlers.get_order(id_in_route(call.route, "orderId"), call.customer, deps)
        return Reply(OrderView.of(order), headers={"ETag": order.etag})

    @http.function(
        "POST orders/{orderId}/cancel",
        roles={Role.CUSTOMER, Role.SUPPORT},
        owned=True,
        summary="Wish to cancel; how that ends, the order tells",
        statuses={
            202: "Under way, or done already",
            404: "No such order",
            409: "`too-late-to-cancel`: shipped, or rejected",
            422: "A body that says something",
        },
        sends=["ETag"],
    )
    async def cancel_order(call: Call[None]) -> Reply[OrderView]:
        order = await handlers.cancel_order(id_in_route(call.route, "orderId"), call.customer, call.actor, deps)
        return Reply(OrderView.of(order), 202, {"ETag": order.etag})

    @http.function(
        "GET waits",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="Orders that wait, longest first",
        statuses={200: "A page of orders", 400: "A query parameter is wrong"},
    )
    async def list_waits(call: Call[None, WaitsQuery]) -> Reply[WaitPage]:
        paging, asked = Paging(call, "waits"), call.query
        orders = await handlers.list_waiting(asked.waiting, asked.over, paging.after, asked.limit, deps)
        next_link = paging.next_link([(each.since, each.id) for each in orders])
        return Reply(WaitPage(value=[wait_of(each) for each in orders], next_link=next_link))

    @http.function(
        "GET waits/{orderIds}",
        operation="get_waits",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="What these orders wait for, if they aren't final",
        statuses={200: "Those of them that there are", 400: "`invalid-query`: they are too many"},
    )
    async def get_waits(call: Call[None]) -> Reply[StandingPage]:
        found = await deps.orders.find(ids_in_route(call.route, "orderIds"))
        return Reply(StandingPage(value=[standing_of(each) for each in found]))

    @http.function(
        "POST orders/{orderId}/announce",
        roles={Role.OPERATIONS, Role.ADMIN},
        summary="Announce again that an order was placed, and how it ended, for whoever didn't hear",
        statuses={202: "On its way", 404: "No such order", 422: "A body that says something"},
    )
    async def announce_order(call: Call[None]) -> Reply[AnnouncedView]:
        order_id = id_in_route(call.route, "orderId")
        return Reply(AnnouncedView(order_id=order_id, events=await handlers.announce_order(order_id, deps)), 202)

    @http.function(
        "GET prices/{sku}",
        roles=EVERYBODY,
        summary="What orders knows of a product's price",
        statuses={
            200: "The price, with its ETag",
            304: UNCHANGED,
            404: "Orders knows no such product, perhaps not yet",
        },
    )
    async def get_price(call: Call[None]) -> Reply[PriceView]:
        sku = sku_in_route(call.route)
        price = await deps.prices.get(sku)
        if price is None:
            raise not_found(f"price of {sku}")
        return Reply(PriceView.of(price), headers={"ETag": price.etag})

    @http.function(
        "GET customers/{customerId}/data",
        roles={Role.ADMIN},
        summary="All that is known of a customer, and what of it is still to be forgotten",
        statuses={
            200: "A page of their orders, oldest first",
            400: "A query parameter is wrong",
            404: "Nobody can have that id",
        },
    )
    async def get_customer_data(call: Call[None, PageParameters]) -> Reply[CustomerDataPage]:
        customer_id = subject_in_route(call.route, "customerId")
        paging = Paging(call, f"customers/{quote(customer_id, safe='')}/data")
        found = await orders_of(customer_id, paging.after, call.query.limit, deps)
        page = CustomerDataPage(
            customer_id=customer_id,
            value=[WholeOrderView.of(each.order) for each in found if isinstance(each.order, Order)],
            unreadable=[each.id for each in found if isinstance(each.order, Unparseable)],
            due=await due_of(await deps.erasures.get(customer_id), deps),
            next_link=paging.next_link([(parse_rfc3339(each.at), each.id) for each in found]),
        )
        return Reply(page)

    @http.function(
        "DELETE customers/{customerId}/data",
        operation="forget_customer",
        roles={Role.ADMIN},
        summary="Forget a customer: of what they ordered so far, ids, goods and amounts alone stay",
        statuses={
            202: "It will be done, of each order when it is final",
            404: "Nobody can have that id",
            422: "A body that says something",
        },
    )
    async def delete_customer_data(call: Call[None]) -> Reply[ErasureView]:
        customer_id = subject_in_route(call.route, "customerId")
        erasure = await forget_customer(customer_id, call.actor, deps)
        due = await due_of(erasure, deps)
        return Reply(ErasureView(customer_id=customer_id, until=rfc3339(erasure.until), due=due), 202)

    queues: Queues = {
        "orders": dict.fromkeys(FACTS, partial(handlers.on_fact, deps=deps)),
        "orders-prices": dict.fromkeys(PRODUCT_STATES, partial(handlers.on_price, prices=deps.prices)),
    }
    forgetting = Forgetting(deps)
    sweeps = Resending(deps).run, forgetting.at_their_wish, forgetting.by_time
    return context_blueprint(http, context, queues, *sweeps)
