"""The simulation can fail: of every defect that is planted it finds out, and soon."""

import json
from random import SystemRandom

import pytest

from tests.unit.defects import DEFECTS, ENOUGH, FOUND, PAGE, finds, looked_for, with_table

RECORDED = json.loads(FOUND.read_text())


def test_every_defect_was_found_by_five_seeds_within_a_thousand() -> None:
    assert [*RECORDED] == [*DEFECTS]
    assert [name for name, found in RECORDED.items() if len(found["seeds"]) < 5 or found["foundAfter"] > ENOUGH] == []


def test_the_page_says_after_how_many_seeds_each_was_found() -> None:
    assert PAGE.read_text() == with_table(PAGE.read_text()), "python -m tests.unit.defects renders it"


@pytest.mark.parametrize("name", DEFECTS)
def test_one_of_the_seeds_that_found_it_finds_the_defect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[name](monkeypatch)

    assert any(finds(seed) for seed in RECORDED[name]["seeds"]), "python -m tests.unit.defects looks for others"


@pytest.mark.long
@pytest.mark.parametrize("name", DEFECTS)
def test_new_seeds_find_the_defect(name: str) -> None:
    first = SystemRandom().randrange(2**32)

    assert next(looked_for(DEFECTS[name], first), None) is not None, f"none of {ENOUGH} seeds from {first} on"
