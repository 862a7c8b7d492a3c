"""Fills README.md and docs/benchmarks.md, and draws the plots: `python -m benchmarks.page`. What is derived is derived
anew; what was measured is as `results/` has it. What is around them is written by hand."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import capacity, paper, plots
from benchmarks.fresh import ROOT
from benchmarks.report import Report, read
from scripts.cost_text import filled as filled_text
from scripts.cost_text import rows

RESULTS, PLOTS = ROOT / "benchmarks" / "results", ROOT / "docs" / "plots"
PAGES = (ROOT / "benchmarks" / "README.md", ROOT / "docs" / "benchmarks.md")
MEASURED = (
    "end_to_end",
    "growth",
    "memory",
    "hot_sku",
    "cold_start",
    "stand_ins",
    "operations",
    "surface",
    "timeline",
)


def main() -> None:
    """Write each page and plot where it has changed."""
    for file, new in [*((page, filled(page.read_text())) for page in PAGES), *drawn()]:
        if not file.exists() or new != file.read_text():
            file.parent.mkdir(exist_ok=True)
            file.write_text(new)
            sys.stdout.write(f"{file.name} rendered\n")


def filled(text: str) -> str:
    """The page with every table as it is now. ValueError for one that nobody makes."""
    return filled_text(text, "scripts/bench", TABLES)


def steps() -> str:
    """What each step of an order takes, and why."""
    body = []
    for number, step in enumerate(paper.STEPS, 1):
        calls = ["read" if step.reads == 1 else f"{step.reads} reads"]
        calls += ["a query of all lines"] if step.looks else []
        calls += ["a batch"] if step.before else []
        calls += ["a batch a line"] if step.before_a_line else []
        calls += ["a batch", "clearing"] if step.sends else ["a batch"]
        few = step.requests(0)
        total = f"{few} + *n*" if step.before_a_line else f"{few}"
        sends = ", ".join(step.sends) or "–"
        body.append([f"{number}", f"`{step.on}`", step.context, ", ".join(calls), total, sends, step.why])
    return rows(["", "on", "context", "requests of Cosmos DB", "in all", "messages sent", "what for"], body)


def sums() -> str:
    """What an order takes in all, by context."""
    received = paper.received()
    body = []
    for context in paper.requests(0):
        few, each = paper.requests(0)[context], paper.requests(1)[context] - paper.requests(0)[context]
        own = [destination for step in paper.STEPS if step.context == context for destination in step.sends.values()]
        body.append([context, _of_lines(few, each), f"{len(own)}", f"{received[context]}"])
    few, each = paper.requests(0).total(), paper.requests(1).total() - paper.requests(0).total()
    body.append(["**in all**", _of_lines(few, each), f"{paper.sent().total()}", f"{received.total()}"])
    return rows(["context", "requests of Cosmos DB", "messages sent", "messages received"], body)


def _of_lines(few: int, each: int) -> str:
    return f"{few} + {each}*n*" if each else f"{few}"


def measured(name: str) -> str:
    """The tables of a benchmark, what they were measured on, and its plots."""
    found = read(RESULTS, name)
    if found is None:
        return f"Not measured yet: `scripts/bench --only {name}`."
    report, document = found
    on = document["machine"]
    said = f"Measured on {document['measured'][:10]} with Python {document['versions']['python']}: {on['kind']}, "
    said += f"{on['processors']} processors, a load of {on['load']} when it ended"
    said += ". It was quick: the figures say little." if document["quick"] else "."
    images = [f"![{title_of(image)}]({file.relative_to(ROOT / 'docs')})" for file, image in plots_of(name, report)]
    return "\n\n".join([*images, *report.text(), said])


def title_of(image: str) -> str:
    """What an image says that it is."""
    return image.partition("<title>")[2].partition("</title>")[0]


def drawn() -> Iterator[tuple[Path, str]]:
    """Every plot that there is something for."""
    for name in MEASURED:
        if found := read(RESULTS, name):
            yield from plots_of(name, found[0])


def plots_of(name: str, report: Report) -> Iterator[tuple[Path, str]]:
    """A benchmark's plots, with the file that each is kept in."""
    if name == "hot_sku":
        alone = [row for row in report.tables[0].rows if str(row[0]).endswith("one SKU")]
        callers = [str(row[0]).split()[0] for row in alone[::2]]
        for column, title in ((2, "Successes a second"), (4, "p99 of a success, ms")):
            series = {way: [_value(row[column]) for row in alone if row[1] == way] for way in ("patch", "ETag")}
            file = PLOTS / f"hot_sku_{'rate' if column == 2 else 'p99'}.svg"
            yield file, plots.lines(f"{title}: one product", "callers", callers, series)
    if name == "end_to_end":
        _, parts, opened = report.tables
        stacks = {
            str(size): dict(zip(parts.heading[1:], map(_value, spent), strict=True)) for size, *spent in parts.rows
        }
        yield PLOTS / "end_to_end_parts.svg", plots.bars("Processor time of an order by part, ms", stacks)
        rates = [f"{_value(row[1]):.1f}" for row in opened.rows]
        series = {opened.heading[n]: [_value(row[n]) for row in opened.rows] for n in (2, 4)}
        series |= {
            f"{opened.heading[n - 1].partition(':')[0]}: p99, ms": [_value(row[n]) for row in opened.rows]
            for n in (3, 5)
        }
        yield (
            PLOTS / "end_to_end_open.svg",
            plots.lines("Time of an order at a fixed rate, ms", "orders a second", rates, series),
        )


def _value(cell: Any) -> float:
    return float(cell)


TABLES: Mapping[str, Callable[[], str]] = {
    "steps": steps,
    "sums": sums,
    "carried": lambda: capacity.carried().text(),
    "first": lambda: capacity.first_to_give_way().text(),
    "buckets": lambda: capacity.of_buckets().text(),
    **{name: partial(measured, name) for name in MEASURED},
}


if __name__ == "__main__":
    main()
