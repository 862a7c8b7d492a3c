"""docs/patterns.md leads to what it names: each link's text is a name in the file that the link leads to."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "patterns.md"
GROUPS = (
    "Communication styles",
    "Decomposition",
    "Data management",
    "Queries and messaging",
    "Deployment",
    "Observability and discovery",
    "Security",
)
LINK = re.compile(r"\[`([^`]+)`\]\(\.\./([^)]+)\)")


@cache
def names(file: Path) -> set[str]:
    """What a module defines, at any depth: classes, functions, what is assigned."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.ClassDef(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(name), *_]) | ast.AnnAssign(target=ast.Name(name)):
                found.add(name)
    return found


def is_named(name: str, path: str) -> bool:
    """Whether the file has it: Python defines it, any other says it."""
    file = ROOT / path
    if not file.is_file():
        return False
    if file.suffix == ".py":
        return name in names(file)
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", file.read_text()) is not None


def groups(text: str) -> dict[str, list[list[str]]]:
    """The rows of each group's tables, but for their heads."""
    found = {}
    for section in text.split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        rows = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines if line.startswith("| ")]
        found[heading] = [row for row in rows if row[0] not in ("Pattern", "Not used")]
    return found


def faults(text: str) -> Iterator[str]:
    """What the page claims and isn't so, or leaves out."""
    for name, path in LINK.findall(text):
        if not is_named(name, path):
            yield f"{path} has no {name}"
    for group, rows in groups(text).items():
        used = [row for row in rows if len(row) == 4]
        if not used or len(used) == len(rows):
            yield f"{group}: says only what is used, or only what isn't"
        yield from (f"{group}: {row[0]} is neither used nor not" for row in rows if len(row) not in (2, 4))
        for pattern, meaning, where, tests in used:
            if not meaning or not LINK.findall(where):
                yield f"{group}: {pattern} stands nowhere"
            if not [path for _, path in LINK.findall(tests) if path.startswith("tests/")]:
                yield f"{group}: no test shows {pattern}"


def test_every_pattern_stands_where_the_page_says_and_is_shown_by_a_test() -> None:
    text = PAGE.read_text()

    assert list(faults(text)) == []
    assert tuple(groups(text)) == GROUPS


def test_every_name_that_the_page_on_reliability_links_to_is_there() -> None:
    linked = LINK.findall((ROOT / "docs" / "reliability.md").read_text())

    assert len(linked) > 10
    assert [(name, path) for name, path in linked if not is_named(name, path)] == []


def test_no_pattern_is_named_twice() -> None:
    named = [row[0] for rows in groups(PAGE.read_text()).values() for row in rows]
    assert sorted(named) == sorted(set(named))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[`Actor`](../shared/audit.py)", "[`Doer`](../shared/audit.py)", "shared/audit.py has no Doer"),
        ("(../shared/audit.py)", "(../shared/audits.py)", "shared/audits.py has no Actor"),
        ("[`grants`](../infra/topology.json)", "[`gifts`](../infra/topology.json)", "infra/topology.json has no gifts"),
        ("[`take`](../services/inventory/repositories.py)", "stock", "Data management: Semantic lock stands nowhere"),
        ("[`test_what_is_granted_is", "[`test_what_is_taken_is", "has no test_what_is_taken_is_what"),
        (
            "[`test_what_is_granted_is_what_the_topology_asks_for`](../tests/infra/test_grants.py)",
            "[`grants`](../infra/topology.json)",
            "Security: no test shows Least privilege",
        ),
        ("| Strangler fig |", "| Strangler fig | old |", "Decomposition: Strangler fig is neither used nor not"),
    ],
)
def test_a_claim_that_is_not_so_is_named(old: str, new: str, fault: str) -> None:
    text = PAGE.read_text()
    assert old in text

    assert any(fault in each for each in faults(text.replace(old, new)))
