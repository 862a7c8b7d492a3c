"""Lists of what is stored: by several values, and without what can't be read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product

from shared.codec import rfc3339
from shared.errors import Unparseable
from shared.ports import Condition, Container, Document, Query
from shared.telemetry import log_event


def keyset(after: tuple[datetime, str] | None) -> tuple[str, ...]:
    """A query's `after`: behind the item of this time and id, or from the beginning."""
    return (rfc3339(after[0]), after[1]) if after else ()


async def find_any(container: Container, query: Query, values: Mapping[str, Sequence[str]]) -> list[Document]:
    """What an ordered query finds of the documents whose properties have one of these values each, in its order.

    It is one query for each combination: from an index, that costs what it finds, where one with an OR or an IN would
    be sorted, or would read past what it doesn't want. They are asked one after the other, in the order of the values:
    what moves on to a later value meanwhile is found all the same, and once.
    """
    each = [[Condition(name, "=", value) for value in some] for name, some in values.items()]
    found: dict[tuple[str, str], Document] = {}
    for equal in product(*each):
        for document in await container.find(replace(query, where=(*query.where, *equal))):
            found[document["pk"], document["id"]] = document
    by = sorted(found.values(), key=lambda each: [each[name] for name in query.order_by], reverse=query.descending)
    return by[: query.limit]


async def find_readable[Item](
    container: Container, query: Query, values: Mapping[str, Sequence[str]], read: Callable[[Document], Item]
) -> list[Item]:
    """What `find_any` finds, as what `read` makes of each.

    What can't be read is left out, and the log says so: the others are to be seen all the same. Who may pass none over
    takes `find_any`.
    """
    found: list[Item] = []
    most = query.limit
    while documents := await find_any(container, query, values):
        found += readable(documents, read)
        if len(found) == most or len(documents) < query.limit:
            break
        last = tuple(documents[-1][name] for name in query.order_by)
        query = replace(query, after=last, limit=most - len(found))
    return found


def readable[Item](documents: Iterable[Document], read: Callable[[Document], Item]) -> Iterator[Item]:
    """What `read` makes of each. What can't be read is left out, and the log says so."""
    for document in documents:
        try:
            yield read(document)
        except Unparseable as fault:
            log_event("unreadable_document", "%s %s is left out: %s", document["kind"], document["id"], fault)
