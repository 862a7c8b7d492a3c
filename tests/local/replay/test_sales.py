"""Which rows of a file can be sold, and why the others can't."""

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.__main__ import app
from local.replay.form import COLUMNS, Dates, UnusableFileError
from local.replay.plan import plan
from local.replay.sales import Sales, read
from shared.texts import parse_sku, parse_text

_HEADER = ",".join(COLUMNS)
_GOOD = "536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"


def _read(tmp_path: Path, *lines: str | bytes, header: str = _HEADER) -> Sales:
    file = tmp_path / "sales.csv"
    encoded = (line if isinstance(line, bytes) else line.encode() for line in (header, *lines))
    file.write_bytes(b"".join(line + b"\n" for line in encoded))
    return read(file)


def _row(**changed: str) -> str:
    return ",".join((dict(zip(COLUMNS, _GOOD.split(","), strict=True)) | changed).values())


def _reasons(sales: Sales) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in sales.rejects]


def test_a_good_row_is_a_sale_in_pennies(tmp_path: Path) -> None:
    sales = _read(tmp_path, _GOOD)

    [sale] = sales.accepted
    assert (sale.invoice, sale.sku, sale.quantity, sale.price) == ("536365", "85123A", 6, 255)
    assert (sale.customer, sale.country) == ("17850.0", "United Kingdom")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_GOOD + ",more", "columns"),
        ("536365,85123A", "columns"),
        (_row(InvoiceNo=""), "columns"),
        (_row(InvoiceDate=""), "date"),
        (_row(InvoiceDate="12/1/2010 8:26"), "date"),
        (_row(InvoiceDate="2010-13-01 08:26:00"), "date"),
        (_row(InvoiceDate="2010-02-29 08:26:00"), "date"),
        (_row(StockCode=""), "sku"),
        (_row(StockCode="A" * 41), "sku"),
        (_row(StockCode="A#B"), "sku"),
        (_row(StockCode="A\tB"), "sku"),
        (_row(StockCode=".."), "sku"),
        (_row(StockCode="STRAẞE"), "sku"),
        (_row(StockCode="ſ1"), "sku"),
        (_row(Quantity="0"), "quantity"),
        (_row(Quantity="-1"), "quantity"),
        (_row(Quantity="1.5"), "quantity"),
        (_row(Quantity="six"), "quantity"),
        (_row(Quantity="٣"), "quantity"),
        (_row(Description=""), "description"),
        (_row(Description="  "), "description"),
        (_row(Description="\u200b\u2028"), "description"),
        (_row(UnitPrice=""), "price"),
        (_row(UnitPrice="."), "price"),
        (_row(UnitPrice="0.0"), "price"),
        (_row(UnitPrice="0.004999"), "price"),
        (_row(UnitPrice="-2.55"), "price"),
        (_row(UnitPrice="NaN"), "price"),
        (_row(UnitPrice="1e3"), "price"),
        (_row(UnitPrice="9" * 40), "price"),
    ],
)
def test_a_row_that_cannot_be_sold_is_rejected_with_its_reason(tmp_path: Path, row: str | bytes, reason: str) -> None:
    sales = _read(tmp_path, _GOOD, row, _GOOD)

    assert _reasons(sales) == [(3, reason)]
    assert len(sales.accepted) == 2


def test_the_first_reason_counts(tmp_path: Path) -> None:
    broken = {"InvoiceDate": "?", "StockCode": "?", "Quantity": "0", "Description": "", "UnitPrice": "0"}
    rows = []
    for name in broken:
        rows.append(_row(**broken))
        broken[name] = dict(zip(COLUMNS, _GOOD.split(","), strict=True))[name]

    sales = _read(tmp_path, b"\xff,1", b"\xff" + rows[0].encode(), *rows, _row(Description="CAFÉ"))

    reasons = [reason for _, reason in _reasons(sales)]
    assert reasons == ["columns", "encoding", "date", "sku", "quantity", "description", "price"]


@pytest.mark.parametrize(("price", "pennies"), [("0.005", 1), ("1", 100), ("2.005", 201), ("2.0049", 200), (".5", 50)])
def test_a_price_is_rounded_half_up(tmp_path: Path, price: str, pennies: int) -> None:
    assert _read(tmp_path, _row(UnitPrice=price)).accepted[0].price == pennies


def test_rows_of_cancellations_are_set_aside_before_anything_is_wrong_with_them(tmp_path: Path) -> None:
    sales = _read(tmp_path, _row(InvoiceNo="C1", Quantity="-1"), "C1,short", _row(InvoiceNo="C2"), _GOOD)

    assert list(sales.returns) == ["C1", "C2"]
    assert sales.rejects == []
    assert len(sales.accepted) == 1
    assert sales.rows == 4


def test_skus_are_folded_and_each_spelling_that_changed_is_counted_once(tmp_path: Path) -> None:
    sales = _read(tmp_path, *(_row(StockCode=sku) for sku in ("85123a", "85123a", "85123A", "abc", "aBC")))

    assert {sale.sku for sale in sales.accepted} == {"85123A", "ABC"}
    assert sales.folded == {"85123a", "abc", "aBC"}


