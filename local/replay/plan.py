"""What a replay will do, decided before anything is sent: the catalogue, the stock, the orders.

An invoice becomes one order, its rows of one SKU one line. Only rows that end in an order count: an invoice that is set
aside whole adds neither to the demand that stock is made for nor to the catalogue.
"""

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from local.identity.issuer import GUEST, Caller, Role
from local.replay.countries import code_of
from local.replay.sales import Sale, Sales, one_line

type Cancel = Literal["at once", "later"]

MAX_LINES = 1_000
MAX_QUANTITY = 100_000
PAYS = "pm_card_visa"
DECLINES = "pm_card_visa_chargeDeclined"


@dataclass(frozen=True, slots=True)
class Product:
    """A SKU as its last sale has it; the price in minor units."""

    sku: str
    name: str
    price: int


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One invoice as an order: who sends what, whether it is cancelled."""

    invoice: str
    caller: Caller
    body: dict[str, Any]
    cancel: Cancel | None


@dataclass(frozen=True, slots=True)
class Input:
    """What the file held, in the report's own names."""

    rows: int
    invoices: int
    rejected_rows: dict[str, int]
    returns_skipped: int
    adjustments: int
    merged_rows: int
    folded_skus: int
    empty_invoices: int
    oversized_invoices: int
    unknown_countries: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole replay, in the order of the file; prices and orders are in `currency`."""

    input: Input
    currency: str
    products: dict[str, Product]
    stock: dict[str, int]
    orders: list[PlannedOrder]


def plan(sales: Sales, stock_factor: Decimal, decline_every: int | None, cancel_every: int | None) -> Plan:
    """Every `decline_every`th order pays with a card that is declined, every `cancel_every`th is cancelled, of these in
    turn one at once and one later. Stock is the factor times what is ordered of a SKU, rounded down."""
    by_invoice: dict[str, list[Sale]] = {}
    for sale in sales.accepted:
        by_invoice.setdefault(sale.invoice, []).append(sale)
    lines = {invoice: _lines(rows) for invoice, rows in by_invoice.items()}
    kept = {invoice: rows for invoice, rows in by_invoice.items() if _fits(lines[invoice])}
    orders = [
        PlannedOrder(
            invoice,
            _caller(invoice, rows),
            _body(invoice, rows, lines[invoice])
            | {"currency": sales.currency, "paymentMethod": DECLINES if _falls_on(number, decline_every) else PAYS},
            _cancel(number, cancel_every),
        )
        for number, (invoice, rows) in enumerate(kept.items(), start=1)
    ]
    products = {row.sku: Product(row.sku, _text(row.name), row.price) for row in sales.accepted if row.invoice in kept}
    demand: Counter[str] = Counter()
    for invoice in kept:
        demand.update(lines[invoice])
    return Plan(
        Input(
            rows=sales.rows,
            invoices=len(sales.invoices),
            rejected_rows=dict(Counter(reject.reason for reject in sales.rejects)),
            returns_skipped=len(sales.returns),
            adjustments=len(sales.adjustments),
            merged_rows=sum(len(rows) - len(lines[invoice]) for invoice, rows in kept.items()),
            folded_skus=len(sales.folded),
            empty_invoices=len(sales.invoices) - len(sales.returns) - len(sales.adjustments) - len(by_invoice),
            oversized_invoices=len(by_invoice) - len(kept),
            unknown_countries=sum(code_of(rows[0].country) is None for rows in kept.values()),
        ),
        sales.currency,
        products,
        {sku: int(Fraction(stock_factor) * demand[sku]) for sku in products},
        orders,
    )


def _lines(rows: list[Sale]) -> Counter[str]:
    lines: Counter[str] = Counter()
    for row in rows:
        lines[row.sku] += row.quantity
    return lines


def _fits(lines: Counter[str]) -> bool:
    return len(lines) <= MAX_LINES and max(lines.values()) <= MAX_QUANTITY


def _falls_on(number: int, every: int | None) -> bool:
    return every is not None and number % every == 0


def _cancel(number: int, every: int | None) -> Cancel | None:
    if every is None or number % every:
        return None
    return "at once" if number // every % 2 else "later"


def _customer(rows: list[Sale]) -> str:
    return _text(re.sub("[.,]0$", "", next((row.customer for row in rows if row.customer), "")))


def _caller(invoice: str, rows: list[Sale]) -> Caller:
    """An order of a customer is the customer's; one without is that of a guest, whom only this invoice is of."""
    return Caller(Role.CUSTOMER, _customer(rows) or _text(f"{GUEST}{invoice}"))


def _body(invoice: str, rows: list[Sale], lines: Counter[str]) -> dict[str, Any]:
    """The request, but for its payment. A guest's address is made up from the invoice's number."""
    customer = _customer(rows)
    caller: dict[str, Any] = {"customerId": customer} if customer else {}
    return {
        **caller,
        "email": f"{_local_part(customer or f'guest-{invoice}')}@example.com",
        "shippingAddress": {
            "name": _text(f"Customer {customer}") if customer else _text(f"Guest of invoice {invoice}"),
            "line1": "1 High Street",
            "city": _text(rows[0].country) or "Unknown",
            "country": code_of(rows[0].country) or "GB",
        },
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
    }


def _text(text: str) -> str:
    return one_line(text)[:200]


def _local_part(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:64]
