"""What a start is beside, and whose time it takes, is read rightly."""

from benchmarks import cold_start

TOLD = """\
import time: self [us] | cumulative | imported package
import time:       150 |        150 |   encodings
import time:      2000 |       2500 | azure.cosmos.aio
import time:       500 |        500 |   azure.cosmos.documents
import time:      1000 |       9000 | services.orders.functions
import time:       250 |        250 | shared.ports
import time:       300 |        300 | pydantic.main
"""


def test_each_module_s_own_time_is_its_package_s() -> None:
    assert cold_start.breakdown(TOLD) == {"Python's own": 0.15, "azure.cosmos": 2.5, "Orderflow": 1.25, "pydantic": 0.3}


def test_what_is_imported_anywhere_in_a_module_is_found() -> None:
    source = (
        "import json, azure.functions as func\nfrom stripe import x\ndef f():\n    from . import y\n    import aiohttp"
    )

    assert [*cold_start.imports_in(source)] == [
        ("json", "import json"),
        ("azure.functions", "import azure.functions"),
        ("stripe", "from stripe import x"),
        ("aiohttp", "import aiohttp"),
    ]


def test_a_context_is_beside_the_packages_that_it_uses_and_no_others() -> None:
    shipping, payments = ("\n".join(cold_start.imports([each])) for each in ("shipping", "payments"))

    assert "import azure.functions\n" in shipping
    assert "from azure.cosmos.aio import ContainerProxy, CosmosClient\n" in shipping
    assert "services" not in shipping
    assert ("import stripe" in shipping, "import stripe" in payments) == (False, True)


def test_shares_leave_out_what_takes_next_to_nothing() -> None:
    table = cold_start.shares_of_time({"orders": {"Orderflow": 60.0, "pydantic": 39.9, "idna": 0.1}})

    assert table.rows == [["Orderflow", 60.0], ["pydantic", 39.9], ["others", 0.1], ["**in all**", 100.0]]


def test_the_first_request_is_beside_the_median_of_those_that_follow() -> None:
    table = cold_start.waits({"orders": [[50.0, 2.0, 3.0, 4.0], [70.0, 2.0, 3.0, 4.0], [10.0, 2.0, 3.0, 4.0]]})

    assert table.rows == [["orders", 50.0, 3.0, 47.0]]
