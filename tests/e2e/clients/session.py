"""The README's session, by the client that openapi-python-client makes of openapi.json.

`python session.py ORIGIN`, then the tokens of an admin, the warehouse and a customer. Prints the completed order.
"""

import json
import sys
import time
from collections.abc import Callable

from orderflow_client import AuthenticatedClient
from orderflow_client.api.orders import get_order, place_order
from orderflow_client.api.prices import get_price
from orderflow_client.api.products import import_products
from orderflow_client.api.shipments import dispatch_shipment, get_shipment
from orderflow_client.api.stock import put_stock
from orderflow_client.models import (
    AddressBody,
    DispatchNote,
    LineBody,
    OrderBody,
    OrderView,
    Price,
    PriceView,
    ProductImport,
    ProductsImport,
    ShipmentView,
    StockCount,
    StockView,
)

SKU = "MUG-1"


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def follow(admin: AuthenticatedClient, warehouse: AuthenticatedClient, ada: AuthenticatedClient) -> OrderView:
    """A product, an order for two of it, and the order when it is completed."""
    product = ProductImport(SKU, "Enamel mug", Price(250, "GBP"))
    report = import_products.sync(client=admin, body=ProductsImport([product]))
    assert report.results[0].sku == SKU, report
    assert isinstance(put_stock.sync(SKU, client=warehouse, body=StockCount(12)), StockView)
    until(lambda: isinstance(get_price.sync(SKU, client=ada), PriceView))

    body = OrderBody(
        email="ada@example.com",
        currency="GBP",
        payment_method="pm_card_visa",
        shipping_address=AddressBody("Ada Lovelace", "12 St James Square", "London", "GB"),
        lines=[LineBody(SKU, 2)],
    )
    order = place_order.sync(client=ada, body=body, idempotency_key="my-first-order")
    again = place_order.sync(client=ada, body=body, idempotency_key="my-first-order")
    assert isinstance(order, OrderView), order
    assert again.order_id == order.order_id

    until(lambda: get_order.sync(order.order_id, client=ada).status == "confirmed")
    shipment = f"shp_{order.order_id}"
    until(lambda: isinstance(get_shipment.sync(shipment, client=warehouse), ShipmentView))
    sent = dispatch_shipment.sync(shipment, client=warehouse, body=DispatchNote("Royal Mail", "RM1"))
    assert sent.status == "dispatched", sent
    until(lambda: get_order.sync(order.order_id, client=ada).status == "completed")
    return get_order.sync(order.order_id, client=ada)


if __name__ == "__main__":
    # A status that the document doesn't name is an error.
    clients = [AuthenticatedClient(sys.argv[1], token, raise_on_unexpected_status=True) for token in sys.argv[2:]]
    sys.stdout.write(json.dumps(follow(*clients).to_dict()))
