"""A shop sells in the currency that it was started with, whatever its minor units, from price to capture."""

import json
from pathlib import Path

import pytest

from tests.e2e.stack import first_invoices, stack

pytestmark = [pytest.mark.stack, pytest.mark.long]


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
async def test_sales_are_replayed_in_the_currency_of_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, currency: str
) -> None:
    monkeypatch.setenv("SHOP_CURRENCY", currency)
    sales, report = first_invoices(10, tmp_path / "ten.csv"), tmp_path / "report.json"
    with stack(tmp_path / "state") as running:
        status, output = await running.run("replay", str(sales), "--report", str(report))

    assert status == 0, output
    told = json.loads(report.read_text())
    # At a yen for a pound some orders are below what a provider takes.
    assert told["currency"] == currency
    assert told["orders"]["completed"] + told["orders"]["refused"].get("total_outside_limits", 0) == 10
    assert told["orders"]["completed"] >= 5
