"""Lists by pages: the link to the next one names the last item seen, so that what comes and goes meanwhile makes no
other item appear twice or be passed over.

A link's token, `after`, is opaque to callers, and goes with one list, one caller and one choice of filters: a digest of
all these tells a mistake. It needs no secret, since there is nothing to protect: each page applies the caller's rights
and filters anew, so that whoever computes a token of their own gets no more than who asks without one.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from shared.codec import parse_rfc3339, rfc3339
from shared.fields import Link, PageSize, Parameters, View, optional
from shared.http import API, Call, invalid_query

type Position = tuple[datetime, str]
"""An item's time and id, by which a list is sorted."""

_VERSION = 1


class PageParameters(Parameters):
    """How many items at most, and behind which. A list's own filters are further fields."""

    limit: PageSize = 100
    """How many items at most."""
    after: str | None = None
    """From a `nextLink`, as it is there."""


class Page[Item](View):
    """Some items of a list, and where the next ones are."""

    value: list[Item]
    next_link: Link | None = optional()
    """Leads on, perhaps to an empty page; left out at the end."""


class Paging[Filters: PageParameters]:
    """One call's page of the list at a route: what it goes on behind (`after`), and the link to what follows it.

    Refused with 400 where `after` isn't from a link that this caller got for the same filters.
    """

    def __init__(self, call: Call[Any, Filters], route: str) -> None:
        given = call.query.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"limit", "after"})
        texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in given.items()}
        self._path = f"{API}/{route}"
        self._filters = urlencode(texts, safe=",")
        self._limit = call.query.limit
        self._bound_to = f"{_VERSION}\n{self._path}\n{self._filters}\n{call.role}\n{call.caller.subject}\n"
        self.after = None if call.query.after is None else self._position(call.query.after)

    def next_link(self, page: Sequence[Position]) -> str | None:
        """The link to what follows these items; None where they are fewer than were asked for, and so the last."""
        if len(page) < self._limit:
            return None
        filters = f"{self._filters}&" if self._filters else ""
        return f"{self._path}?{filters}limit={self._limit}&after={self._token(page[-1])}"

    def _token(self, position: Position) -> str:
        keyset = f"{rfc3339(position[0])} {position[1]}"
        digest = sha256(f"{self._bound_to}{keyset}".encode()).hexdigest()[:32]
        text = f"{_VERSION} {digest} {keyset}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _position(self, token: str) -> Position:
        try:
            _, _, moment, id = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(" ", 3)
            position = parse_rfc3339(moment), id
            # One comparison for all: the version, the digest, and that there is one way to write each token.
            if self._token(position) == token:
                return position
        except (ValueError, OverflowError):
            pass
        raise invalid_query(
            "after",
            "Take it from a nextLink as it is, as the same caller, and leave all else but limit as it is there.",
        )
