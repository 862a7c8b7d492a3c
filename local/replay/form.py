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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from io import StringIO
from itertools import islice
from pathlib import Path

COLUMNS = {
    "InvoiceNo": ("invoiceno", "invoice"),
    "StockCode": ("stockcode",),
    "Description": ("description",),
    "Quantity": ("quantity",),
    "InvoiceDate": ("invoicedate",),
    "UnitPrice": ("unitprice", "price"),
    "CustomerID": ("customerid",),
    "Country": ("country",),
}
"""What a file must have, each with the names that it may go by, but for spaces, signs and case."""

_WANTED = "InvoiceNo or Invoice, StockCode, Description, Quantity, InvoiceDate, UnitPrice or Price, CustomerID, Country"
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 100
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
}
_DATE = re.compile(
    r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})"
    r"(?:[ T]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?: ?([AP])M)?(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


class UnusableFileError(Exception):
    """The file as a whole can't be replayed; the text says what was found, and what is wanted."""


class Dates(StrEnum):
    """The order of year, month and day."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True)
class Form:
    """How one file is written. `columns` says where in a row of `width` fields each column is."""

    encoding: str
    delimiter: str
    columns: dict[str, int]
    width: int
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


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows, each with the line that it starts on (the header's is 1)."""

    form: Form
    header: list[str]
    rows: list[tuple[int, list[str]]]


def read_table(path: Path, dates: Dates | None = None) -> Table:
    """The rows, and the form that was found; `dates` tells the order where the file leaves it open.

    UnusableFileError where the file is missing, empty or of another kind, or its dates can be read in two ways.
    """
    text, encoding = _decoded(path)
    lines = list(StringIO(text, newline=""))
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise UnusableFileError(f"{path} is empty")
    delimiter, header = _header(path, lines[first])
    rows = [(line, [field.strip() for field in fields]) for line, fields in _records(lines, first + 1, delimiter)]
    widths = Counter(len(fields) for _, fields in rows[:_SAMPLE])
    # R leaves the column of row numbers without a name: rows are longer by one than their header.
    shift = int(bool(widths) and widths.most_common(1)[0][0] == len(header) + 1)
    columns = {name: place + shift for name, place in _columns(path, header).items()}
    width = len(header) + shift
    whole = [fields for _, fields in rows if len(fields) == width]
    decimal = _decimal(fields[columns["UnitPrice"]] for fields in islice(whole, _SAMPLE))
    order = dates or _order(path, {fields[columns["InvoiceDate"]] for fields in whole})
    return Table(Form(encoding, delimiter, columns, width, decimal, order), [""] * shift + header, rows)


def _decoded(path: Path) -> tuple[str, str]:
    """Text and encoding. Which one it is shows in all of the bytes: the first that isn't ASCII may come late."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except OSError as error:
        raise UnusableFileError(f"{path} can't be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UnusableFileError(f"{path} can't be read: its gzip data is damaged or cut short") from error
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            raise UnusableFileError(f"{path} is {kind}; wanted is CSV: save the sheet as such")
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

    def split(delimiter: str) -> list[str]:
        return [name.strip() for name in _alone(line, delimiter)]

    def known(delimiter: str) -> int:
        return sum(_plain(name) in spellings for name in split(delimiter) for spellings in COLUMNS.values())

    delimiter = max(_DELIMITERS, key=known)
    if not known(delimiter):
        raise UnusableFileError(f"{path} has a wrong header: found {line.strip()[:200]!r}; wanted are {_WANTED}")
    return delimiter, split(delimiter)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    found: dict[str, list[int]] = {
        column: [place for place, name in enumerate(header) if _plain(name) in spellings]
        for column, spellings in COLUMNS.items()
    }
    wrong = [f"no {column}" for column, places in found.items() if not places]
    wrong += [f"{column} {len(places)} times" for column, places in found.items() if len(places) > 1]
    if wrong:
        named = ", ".join(header)[:200]
        raise UnusableFileError(f"{path} has a wrong header: {', '.join(wrong)} in {named}; wanted are {_WANTED}")
    return {column: places[0] for column, places in found.items()}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


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


def _decimal(prices: Iterable[str]) -> str:
    """What most prices have before their decimals."""
    last = Counter(re.sub("[^.,]", "", price)[-1:] for price in prices)
    return "," if last[","] > last["."] else "."


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


@cache
def _orders(date: str) -> frozenset[Dates]:
    """The orders in which it is a day that exists."""
    match = _DATE.fullmatch(date)
    if match is None:
        return frozenset()
    first, _, second, third, hour, minute, second_of_minute, half = match.groups()
    candidates = (
        {Dates.YMD: (first, second, third)}
        if len(first) == 4
        else {Dates.DMY: (third, second, first), Dates.MDY: (third, first, second)}
    )
    clock = f"{int(hour or 0):02}:{minute or '00'}:{second_of_minute or '00'}"
    if half and not "01" <= clock[:2] <= "12":
        return frozenset()
    return frozenset(order for order, day in candidates.items() if _exists(*day, clock))


def _exists(year: str, month: str, day: str, clock: str) -> bool:
    if len(year) not in (2, 4):
        return False
    try:
        datetime.fromisoformat(f"{year if len(year) == 4 else '20' + year}-{month:0>2}-{day:0>2} {clock}")
    except ValueError:
        return False
    return True
