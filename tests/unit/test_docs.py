"""The documentation is true to the code where a machine can tell: links, operations, problems."""

import ast
import re
from pathlib import Path

import pytest

from tests.unit import problems_page
from tests.unit.world import World

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The targets of a page's links within the repository."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(page)))
    return [target for target in targets if not target.startswith(("http://", "https://"))]


def anchors(page: Path) -> set[str]:
    """What a page's headings are linked by: lower case, no punctuation, hyphens for spaces."""
    headings: list[str] = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def problems() -> set[tuple[str, str]]:
    """Type and status of every refusal in the code."""
    found = set()
    for file in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                status, type = (ast.literal_eval(argument) for argument in node.args[:2])
                found.add((type, str(status)))
    return found


async def test_docs_problems_is_rendered_from_what_is_answered() -> None:
    assert problems_page.PAGE.read_text() == await problems_page.page(), "run: python -m tests.unit.problems_page"


def test_every_problem_is_documented_with_its_status() -> None:
    sections = re.findall(r"^## (.+)\n\n\*\*(\d{3})\*\*", problems_page.PAGE.read_text(), flags=re.MULTILINE)
    assert set(sections) == problems()


def test_every_operation_is_documented_with_every_status_that_it_declares() -> None:
    sections = dict(re.findall(r"^### `(.+?)`$(.+?)(?=^##)", (DOCS / "api.md").read_text(), re.DOTALL | re.MULTILINE))
    operations = [each.operation for each in World().functions.values() if hasattr(each, "operation")]

    headings = {
        each.id: re.sub("/(health|audit|parked)/[^/]+", r"/\1/{context}", f"{each.method} /api/{each.route}")
        for each in operations
    }
    assert set(sections) == set(headings.values())
    for operation in operations:
        section = sections[headings[operation.id]]
        assert {status for status in operation.statuses if f"**{status}**" not in section} == set(), operation.id


def test_every_decision_is_listed() -> None:
    decisions = {page.name for page in (DOCS / "adr").glob("[0-9]*.md")}
    assert decisions == {link for link in links(DOCS / "adr" / "README.md") if link[0].isdigit()}


def test_the_way_in_leads_to_every_page() -> None:
    others = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert others <= {link.partition("#")[0] for link in links(DOCS / "README.md")}
