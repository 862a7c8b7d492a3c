"""The counts that docs/cost.md reckons with are those of the code as it is."""

import pytest

from scripts import cost_inputs
from scripts.measure_orders import measure_orders


@pytest.mark.long
@pytest.mark.stack
def test_an_order_counts_what_the_page_on_costs_reckons_with() -> None:
    known = cost_inputs.data("measured.json")["orders"]["3"]

    counted = measure_orders((3,))["3"]

    assert counted["serviceBus"] == known["serviceBus"], "run scripts/cost --measure"
    for context, own in known["cosmos"].items():
        assert counted["cosmos"][context]["requests"] == own["requests"], context
        assert counted["cosmos"][context]["requestUnits"] == pytest.approx(own["requestUnits"], rel=0.05), context
