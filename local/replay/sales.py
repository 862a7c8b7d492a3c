"""Reads a file of sales: CSV, one row per item of an invoice, in the columns of the UCI Online Retail data set.

The file is UTF-8, with or without a byte order mark; a byte that isn't makes its row unreadable, not the file. Blank
lines are no rows. Fields may be quoted and then hold commas, quotes and line ends; where a quote is left open, the line
that opens it is read alone, so that one stray quote costs one row and not the rest of the file.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from pathlib import Path
from typing import Literal

HEADER = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]

Reason = Literal["columns", "encoding", "date", "sku", "quantity", "description", "price"]

_UNDECODED = re.compile("[\udc80-\udcff]")
_DATE = re.compile(r"\d{4}-\d\d-\d\d ([01]\d|2[0-3]):\d\d:\d\d", re.ASCII)
_SKU = re.compile(r"[A-Za-z0-9._ -]{1,40}")
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_PRICE = re.compile(r"[0-9]{0,18}(\.[0-9]*)?")
_PENNY = Decimal("0.01")


class UnusableFileError(Exception):
    """The file as a whole can't be replayed; the text says why."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One row that can be sold. `price` is in pennies; `customer` is empty where the file names none."""

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
    """All that a file says. Invoice numbers keep the order in which they come first."""

    rows: int = 0
    invoices: dict[str, None] = field(default_factory=dict)
    returns: dict[str, None] = field(default_factory=dict)
    accepted: list[Sale] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    folded: set[str] = field(default_factory=set)


def read(path: Path) -> Sales:
    """All that the file says, its bad rows apart; UnusableFileError if it is missing, empty or of another kind."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path} can't be read: {error.strerror}") from error
    if not content.strip():
        raise UnusableFileError(f"{path} is empty")
    lines = list(StringIO(content.decode("utf-8-sig", "surrogateescape"), newline=""))
    records = _records(lines)
    _, header = next(records, (0, []))
    if [name.strip() for name in header] != HEADER:
        raise UnusableFileError(f"{path} has a wrong header: its first line must read {','.join(HEADER)}")
    sales = Sales()
    for line, fields in records:
        _add(sales, line, [text.strip() for text in fields])
    return sales


def _records(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    start = 0
    while start < len(lines):
        reader = csv.reader((lines[number] for number in range(start, len(lines))), strict=True)
        try:
            fields, taken = next(reader), reader.line_num
        except csv.Error:
            fields, taken = _alone(lines[start]), 1
        if fields:
            yield start + 1, fields
        start += taken


def _alone(line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return [line]


def _add(sales: Sales, line: int, fields: list[str]) -> None:
    sales.rows += 1
    invoice = fields[0]
    if invoice:
        sales.invoices[invoice] = None
    if invoice.upper().startswith("C"):
        sales.returns[invoice] = None
        return
    row = _sale(fields)
    if not isinstance(row, Sale):
        sales.rejects.append(Reject(line, row, fields))
        return
    sales.accepted.append(row)
    if row.sku != fields[1]:
        sales.folded.add(fields[1])


def _sale(fields: list[str]) -> Sale | Reason:
    if len(fields) != len(HEADER) or not fields[0]:
        return "columns"
    if any(map(_UNDECODED.search, fields)):
        return "encoding"
    invoice, sku, description, quantity, date, price, customer, country = fields
    if not _is_date(date):
        return "date"
    if not _SKU.fullmatch(sku):
        return "sku"
    if not _WHOLE.fullmatch(quantity) or (count := int(Decimal(quantity))) <= 0:
        return "quantity"
    if not description:
        return "description"
    if (pennies := _pennies(price)) < 1:
        return "price"
    return Sale(invoice, sku.upper(), description, count, pennies, customer, country)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _pennies(text: str) -> int:
    if not _PRICE.fullmatch(text) or not text.strip("."):
        return 0
    return int(Decimal(text).quantize(_PENNY, ROUND_HALF_UP) / _PENNY)
