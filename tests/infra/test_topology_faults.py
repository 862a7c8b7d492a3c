"""A topology that doesn't fit the contexts, or makes names that Azure refuses, is named before anything is compiled."""

from pathlib import Path

import pytest

from scripts.bicep import topology_faults
from tests.infra.compiler import Sources, sources


@pytest.fixture
def copy(tmp_path: Path) -> Sources:
    """What is committed."""
    return sources(tmp_path)


def test_the_committed_one_fits(copy: Sources) -> None:
    assert list(topology_faults(copy.root)) == []


def test_a_context_without_a_folder_is_named_and_a_folder_that_is_no_context(copy: Sources) -> None:
    (copy.root / "services" / "payments").rename(copy.root / "services" / "gifts")
    assert list(topology_faults(copy.root)) == [
        "infra/topology.json: payments has no services/payments/bootstrap.py",
        "services/gifts: is not among the contexts of infra/topology.json",
    ]


def test_a_context_that_lacks_a_section_is_named(copy: Sources) -> None:
    copy.change("topology.json", '{"context": "catalog", "send"', '{"context": "orders", "send"')
    assert list(topology_faults(copy.root)) == ["infra/topology.json: grants should have one entry for each context"]


def test_a_misspelt_field_is_named_and_a_queue_that_is_none(copy: Sources) -> None:
    copy.change("topology.json", '"forwardTo": "orders-prices"', '"forwardTo": "orders-price"')
    assert list(topology_faults(copy.root)) == [
        "infra/topology.json: subscription 'orders-prices' names 'orders-price', which doesn't exist"
    ]
    copy.change("topology.json", '"types"', '"typs"')
    assert list(topology_faults(copy.root)) == [
        "infra/topology.json: subscription 'orders-prices': typs: unknown field"
    ]


@pytest.mark.parametrize("name", ["consignments99", "gift_cards", "Shipping", "s"])
def test_a_context_whose_resources_azure_would_refuse_is_named(copy: Sources, name: str) -> None:
    (copy.root / "services" / "shipping").rename(copy.root / "services" / name)
    copy.change("topology.json", '"shipping"', f'"{name}"')
    fault = list(topology_faults(copy.root))[-1]
    assert fault.startswith(f"infra/topology.json: {name!r} should be 2-13 lower-case letters and digits")