def test_line_numbers_count_lines_even_where_a_field_spans_several(tmp_path: Path) -> None:
    sales = _read(tmp_path, _row(Description='"RED, ""BIG""\nHEART"'), "", _row(Quantity="0"), _GOOD)

    assert sales.accepted[0].name == 'RED, "BIG" HEART'
    assert _reasons(sales) == [(5, "quantity")]
    assert sales.rows == 3


def test_a_quote_that_is_left_open_costs_one_row(tmp_path: Path) -> None:
    sales = _read(tmp_path, _GOOD, '536366,22633,"HAND WARMER,6', _row(Description='"MINI, RED"'), _GOOD)

    assert _reasons(sales) == [(3, "columns")]
    assert [sale.name for sale in sales.accepted] == ["WHITE HEART", "MINI, RED", "WHITE HEART"]


def test_a_field_too_long_for_the_parser_costs_one_row(tmp_path: Path) -> None:
    sales = _read(tmp_path, _row(Description="x" * 200_000), _GOOD)

    assert _reasons(sales) == [(2, "columns")]
    assert len(sales.accepted) == 1


def test_a_byte_order_mark_and_windows_line_ends_are_nothing_special(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(b"\xef\xbb\xbf" + f"{_HEADER}\r\n{_GOOD}\r\n{_row(Quantity='0')}\r\n".encode())

    sales = read(file)

    assert len(sales.accepted) == 1
    assert _reasons(sales) == [(3, "quantity")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (
            b"Invoice,StockCode\n1,2\n",
            "no Description, .* in 'Invoice,StockCode'; wanted are InvoiceNo or",
        ),
        (b"sep=;\n", "wrong header: no InvoiceNo, .* in 'sep=;'; wanted are InvoiceNo or Invoice, StockCode"),
        (f"Price,{_HEADER}\n".encode(), "wrong header: 2 UnitPrice in 'Price,InvoiceNo"),
        (_HEADER.encode("utf-16-le")[:-1], "is utf-16-le, but not at byte"),
        (b"PK\x03\x04rest", "is an Excel workbook or a ZIP archive; wanted is CSV"),
        (gzip.compress(_HEADER.encode(), mtime=0)[:-9], "can't be read: Compressed file ended before"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "sales.csv"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UnusableFileError, match=said):
        read(file)


_II = "Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country"
_FORMS = {
    "as published": (f"{_HEADER}\n{_GOOD}\n".encode(), "utf-8, fields by commas, decimal points, dates ymd"),
    "Online Retail II, decimal commas": (
        f"{_II}\n536365;85123A;CAFÉ;6;01.12.2010 8:26;2,55;17850;United Kingdom\n".encode(),
        "utf-8, fields by semicolons, decimal commas, dates dmy",
    ),
    "quoted, decimal commas between commas": (
        f'{_HEADER}\n536365,85123A,X,"6,0",2010-12-01T08:26,"2,55","17850,0",United Kingdom\n'.encode(),
        "utf-8, fields by commas, decimal commas, dates ymd",
    ),
    "an index without a name": (
        f",{_HEADER}\n0,{_GOOD}\n".encode(),
        "utf-8, fields by commas, decimal points, dates ymd",
    ),
    "an index that the header doesn't have": (
        f"{_HEADER}\n1,{_GOOD}\n2,{_GOOD}\n".encode(),
        "utf-8, fields by commas, decimal points, dates ymd",
    ),
    "tabs, UTF-16": (
        f"{_HEADER}\n{_GOOD}\n".replace(",", "\t").encode("utf-16"),
        "utf-16, fields by tabs, decimal points, dates ymd",
    ),
    "UTF-16 without a mark": (
        f"{_HEADER}\n{_GOOD}\n".encode("utf-16-le"),
        "utf-16-le, fields by commas, decimal points, dates ymd",
    ),
    "Windows-1252, months first": (
        f"{_HEADER}\n{_row(Description='£ MUG', InvoiceDate='12/1/2010 8:26')}\n"
        f"{_row(InvoiceDate='12/13/2010 12:00 PM')}\n".encode("cp1252"),
        "cp1252, fields by commas, decimal points, dates mdy",
    ),
    "days first, of two digits": (
        f"{_HEADER}\n{_row(InvoiceDate='1/12/10 08:26')}\n{_row(InvoiceDate='13/12/10')}\n".encode(),
        "utf-8, fields by commas, decimal points, dates dmy",
    ),
    "gzip": (
        gzip.compress(f"{_HEADER}\n{_GOOD}\n".encode(), mtime=0),
        "utf-8, fields by commas, decimal points, dates ymd",
    ),
}


@pytest.mark.parametrize("name", _FORMS)
def test_the_forms_in_which_people_have_this_data_are_found_and_named(tmp_path: Path, name: str) -> None:
    content, form = _FORMS[name]
    file = tmp_path / "sales.csv"
    file.write_bytes(content)

    sales = read(file)

    assert str(sales.form) == form
    assert sales.rejects == []
    assert len(sales.accepted) in (1, 2)
    for sale in sales.accepted:
        assert (sale.invoice, sale.sku, sale.quantity, sale.price) == ("536365", "85123A", 6, 255)
        assert sale.country == "United Kingdom"


def test_a_byte_that_is_not_utf_8_in_a_file_that_is_costs_one_row(tmp_path: Path) -> None:
    bad = _GOOD.encode().replace(b"WHITE", b"\xa3WHITE")

    sales = _read(tmp_path, _row(Description="CAFÉ"), bad)

    assert _reasons(sales) == [(3, "encoding")]


def test_thousands_that_are_set_apart_are_read(tmp_path: Path) -> None:
    sales = _read(tmp_path, _row(UnitPrice='"1,234.50"', Quantity='"1,200"'), _GOOD)

    assert (sales.accepted[0].price, sales.accepted[0].quantity) == (123_450, 1200)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (("12/1/2010 8:26", "11/2/2010"), r"'11/2/2010', in which the day or the month may be first: say with --dates"),
        (("13/1/2010", "1/13/2010"), "some with the day first, some with the month: say with --dates dmy or"),
    ],
)
def test_dates_that_can_be_read_in_two_ways_are_an_error_that_names_the_option(
    tmp_path: Path, dates: tuple[str, str], said: str
) -> None:
    rows = [_row(InvoiceDate=date) for date in dates]

    with pytest.raises(UnusableFileError, match=said):
        _read(tmp_path, *rows)
    sales = read(tmp_path / "sales.csv", dates=Dates.MDY)

    assert len(sales.accepted) + len(sales.rejects) == 2
    assert sales.accepted


