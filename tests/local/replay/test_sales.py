"""Which rows of a file can be sold, and why the others can't."""

from pathlib import Path

import pytest

from local.replay.sales import HEADER, Sales, UnusableFileError, read

_HEADER = ",".join(HEADER)
_GOOD = "536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"


def _read(tmp_path: Path, *lines: str | bytes, header: str = _HEADER) -> Sales:
    file = tmp_path / "sales.csv"
    encoded = (line if isinstance(line, bytes) else line.encode() for line in (header, *lines))
    file.write_bytes(b"".join(line + b"\n" for line in encoded))
    return read(file)


def _row(**changed: str) -> str:
    return ",".join((dict(zip(HEADER, _GOOD.split(","), strict=True)) | changed).values())


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
        (_GOOD.encode().replace(b"WHITE", b"\xa3WHITE"), "encoding"),
        (_row(InvoiceDate=""), "date"),
        (_row(InvoiceDate="12/1/2010 8:26"), "date"),
        (_row(InvoiceDate="2010-13-01 08:26:00"), "date"),
        (_row(InvoiceDate="2010-02-29 08:26:00"), "date"),
        (_row(StockCode=""), "sku"),
        (_row(StockCode="A" * 41), "sku"),
        (_row(StockCode="A/B"), "sku"),
        (_row(StockCode="STRAẞE"), "sku"),
        (_row(StockCode="ſ1"), "sku"),
        (_row(Quantity="0"), "quantity"),
        (_row(Quantity="-1"), "quantity"),
        (_row(Quantity="1.5"), "quantity"),
        (_row(Quantity="six"), "quantity"),
        (_row(Quantity="٣"), "quantity"),
        (_row(Description=""), "description"),
        (_row(Description="  "), "description"),
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
        broken[name] = dict(zip(HEADER, _GOOD.split(","), strict=True))[name]

    sales = _read(tmp_path, b"\xff,1", b"\xff" + rows[0].encode(), *rows)

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

    assert sales.accepted[0].name == 'RED, "BIG"\nHEART'
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
        (b"\xef\xbb\xbf", "wrong header"),
        (b"Invoice,StockCode\n1,2\n", "wrong header"),
        (_HEADER.encode("utf-16"), "wrong header"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "sales.csv"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UnusableFileError, match=said):
        read(file)
