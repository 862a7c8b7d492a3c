"""What checkov finds in the snapshots, and what becomes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import check_templates
from scripts.check_templates import Acceptance, Finding, acceptances, judged, template

INFRA = Path(__file__).parents[2] / "infra"
OPEN = Finding("prod", "CKV_1", "Microsoft.Web/sites.func-orders", "It is open")


def accepted(
    check: str = "CKV_1", resource: str = "Microsoft.Web/sites.*", reason: str = "It is the API"
) -> Acceptance:
    """An acceptance in prod."""
    return Acceptance(check, resource, reason, ("prod",))


def test_a_finding_that_nothing_accepts_is_a_fault() -> None:
    assert list(judged([OPEN], [])) == ["prod: Microsoft.Web/sites.func-orders: CKV_1: It is open"]


def test_a_finding_is_accepted_for_its_check_its_resource_and_its_environment_alone() -> None:
    assert not list(judged([OPEN], [accepted()]))

    for other in (accepted(check="CKV_2"), accepted(resource="Microsoft.Web/sites.func-stock")):
        assert len(list(judged([OPEN], [other]))) == 2
    assert len(list(judged([replace(OPEN, environment="dev")], [accepted()]))) == 2


def test_what_accepts_nothing_is_a_fault_in_each_environment_where_it_does() -> None:
    (everywhere,) = acceptances(
        [{"checks": ["CKV_1"], "resource": "Microsoft.Web/sites.*", "reason": "It is the API"}], ["dev", "prod"]
    )

    assert list(judged([OPEN], [everywhere])) == [
        "infra/checkov.toml: CKV_1 of Microsoft.Web/sites.* is accepted in dev for nothing"
    ]


def test_nothing_is_accepted_without_a_reason() -> None:
    assert list(judged([OPEN], [accepted(reason="")])) == [
        "infra/checkov.toml: CKV_1 of Microsoft.Web/sites.* is accepted without a reason"
    ]


def test_what_hangs_on_two_resources_under_one_name_stays_two() -> None:
    lock = {"type": "Microsoft.Authorization/locks", "name": "keep"}
    resources = template([lock | {"id": "/a/keep"}, lock | {"id": "/b/keep"}, {"type": "t", "name": "n", "id": "/n"}])

    assert [each["name"] for each in resources["resources"]] == ["/a/keep", "/b/keep", "n"]


@pytest.mark.long
def test_a_fault_in_a_snapshot_is_found_and_only_that(tmp_path: Path) -> None:
    subprocess.run([INFRA.parent / "scripts" / "setup", "--tools"], check=True)
    shutil.copytree(INFRA, tmp_path, dirs_exist_ok=True)
    dev = tmp_path / "dev.snapshot.json"
    secure, open = ('"supportsHttpsTrafficOnly": true', '"supportsHttpsTrafficOnly": false')
    dev.write_text(dev.read_text().replace(secure, open, 1))

    (fault,) = check_templates.faults(tmp_path)

    assert re.match(r"dev: Microsoft\.Storage/storageAccounts\.st\w+: CKV_AZURE_3: .*'supportsHttpsTrafficOnly'", fault)


@pytest.mark.long
def test_a_resource_that_checkov_passes_over_is_noticed(tmp_path: Path) -> None:
    subprocess.run([INFRA.parent / "scripts" / "setup", "--tools"], check=True)
    shutil.copy(INFRA / "checkov.toml", tmp_path)
    twice = {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2025-01-01", "name": "n", "id": "/n"}
    (tmp_path / "dev.snapshot.json").write_text(json.dumps({"predictedResources": [twice, twice]}))

    assert next(check_templates.faults(tmp_path)) == "checkov looked at 1 resources, and the snapshots have 2"
