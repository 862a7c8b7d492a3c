"""What went on for an order, as a tree with times: from the spans that a stack with `--traces` keeps."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from local.traces import spans_of
from local.verify.invariants import Document


def kept(state: Path, naming: str = "") -> Iterator[Document]:
    """The spans that are kept, or those that name something: an order, a trace."""
    if (file := spans_of(state)).exists():
        with file.open() as lines:
            yield from (json.loads(line) for line in lines if naming in line)


def tree(state: Path, traceparent: str) -> Iterator[str]:
    """The trace that began so, in lines of text: when, how long, where, and what, with what it was linked to."""
    trace = traceparent.split("-")[1]
    # A span of another trace that is linked to one of this names it, too.
    known = {span["id"]: span for span in kept(state, trace)}
    if not known:
        yield f"Trace {trace}: no spans are kept (scripts/run --traces keeps them)"
        return
    below: dict[str, list[Document]] = defaultdict(list)
    for span in sorted(known.values(), key=lambda each: each["began"]):
        if span["trace"] == trace:
            below[span["parent"] if span["parent"] in known else ""].append(span)
    yield f"Trace {trace}:"
    yield from _tree(below[""], below, known, below[""][0]["began"], 1)


def _tree(
    spans: list[Document], below: dict[str, list[Document]], known: dict[str, Document], start: int, depth: int
) -> Iterator[str]:
    for span in spans:
        at, lasted = (span["began"] - start) / 1e6, (span["ended"] - span["began"]) / 1e6
        failed = "" if span["failed"] is None else f"  FAILED: {span['failed']}"
        linked = "".join(f"  for {known[each['id']]['name']}" for each in span["links"] if each["id"] in known)
        yield f"{at:>10.1f} ms {lasted:>8.1f} ms{'  ' * depth}{span['name']}  ({span['service']}){linked}{failed}"
        yield from _tree(below[span["id"]], below, known, start, depth + 1)
