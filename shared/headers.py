"""Header fields as RFC 9110 reads them: white space around a value is no part of it, and repeated lines, which the host
joins by commas, are one list. What can't be understood is refused by name, never passed over."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Refused
from shared.telemetry import current_traceparent, is_trace_context

type Headers = Mapping[str, str]
"""By name in lower case."""

_SPACE = " \t"
_MEMBER = r'(?:[^",]|"(?:[^"\\]|\\.)*")*'
_MEMBERS = re.compile(f"{_MEMBER}(?:,{_MEMBER})*", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_LONGEST_KEY = 200
_REQUEST_ID = re.compile("[!-~]{1,128}")

_TAG = r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_EMPTY = "(?:[ \t]*,)*[ \t]*"
_TAGS = re.compile(f"{_EMPTY}{_TAG}(?:[ \t]*,(?:[ \t]*{_TAG})?)*[ \t]*")


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must hold of what is stored, or the request isn't done (RFC 9110, section 13.1); by default, nothing."""

    must_be_new: bool = False
    must_exist: bool = False
    tags: frozenset[str] | None = None
    """The strong tags, quotes included, of which it must have one."""

    def hold(self, etag: str | None) -> bool:
        """Whether they hold of what has this entity tag; None stands for nothing."""
        if etag is None:
            return not self.must_exist
        return not self.must_be_new and (self.tags is None or etag in self.tags)


def preconditions_of_change(headers: Headers) -> Preconditions:
    """Those of a request that changes what its caller has read, and so must say what that was. Refused with 400 where
    one isn't understood, with 428 where it doesn't."""
    refuse_preconditions(headers, {"If-Match"})
    if "if-match" not in headers:
        detail = "Read what you change, and send its ETag in If-Match."
        raise Refused(428, "precondition-required", "It isn't known what you change.", detail)
    return preconditions(headers)


def preconditions(headers: Headers) -> Preconditions:
    """Those of a request that may create or change one thing. Refused with 400 where one isn't understood."""
    refuse_preconditions(headers, {"If-Match", "If-None-Match"})
    if (none_match := headers.get("if-none-match")) is not None and none_match.strip(_SPACE) != "*":
        raise invalid_header("If-None-Match", "Only * is supported: count if nothing is stored yet.")
    if (match := headers.get("if-match")) is None:
        return Preconditions(must_be_new=none_match is not None)
    tags = None if match.strip(_SPACE) == "*" else _strong_tags(match)
    return Preconditions(must_be_new=none_match is not None, must_exist=True, tags=tags)


def names(headers: Headers, etag: str) -> bool:
    """Whether If-None-Match names this entity tag, weak or strong (RFC 9110, section 13.1.2): the caller has it so.
    Where it isn't understood it names nothing: the answer is whole."""
    text = headers.get("if-none-match", "")
    return text.strip(_SPACE) == "*" or etag.removeprefix("W/") in {opaque for _, opaque in _tags(text)}


def refuse_preconditions(headers: Headers, but: set[str] | None = None) -> None:
    """Refused with 400 where there is one: passed over, it would be written through."""
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        if name.lower() in headers and name not in (but or ()):
            raise invalid_header(name, "This operation doesn't support it: leave it out.")


def _strong_tags(text: str) -> frozenset[str]:
    if not (tags := _tags(text)):
        raise invalid_header("If-Match", 'It should be * or the ETag that was read, as it is: "…", quotes included.')
    return frozenset(opaque for weak, opaque in tags if not weak)


def _tags(text: str) -> list[tuple[str, str]]:
    """The entity tags of a list, each as its sign of weakness and the rest; none where it is no such list."""
    return re.findall(_TAG, text) if _TAGS.fullmatch(text) else []


def idempotency_key(headers: Headers) -> str | None:
    """What Idempotency-Key says, quoted or bare, once or repeated. Refused with 400 where it is no key."""
    text = headers.get("idempotency-key")
    if text is None:
        return None
    keys = {_unquoted(member) for member in members("Idempotency-Key", text)}
    if len(keys) > 1:
        raise invalid_header("Idempotency-Key", "It should be one key: put one that has a comma into quotes.")
    [key] = keys
    if not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        raise invalid_header("Idempotency-Key", f"It should have 1 to {_LONGEST_KEY} printable characters.")
    return key


def _unquoted(member: str) -> str:
    if '"' not in member:
        return member
    if not (quoted := _QUOTED.fullmatch(member)):
        raise invalid_header("Idempotency-Key", 'It should be a bare key without a quote, or one in quotes: "…".')
    return re.sub(r"\\(.)", r"\1", quoted[1])


def members(name: str, text: str) -> list[str]:
    """The values between the commas that aren't inside quotes. Refused with 400 where a quote is left open."""
    if not _MEMBERS.fullmatch(text):
        raise invalid_header(name, "A quote is left open.")
    return [member.strip(_SPACE) for member in re.findall(f"({_MEMBER}),", f"{text},", re.DOTALL)]


def invalid_header(name: str, detail: str) -> Refused:
    """400 for a header that isn't understood."""
    return Refused(400, "invalid-header", f"The header {name} is not valid.", detail)


def correlation(headers: Headers, fresh: str) -> dict[str, str]:
    """X-Request-Id and traceparent of the answer: the caller's, or else the host's trace and this fresh UUID.

    Both only help people to find things, so that nobody's request is refused for one. No state of any tracing system
    (`tracestate`) is carried on.
    """
    request_id = headers.get("x-request-id", "").strip(_SPACE)
    parent = headers.get("traceparent", "").strip(_SPACE)
    if not is_trace_context(parent):
        trace_id = fresh.replace("-", "")
        parent = current_traceparent() or f"00-{trace_id}-{trace_id[:16]}-01"
    return {"X-Request-Id": request_id if _REQUEST_ID.fullmatch(request_id) else fresh, "traceparent": parent}


def bearer_token(headers: Headers) -> str:
    """The token of Authorization (RFC 6750, section 2.1). Refused with 401 where there is none."""
    scheme, _, token = headers.get("authorization", "").strip(_SPACE).partition(" ")
    if scheme.lower() != "bearer" or not token.strip(_SPACE):
        raise unauthenticated("Send a token of the shop's issuer: Authorization: Bearer <token>.", "Bearer")
    return token.strip(_SPACE)


def unauthenticated(detail: str, challenge: str) -> Refused:
    """401 with what the caller has to show."""
    title = "It isn't known who you are."
    return Refused(401, "unauthenticated", title, detail, headers={"WWW-Authenticate": challenge})
