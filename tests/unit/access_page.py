"""Renders docs/access.md from the declarations of the HTTP functions: `python -m tests.unit.access_page` writes it."""

from collections.abc import Iterator
from pathlib import Path

from shared.access import Role
from shared.http import API, Operation
from tests.unit.world import World

PAGE = Path(__file__).parents[2] / "docs" / "access.md"

INTRODUCTION = """\
# Who may do what

Rendered from the declarations of the HTTP functions (`services/*/functions.py`) by `python -m tests.unit.access_page`;
a test holds it to them.

A caller shows a token of the shop's issuer, which says who they are and in which roles; who has several acts in the
strongest that the operation allows. A customer is whom the token's subject names, and a guest is a customer whose
subject the shop's issuer made up (`guest-…`). *Own*: of what belongs to that customer; another's is answered as one
that isn't there. An empty cell is 403 `forbidden`, and no token, or one that proves nothing, 401 `unauthenticated`.
"""


def operations() -> list[Operation]:
    """What the HTTP functions of every context declare, by path."""
    declared: list[Operation] = [each.operation for each in World().functions.values() if hasattr(each, "operation")]
    return sorted(declared, key=lambda operation: (operation.route, operation.method))


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_by_role(), "", "## Open to all", "", *_open(), ""])


def _by_role() -> Iterator[str]:
    yield "| Operation | | " + " | ".join(Role) + " |"
    yield "|---|---" + "|---" * len(Role) + "|"
    for operation in operations():
        if operation.roles:
            cells = "".join(f" {cell} |" if cell else " |" for cell in (_cell(operation, role) for role in Role))
            yield f"| `{_name(operation)}` | {operation.summary} |{cells}"


def _cell(operation: Operation, role: Role) -> str:
    if role not in operation.roles:
        return ""
    return "own" if operation.owned and role is Role.CUSTOMER else "yes"


def _open() -> Iterator[str]:
    yield "Without a token: they tell nobody's data, and change nothing."
    yield ""
    yield from (f"- `{_name(operation)}`: {operation.summary}" for operation in operations() if not operation.roles)


def _name(operation: Operation) -> str:
    return f"{operation.method} {API}/{operation.route}"


if __name__ == "__main__":
    PAGE.write_text(page())