def test_a_date_of_another_order_than_the_files_costs_its_row(tmp_path: Path) -> None:
    sales = _read(
        tmp_path, _row(InvoiceDate="1.12.2010"), _row(InvoiceDate="2.12.2010"), _row(InvoiceDate="2010-12-01")
    )

    assert _reasons(sales) == [(4, "date")]


def test_invoices_of_other_letters_than_c_are_adjustments_and_sell_nothing(tmp_path: Path) -> None:
    sales = _read(tmp_path, _row(InvoiceNo="A563185", StockCode="B", Description="Adjust bad debt"), "a1,short", _GOOD)

    assert (list(sales.adjustments), list(sales.returns)) == (["A563185", "a1"], [])
    assert [sale.invoice for sale in sales.accepted] == ["536365"]
    planned = plan(sales, Decimal(1), None, None)
    assert (planned.input.adjustments, planned.input.empty_invoices) == (2, 0)


@pytest.mark.parametrize(
    ("currency", "price", "amount"),
    [("JPY", "250", 250), ("JPY", "2.5", 3), ("KWD", "2.55", 2550), ("KWD", "0.125", 130)],
)
def test_a_price_is_in_the_currencys_own_minor_units(tmp_path: Path, currency: str, price: str, amount: int) -> None:
    _read(tmp_path, _row(UnitPrice=price))

    sales = read(tmp_path / "sales.csv", currency)

    assert sales.accepted[0].price == amount
    assert plan(sales, Decimal(1), None, None).orders[0].body["currency"] == currency


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row follows its header"),
        ([_row(InvoiceNo="C1")], "none of its 1 rows can be sold; 1 invoices are returns and 0 adjustments"),
        (
            [_row(InvoiceDate="Dec 1st"), _row(UnitPrice="£2")],
            "1 rejected for date; .*; the first, line 2, for date: 536365, .*, Dec 1st, .*; wanted are rows of",
        ),
    ],
)
def test_a_file_without_an_order_is_an_error_that_says_what_was_found(
    tmp_path: Path, rows: list[str], said: str
) -> None:
    _read(tmp_path, *rows)
    (tmp_path / "stack.json").write_text(json.dumps({"api": "http://127.0.0.1:9/api", "currency": "GBP", "parts": []}))
    (tmp_path / "keys.json").write_text("{}")

    done = CliRunner().invoke(app, ["replay", str(tmp_path / "sales.csv"), "--state", str(tmp_path)])

    assert done.exit_code == 2
    assert re.search(said, done.stderr)


@pytest.mark.parametrize(
    "sku",
    [
        *(f"a{chr(number)}b" for number in range(0x20, 0x7F)),
        *(".", "..", "...", "a  b", "x" * 40, "x" * 41, "x" * 20 + "  " + "x" * 19, "É", "ß", "a\u00a0b"),
    ],
)
def test_a_sku_is_what_the_api_takes_for_one(tmp_path: Path, sku: str) -> None:
    row = _row(StockCode='"' + sku.replace('"', '""') + '"')
    found = [sale.sku for sale in _read(tmp_path, row).accepted]
    try:
        assert found == [parse_sku(sku)]
    except ValueError:
        assert found == []


@pytest.mark.parametrize("sign", "\x85\x9f\u2028\u2029\u202e\u2066\ufdd0\uffff")
def test_a_description_is_sent_as_the_api_takes_a_text(tmp_path: Path, sign: str) -> None:
    [product] = plan(
        _read(tmp_path, _row(Description=f"Cafe\u0301{sign}mug")), Decimal(1), None, None
    ).products.values()
    assert parse_text(product.name) == "Café mug"
