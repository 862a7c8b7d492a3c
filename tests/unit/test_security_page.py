"""docs/security.md claims nothing that nobody holds: the tests that it names exist, no kind of threat is left out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
HOLDERS = re.compile(r"`test_\w+`|\bAzure\b|\bGitHub\b|\bStripe\b|\bpeople\b|\*\*open\*\*|`scripts/check`|by design")


def existing_tests() -> set[str]:
    """The name of every test function in the repository."""
    return {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def boundaries(text: str) -> dict[str, list[list[str]]]:
    """The rows of each section's table of threats, by its heading."""
    found = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        lines = [line.strip() for line in section.splitlines()]
        rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if re.match(r"\| [STRIDE] \|", line)]
        if rows:
            found[lines[0]] = rows
    return found


def faults(text: str) -> Iterator[str]:
    """What the page claims and nobody holds, and what it leaves out."""
    known = existing_tests()
    for name in re.findall(r"`(test_\w+)`", text):
        if name not in known:
            yield f"there is no {name}"
    for boundary, rows in boundaries(text).items():
        if missing := set("STRIDE") - {row[0] for row in rows}:
            yield f"{boundary}: nothing about {', '.join(sorted(missing))}"
        for row in rows:
            if len(row) != 4 or not HOLDERS.search(row[3]):
                yield f"{boundary}: nobody is said to hold {row[1]!r}"


def test_every_test_that_it_names_exists_and_every_boundary_is_looked_at_whole() -> None:
    text = PAGE.read_text()

    assert list(faults(text)) == []
    assert len(boundaries(text)) == 6


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("`test_local_authentication_is_off`", "`test_there_is_peace`", "there is no test_there_is_peace"),
        ("| R | Who did it can't be told |", "| S | Who did it can't be told |", "functions: nothing about R"),
        ("| people: reviews of `shared/contracts` |", "| |", 'nobody is said to hold "Personal data spreads'),
    ],
)
def test_a_claim_that_nobody_holds_is_named(old: str, new: str, fault: str) -> None:
    text = PAGE.read_text()
    assert old in text

    assert any(fault in each for each in faults(text.replace(old, new, 1)))
