"""What a file of sales says: its rows that can be sold, and what is wrong with the others."""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from local.replay.currencies import minor_units
from local.replay.form import COLUMNS, Dates, Form, read_table

Reason = Literal["columns", "encoding", "date", "sku", "quantity", "description", "price"]
_WANTED = (
    "wanted are rows of as many fields as the header has, with a date such as 2010-12-01 08:26, 12/1/2010 8:26 or "
    "01.12.2010 8:26, a SKU of at most 40 characters, a description, a whole quantity and a price above zero"
)

_UNDECODED = re.compile("[\udc80-\udcff]")
_SKU = re.compile(r"(?!\.{1,2}\Z)[ !$&->@-\[\]-~]{1,40}")
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_PRICE = re.compile(r"[0-9]{0,18}(\.[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Sale:
    """One row that can be sold. `price` is in minor units; `customer` is empty where the file names none."""

    invoice: str
    sku: str
    name: str
    quantity: int
    price: int
    customer: str
    country: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that can't be sold: the line it starts on (the header's is 1), the first reason, its fields."""

    line: int
    reason: Reason
    fields: list[str]


@dataclass(slots=True)
class Sales:
    """All that a file says, prices in `currency`. Invoice numbers keep the order in which they come first; `returns`
    and `adjustments` are those of no sale."""

    rows: int = 0
    invoices: dict[str, None] = field(default_factory=dict)
    returns: dict[str, None] = field(default_factory=dict)
    accepted: list[Sale] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    folded: set[str] = field(default_factory=set)
    adjustments: dict[str, None] = field(default_factory=dict)
    currency: str = "GBP"
    header: list[str] = field(default_factory=lambda: [*COLUMNS])
    form: Form | None = None

    def explain_nothing(self) -> str:
        """Why there is nothing in it to sell, in one line."""
        if not self.rows:
            return "no row follows its header"
        counts = Counter(reject.reason for reject in self.rejects)
        said = [
            f"none of its {self.rows} rows can be sold",
            *(f"{count} rejected for {reason}" for reason, count in counts.items()),
        ]
        if self.rejects:
            first = self.rejects[0]
            said += [f"the first, line {first.line}, for {first.reason}: {', '.join(first.fields)[:200]}", _WANTED]
        said.append(f"{len(self.returns)} invoices are returns and {len(self.adjustments)} adjustments")
        return "; ".join(said)


def read(path: Path, currency: str = "GBP", dates: Dates | None = None) -> Sales:
    """All that the file says, its bad rows apart. Raises UnusableFileError."""
    form, rows = read_table(path, dates)
    sales = Sales(currency=currency, header=form.header, form=form)
    for line, fields in rows:
        _add(sales, form, line, fields)
    return sales


def _add(sales: Sales, form: Form, line: int, fields: list[str]) -> None:
    sales.rows += 1
    place = form.columns["InvoiceNo"]
    invoice = fields[place] if place < len(fields) else ""
    if invoice:
        sales.invoices[invoice] = None
    if invoice[:1].isalpha():
        (sales.returns if invoice[0] in "Cc" else sales.adjustments)[invoice] = None
        return
    row = _sale(form, fields, sales.currency)
    if not isinstance(row, Sale):
        sales.rejects.append(Reject(line, row, fields))
        return
    sales.accepted.append(row)
    if row.sku != (spelt := fields[form.columns["StockCode"]]):
        sales.folded.add(spelt)


def _sale(form: Form, fields: list[str], currency: str) -> Sale | Reason:
    if len(fields) != len(form.header) or not fields[form.columns["InvoiceNo"]]:
        return "columns"
    if any(map(_UNDECODED.search, fields)):
        return "encoding"
    values = [fields[form.columns[name]] for name in COLUMNS]
    invoice, sku, description, quantity, date, price, customer, country = values
    if not form.is_date(date):
        return "date"
    sku = re.sub(" +", " ", sku)
    if not _SKU.fullmatch(sku):
        return "sku"
    if not _WHOLE.fullmatch(quantity := form.number(quantity)) or (count := int(Decimal(quantity))) <= 0:
        return "quantity"
    if not (name := one_line(description)):
        return "description"
    if (amount := _amount(form.number(price), currency)) < 1:
        return "price"
    return Sale(invoice, sku.upper(), name, count, amount, customer, country)


def one_line(text: str) -> str:
    """The text as the API takes one: without what can't be seen, in one line."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _amount(text: str, currency: str) -> int:
    if not _PRICE.fullmatch(text) or not text.strip("."):
        return 0
    return minor_units(Decimal(text), currency)
