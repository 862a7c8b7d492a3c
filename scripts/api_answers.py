"""Every status that an operation can answer, and of a refusal the types of problem: what its declaration says, and what
the edge adds to all of them (shared/http.py)."""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus

from shared.http import Operation

REFUSALS: dict[int, tuple[str, tuple[str, ...]]] = {
    400: ("A header, a query parameter or the body isn't understood", ("invalid-header", "invalid-query")),
    401: ("There is no token, or one that proves nothing", ("unauthenticated",)),
    403: ("The token's roles don't let its bearer do this", ("forbidden",)),
    404: ("There is no such thing, perhaps not yet", ("not-found",)),
    408: ("The request came too slowly: the host's own answer, without a body", ()),
    411: ("The body came in chunks", ("length-required",)),
    412: ("If-Match or If-None-Match doesn't hold", ("precondition-failed",)),
    413: ("The body is too large", ("body-too-large",)),
    414: ("The address is too long: the host's own answer, without a body", ()),
    415: ("The body isn't declared as what it should be in UTF-8, or is encoded", ("unsupported-media-type",)),
    422: ("A field is wrong; `errors` names each of the body", ()),
    428: ("There is no If-Match", ("precondition-required",)),
    431: ("The headers, a token among them, are too long: the host's own answer, without a body", ()),
    500: ("A fault of ours", ("internal",)),
    503: ("A store is away or busy: try again later", ("unavailable",)),
}
"""In words, and the types of problem that each has wherever it is answered. Those of one operation alone stand in the
words of its declaration, in backticks."""


def answers(of: Operation) -> dict[int, tuple[str, Sequence[str]]]:
    """Every status that may be answered, ascending: in words, and of a refusal the types of problem."""
    found: dict[int, tuple[str, Sequence[str]]] = {}
    for status in sorted({*_derived(of), *of.statuses}):
        words, types = REFUSALS.get(status, ("", ()))
        said = of.statuses.get(status, words)
        if status == HTTPStatus.BAD_REQUEST and of.request:
            types += ("not-json",)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            types += ("invalid-body",) * (of.method != "GET") + ("invalid-sku",) * ("sku" in in_path(of))
        named = re.findall(r"`([a-z]+(?:-[a-z]+)+)`", said) if status >= HTTPStatus.BAD_REQUEST else ()
        found[status] = said, sorted({*types, *named})
    return found


def _derived(of: Operation) -> Iterator[int]:
    """What the edge may answer, and the host before it, whatever the operation is."""
    yield from (400, 408, 414, 431, 500)
    if of.roles:
        yield from (401, 403, 503)
    if of.method != "GET":
        yield from (411, 413, 415)
    if of.method != "GET" or "sku" in in_path(of):
        yield 422
    if of.method == "PATCH":
        yield 428


def in_path(of: Operation) -> list[str]:
    """The names of the parameters in its route."""
    return re.findall(r"{(\w+)}", of.route)
