"""The orders that are placed meanwhile: real sales of a few lines each, again and again until there are enough."""

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from local.replay.plan import Plan, PlannedOrder, plan
from local.replay.sales import Sale, read

FILE = Path(__file__).parents[1] / "examples" / "online_retail.csv"
A_MINUTE = 220
"""So many orders are placed, whatever becomes of those before them."""

_MOST_LINES = 6
_MOST_INVOICES = 60
"""Loading what they sell takes less time than selling it."""
_DECLINED_EVERY, _CANCELLED_EVERY, _LAPSED_EVERY = 13, 7, 11
_LAPSES = "pm_card_visa_captureExpired"
_SCARCE_EVERY, _SCARCE = 5, Decimal("0.4")


def orders(minutes: float) -> Plan:
    """So many minutes of orders. Some are declined, some cancelled; of some the payment has lapsed when they are
    shipped; and of every fifth product there isn't enough for all."""
    sales, wanted = read(FILE), math.ceil(minutes * A_MINUTE)
    by_invoice: dict[str, list[Sale]] = {}
    for row in sales.accepted:
        by_invoice.setdefault(row.invoice, []).append(row)
    small = [rows for rows in by_invoice.values() if len(rows) <= _MOST_LINES][:_MOST_INVOICES]
    again = [small[number % len(small)] for number in range(wanted)]
    sales.accepted = [
        replace(row, invoice=f"{row.invoice}-{number}") for number, rows in enumerate(again) for row in rows
    ]
    made = plan(sales, Decimal(1), _DECLINED_EVERY, _CANCELLED_EVERY)
    stock = {
        sku: int(units * _SCARCE) if number % _SCARCE_EVERY == 0 else units
        for number, (sku, units) in enumerate(made.stock.items())
    }
    return replace(made, stock=stock, orders=[_lapsing(*order) for order in enumerate(made.orders, start=1)])


def _lapsing(number: int, order: PlannedOrder) -> PlannedOrder:
    if number % _LAPSED_EVERY:
        return order
    return replace(order, body=order.body | {"paymentMethod": _LAPSES})
