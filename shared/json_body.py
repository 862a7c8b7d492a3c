"""A request's body as JSON (RFC 8259), told what is wrong with it where it is none."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic_core import from_json

from shared.errors import FieldError, Refused, invalid
from shared.headers import Headers, invalid_header, members

type Location = tuple[int | str, ...]

MIB = 1024 * 1024
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
"""A change (RFC 7396): of an object, the members that are there."""
_MOST_REPEATED = 100
"""Names that are there more than once, of which a refusal tells."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FAULT = re.compile(r"(.*) at line (\d+) column (\d+)", re.DOTALL)
_CHARSET = re.compile(r'charset[ \t]*=[ \t]*"?([^"; \t]*)"?', re.IGNORECASE)


def parse_json(headers: Headers, body: bytes, most: int, media_type: str = JSON) -> Any:
    """What the body says. Refused with 400, 411, 413, 415, or 422 where an object has a name twice."""
    text = _whole(headers, body, most, media_type)
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(400, "not-json", "The body is not valid JSON.", _told(str(error), text)) from None
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _RepeatedName:
        places = dict.fromkeys(islice(_repeated(json.loads(text, object_pairs_hook=_Pairs), ()), _MOST_REPEATED))
        raise invalid([FieldError(pointer(at), "is there more than once: keep one") for at in places]) from None


def refuse_body(headers: Headers, body: bytes) -> None:
    """Refused with 411, 413, 415 or 422 where there is one: some clients can't send less than an empty object."""
    text = _whole(headers, body, MIB, None).strip()
    try:
        says_something = text != b"" and from_json(text) != {}
    except ValueError:
        says_something = True
    if says_something:
        raise Refused(422, "invalid-body", "This operation takes no body.", "Send none, or an empty object.")


def pointer(location: Location) -> str:
    """Where in a JSON text, as RFC 6901 writes it."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


class _RepeatedName(Exception):
    """An object has a name twice."""


class _Pairs(list[tuple[str, Any]]):
    """An object's names and values, repeated ones too."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedName
    return found


def _repeated(value: Any, at: Location) -> Iterator[Location]:
    if isinstance(value, _Pairs):
        times = Counter(name for name, _ in value)
        yield from ((*at, name) for name in times if times[name] > 1)
        for name, inner in value:
            yield from _repeated(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _repeated(inner, (*at, index))


def _told(fault: str, text: bytes) -> str:
    """The parser's words; it counts columns in bytes, people in characters."""
    found = _FAULT.fullmatch(fault)
    if not found:
        return f"{fault}."
    what, line, column = found[1], int(found[2]), int(found[3])
    before = text.split(b"\n")[line - 1][:column].decode(errors="ignore")
    return f"Line {line}, column {max(len(before), 1)}: {what}."


def _whole(headers: Headers, body: bytes, most: int, wanted: str | None) -> bytes:
    """What the host left of a body is read only if that is all of it, and only as what it says it is."""
    if "transfer-encoding" in headers:
        raise Refused(411, "length-required", "The body came in chunks.", "Send it whole, with a Content-Length.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _unsupported(wanted, "The body is encoded.", "Send it as it is, without Content-Encoding.")
    declared = members("Content-Type", headers.get("content-type", ""))
    if len(declared) > 1:
        raise invalid_header("Content-Type", f"It should be one media type: {wanted or JSON}.")
    media_type, _, parameters = declared[0].partition(";")
    if wanted and media_type.strip().lower() != wanted:
        what = "JSON" if wanted == JSON else "a JSON merge patch"
        raise _unsupported(wanted, f"The body must be {what}.", f"Send Content-Type: {wanted}.")
    charset = _CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise _unsupported(wanted, "The body must be in UTF-8.", "Send charset=utf-8, or no charset.")
    if len(body) > most:
        raise Refused(413, "body-too-large", f"The body may have {most // MIB} MiB at most.")
    return body.removeprefix(_BYTE_ORDER_MARK)


def _unsupported(wanted: str | None, title: str, detail: str) -> Refused:
    headers = {"Accept-Encoding": "identity"} | ({"Accept-Patch": wanted} if wanted == MERGE_PATCH else {})
    return Refused(415, "unsupported-media-type", title, detail, headers=headers)
