"""How the pages of figures write tables and amounts."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from scripts.costing import Line


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; columns but the first flush right, where they hold numbers."""
    listed = [list(row) for row in body]
    numbers = [all(re.search(r"\d", row[i]) for row in listed) and i > 0 for i in range(len(head))]
    rule = [("---:" if number else "---") for number in numbers]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(head), rule, *listed])


def number(value: float) -> str:
    """As people read it: 1,234 or 12.3."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.1f}"


def dollars(value: float) -> str:
    """An amount, to the cent where it is small."""
    return f"${value:,.0f}" if value >= 100 else f"${value:,.2f}"


def between(line: Line) -> str:
    """From the least to the most; one amount where they look the same."""
    least, most = dollars(line.least), dollars(line.most)
    return least if least == most else f"{least} – {most}"


def an_order(line: Line, orders: float) -> str:
    """A month's bill for each of its orders, in cents below a dollar."""
    least, most = (
        f"{each * 100:,.2f} ¢" if each < 1 else dollars(each) for each in (line.least / orders, line.most / orders)
    )
    return least if least == most else f"{least} – {most}"


def filled(text: str, script: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """A page with what each of its marks, `<!-- SCRIPT: NAME -->` to `<!-- end -->`, stands for. ValueError for a name
    that none of the tables has."""

    def table(marked: re.Match[str]) -> str:
        if marked[2] not in tables:
            raise ValueError(f"no table is named {marked[2]}; there are {', '.join(tables)}")
        return f"{marked[1]}\n\n{tables[marked[2]]()}\n\n{marked[3]}"

    return re.sub(rf"(<!-- {re.escape(script)}: (\w+) -->).*?(<!-- end -->)", table, text, flags=re.DOTALL)
