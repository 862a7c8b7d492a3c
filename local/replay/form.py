"""Finds out how a file of sales is written, and reads its rows: CSV in many a dialect, one row per item of an invoice.

A file may be gzipped. It is UTF-8, UTF-16 or, where it can't be either, Windows-1252; in UTF-8 a byte that fits nothing
makes its row unreadable, not the file. Columns are known by their names in the header, in the spelling of Online Retail
or Online Retail II; others are passed over. Blank lines are no rows. Fields may be quoted and then hold delimiters,
quotes and line ends; where a quote is left open, the line that opens it is read alone, so that one stray quote costs
one row and not the rest of the file.
"""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from io import StringIO
from pathlib import Path

from local.state import StackError

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
"""What a file must have."""

_SPELLINGS = {column.casefold(): column for column in COLUMNS} | {"invoice": "InvoiceNo", "price": "UnitPrice"}
_WANTED = "InvoiceNo or Invoice, StockCode, Description, Quantity, InvoiceDate, UnitPrice or Price, CustomerID, Country"
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 100
_DATE = re.compile(
    r"(\d+[-./]\d+[-./]\d+)"
    r"([ T]+([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AP]M)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


class UnusableFileError(StackError):
    """The file as a whole can't be replayed; the text says what was found, and what is wanted."""

    status = 2


class Dates(StrEnum):
    """The order of year, month and day."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


_DAYS = {
    "%Y-%m-%d": Dates.YMD,
    "%d-%m-%Y": Dates.DMY,
    "%d-%m-%y": Dates.DMY,
    "%m-%d-%Y": Dates.MDY,
    "%m-%d-%y": Dates.MDY,
}


@dataclass(frozen=True, slots=True)
class Form:
    """How one file is written. `columns` says where in a row of as many fields as the header has each column is."""

    encoding: str
    delimiter: str
    header: list[str]
    columns: dict[str, int]
    decimal: str
    dates: Dates

    def __str__(self) -> str:
        return (
            f"{self.encoding}, fields by {_DELIMITERS[self.delimiter]}, "
            f"decimal {'points' if self.decimal == '.' else 'commas'}, dates {self.dates}"
        )

    def is_date(self, text: str) -> bool:
        """Whether it is a day that exists, with or without a time, in this file's order."""
        return self.dates in _orders(text)

    def number(self, text: str) -> str:
        """A number as Python reads it: with a decimal point, and thousands not set apart."""
        if self.decimal == ",":
            text = text.translate({ord(","): ".", ord("."): ","})
        return text.replace(",", "") if _GROUPED.fullmatch(text) else text


def read_table(path: Path, dates: Dates | None = None) -> tuple[Form, list[tuple[int, list[str]]]]:
    """The form that was found, and the rows, each with the line that it starts on (the first is 1); `dates` tells the
    order where the file leaves it open.

    UnusableFileError where the file is missing, empty or of another kind, or its dates can be read in two ways.
    """
    text, encoding = _decoded(path)
    lines = list(StringIO(text, newline=""))
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise UnusableFileError(f"{path} is empty")
    delimiter, header = _header(path, lines[first])
    rows = [(line, [field.strip() for field in fields]) for line, fields in _records(lines, first + 1, delimiter)]
    if rows and all(len(fields) == len(header) + 1 for _, fields in rows[:_SAMPLE]):
        header.insert(0, "")  # R leaves the column of row numbers without a name
    columns = {column: place for place, name in enumerate(header) if (column := _column(name))}
    whole = [fields for _, fields in rows if len(fields) == len(header)]
    last = Counter(re.sub("[^.,]", "", fields[columns["UnitPrice"]])[-1:] for fields in whole[:_SAMPLE])
    order = dates or _order(path, {fields[columns["InvoiceDate"]] for fields in whole})
    return Form(encoding, delimiter, header, columns, "," if last[","] > last["."] else ".", order), rows


def _decoded(path: Path) -> tuple[str, str]:
    """Text and encoding. Which one it is shows in all of the bytes: the first that isn't ASCII may come late."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableFileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if content.startswith(b"PK"):
        raise UnusableFileError(f"{path} is an Excel workbook or a ZIP archive; wanted is CSV: save the sheet as such")
    encoding = _encoding(content)
    try:
        text = content.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict")
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{path} is {encoding}, but not at byte {error.start}") from error
    return text.removeprefix("\ufeff"), encoding.removesuffix("-sig")


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in content[:2]:
        return "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            # With anything in it that only UTF-8 would have, it is UTF-8 with some bad bytes.
            if re.search(rb"[\xc2-\xf4][\x80-\xbf]", content):
                break
        else:
            return encoding
    return "utf-8-sig"


def _header(path: Path, line: str) -> tuple[str, list[str]]:
    """The delimiter by which most columns are found, and the names by it."""
    headers = [(delimiter, [name.strip() for name in _alone(line, delimiter)]) for delimiter in _DELIMITERS]
    delimiter, header = max(headers, key=lambda found: sum(_column(name) is not None for name in found[1]))
    count = Counter(map(_column, header))
    wrong = [f"{count[column] or 'no'} {column}" for column in COLUMNS if count[column] != 1]
    if wrong:
        found = f"{', '.join(wrong)} in {line.strip()[:200]!r}"
        raise UnusableFileError(f"{path} has a wrong header: {found}; wanted are {_WANTED}")
    return delimiter, header


def _column(name: str) -> str | None:
    return _SPELLINGS.get(re.sub(r"[\W_]", "", name).casefold())


def _records(lines: list[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    while start < len(lines):
        following = (lines[number] for number in range(start, len(lines)))
        reader = csv.reader(following, delimiter=delimiter, strict=True)
        try:
            fields, taken = next(reader), reader.line_num
        except csv.Error:
            fields, taken = _alone(lines[start], delimiter), 1
        if fields:
            yield start + 1, fields
        start += taken


def _alone(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return [line]


def _order(path: Path, dates: set[str]) -> Dates:
    """The one order in which the dates exist. Day and month between points are in that order everywhere."""
    fits = Counter(order for date in dates for order in _orders(date))
    if fits[Dates.YMD] >= max(fits[Dates.DMY], fits[Dates.MDY]):
        return Dates.YMD
    either = {date for date in dates if Dates.DMY in _orders(date) or Dates.MDY in _orders(date)}
    single = {order for date in either if len(orders := _orders(date)) == 1 for order in orders}
    if len(single) == 1:
        return single.pop()
    if not single and all("." in date for date in either):
        return Dates.DMY
    raise UnusableFileError(
        f"{path} has dates like {min(either)!r}, "
        + ("some with the day first, some with the month" if single else "in which the day or the month may be first")
        + ": say with --dates dmy or --dates mdy which it is"
    )


def _orders(date: str) -> frozenset[Dates]:
    """The orders in which it is a day that exists."""
    match = _DATE.fullmatch(date)
    return _orders_of_day(re.sub("[./]", "-", match[1])) if match else frozenset()


@cache
def _orders_of_day(day: str) -> frozenset[Dates]:
    found = set()
    for pattern, order in _DAYS.items():
        with suppress(ValueError):
            datetime.strptime(day, pattern)  # noqa: DTZ007
            found.add(order)
    return frozenset(found)
