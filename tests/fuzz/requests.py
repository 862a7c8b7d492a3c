"""Requests that are good, and spoilt in a way or two: each made of a seed and its number."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

import jwt

from local.identity import issuer
from tests.fuzz import hostile
from tests.fuzz.described import Operation

LONGEST_LINE, LONGEST_HEAD = 8000, 32_000
"""What the host surely takes."""
SKUS = [f"MUG-{number}" for number in range(1, 9)]
_ROLES = [role.value for role in issuer.Role]

type Members = dict[str, bytes]
"""Of a JSON object, each by its text."""


@dataclass
class Draft:
    """A request that is being made."""

    operation: Operation
    things: dict[str, bytes]
    claims: Members
    jose: Members
    document: Any
    method: bytes
    query: list[bytes] = field(default_factory=list)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes | None = None
    authorization: bytes | None = None
    line: bytes = b"%(method)s %(target)s HTTP/1.1"
    frame: tuple[bytes, bytes] | None = None
    reaches: bool = True
    """Whether it is such that the host has to hand it to a function."""
    elsewhere: bool = False
    """Whether it may be another function's, or nobody's."""

    @property
    def target(self) -> bytes:
        path = re.sub(r"\{(\w+)\}", lambda found: self.things[found[1]].decode("latin-1"), self.operation.path)
        return path.encode("latin-1") + (b"?" + b"&".join(self.query) if self.query else b"")


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each member of a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*at, name)
        yield from _places(member, (*at, name))


_MARK = "@@spoilt@@"


def _value(draft: Draft, chance: Random) -> None:
    if draft.document is None:
        return
    document = deepcopy(draft.document)
    *owners, last = chance.choice([*_places(document)])
    owner = document
    for each in owners:
        owner = owner[each]
    match chance.randrange(8):
        case 0 if isinstance(owner, dict):
            del owner[last]
        case 1 if isinstance(owner, dict):
            owner[chance.choice(hostile.TEXTS)] = chance.choice(hostile.TEXTS)
        case _:
            owner[last] = _MARK
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")
    draft.body = text.replace(f'"{_MARK}"'.encode(), chance.choice(hostile.VALUES))


def _body(draft: Draft, chance: Random) -> None:
    draft.body = chance.choice(hostile.BODIES)


def _text(chance: Random) -> bytes:
    """A hostile text as it can stand in an address."""
    raw = chance.choice([*hostile.TEXTS, "\xff", "\xc0\xaf"]).encode(
        chance.choice(["utf-8", "latin-1", "utf-16"]), "ignore"
    )
    once = quote_from_bytes(raw, safe="").encode()
    return once if chance.random() < 0.9 else quote_from_bytes(once, safe="").encode()


def _thing(draft: Draft, chance: Random) -> None:
    if draft.things:
        thing = b"x" * 9000 if chance.random() < 0.05 else _text(chance)
        draft.things[chance.choice([*draft.things])] = thing
        draft.reaches, draft.elsewhere = False, draft.elsewhere or thing in (b"", b".", b"..")


def _query(draft: Draft, chance: Random) -> None:
    known = [name.encode() for name in draft.operation.query]
    for _ in range(chance.choice([1, 1, 2])):
        name = chance.choice(known) if known and chance.random() < 0.8 else _text(chance)
        draft.query.append((name + chance.choice([b"=", b"=", b"=", b""]) + _text(chance))[:8000] or b"=")
    if chance.random() < 0.1:
        draft.query *= max(1, 7000 // sum(map(len, draft.query)))


def _header(draft: Draft, chance: Random) -> None:
    name = chance.choice([*hostile.HEADERS])
    draft.headers[name] = chance.choice([*hostile.HEADERS[name], chance.choice(hostile.TEXTS).encode()])
    draft.reaches = False


def _claims(draft: Draft, chance: Random) -> None:
    members, known = chance.choice([(draft.claims, hostile.CLAIMS), (draft.jose, hostile.JOSE)])
    name = chance.choice([*known])
    members[name] = chance.choice(known[name])


def _authorization(draft: Draft, chance: Random) -> None:
    draft.authorization = chance.choice(hostile.AUTHORIZATIONS)
    draft.reaches = False


def _method(draft: Draft, chance: Random) -> None:
    draft.method = chance.choice(hostile.METHODS)
    draft.reaches, draft.elsewhere = False, True


def _line(draft: Draft, chance: Random) -> None:
    draft.line = chance.choice(hostile.LINES)
    draft.reaches, draft.elsewhere = False, True


def _frame(draft: Draft, chance: Random) -> None:
    draft.frame = chance.choice([*hostile.FRAMES.values()])
    draft.reaches, draft.elsewhere = False, True


def _nothing(draft: Draft, chance: Random) -> None:
    """It stays good."""


SPOILING: dict[str, tuple[Callable[[Draft, Random], None], int]] = {
    "nothing": (_nothing, 10),
    "value": (_value, 35),
    "body": (_body, 6),
    "thing": (_thing, 12),
    "query": (_query, 10),
    "header": (_header, 12),
    "claims": (_claims, 8),
    "authorization": (_authorization, 3),
    "method": (_method, 2),
    "line": (_line, 2),
    "frame": (_frame, 4),
}
"""What may be spoilt of a request, and how often it is."""


@dataclass(frozen=True)
class Attempt:
    """One request, ready to be sent."""

    number: int
    operation: Operation
    spoilt: tuple[str, ...]
    wire: bytes
    reaches: bool
    elsewhere: bool


class Maker:
    """Makes requests: each of the seed, its number, and what there is to be named. `round` names callers afresh."""

    def __init__(self, seed: int, of: issuer.Issuer, authority: str, operations: Sequence[Operation]) -> None:
        self._seed, self._address, self._key, self._host = seed, of.address, of.keys[0], authority.encode()
        self._operations = operations
        self._signed: dict[bytes, bytes] = {}

    def attempt(self, number: int, orders: Sequence[str], round: int) -> Attempt:
        """The request of this number."""
        chance = Random(f"{self._seed} {number}")
        [operation] = chance.choices(self._operations, [10 if each.examples else 2 for each in self._operations])
        subject = chance.choice(["ada", f"ada-{round}"])
        order = chance.choice(orders)
        things = {"orderId": order, "shipmentId": f"shp_{order}", "sku": chance.choice(SKUS), "customerId": subject}
        roles = chance.choice([*[_ROLES] * 20, *([role] for role in _ROLES), []])
        draft = Draft(
            operation,
            {name: things.get(name, "x").encode() for name in re.findall(r"\{(\w+)\}", operation.path)},
            claims=self._claims(roles, subject),
            jose={"alg": b'"RS256"', "kid": json.dumps(self._key.kid).encode()},
            document=chance.choice(operation.examples) if operation.examples else None,
            method=operation.method.encode(),
        )
        if draft.document is not None:
            draft.headers[b"Content-Type"] = operation.content_type.encode()
            if any("customerId" in each for each in operation.examples):
                draft.document = draft.document | {"customerId": subject}
            draft.body = json.dumps(draft.document).encode()
        if 428 in operation.statuses:
            draft.headers[b"If-Match"] = b"*"
        if chance.random() < 0.3:
            draft.headers[b"Idempotency-Key"] = f"{self._seed}-{number}-{round}".encode()
        ways = chance.choices([*SPOILING], [weight for _, weight in SPOILING.values()], k=chance.choice([1, 1, 1, 2]))
        for way in ways:
            SPOILING[way][0](draft, chance)
        wire = self._wire(draft)
        return Attempt(number, operation, tuple(ways), wire, draft.reaches, draft.elsewhere)

    def _claims(self, roles: Sequence[str], subject: str) -> Members:
        good = {"iss": self._address, "aud": issuer.AUDIENCE, "sub": subject, "roles": roles, "exp": 4_000_000_000}
        return {name: json.dumps(value).encode() for name, value in good.items()}

    def _token(self, jose: Members, claims: Members) -> bytes:
        signed = b".".join(
            urlsafe_b64encode(
                b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), each) for name, each in part.items())
            ).rstrip(b"=")
            for part in (jose, claims)
        )
        if signed not in self._signed:
            signature = jwt.get_algorithm_by_name("RS256").sign(signed, self._key.private_key)
            self._signed[signed] = urlsafe_b64encode(signature).rstrip(b"=")
        return signed + b"." + self._signed[signed]

    def _wire(self, draft: Draft) -> bytes:
        authorization = draft.authorization
        if authorization is None:
            authorization = b"Bearer " + self._token(draft.jose, draft.claims)
        headers = {b"Host": self._host, b"Authorization": authorization} | draft.headers
        head = draft.line % {b"method": draft.method, b"target": draft.target} + b"\r\n"
        draft.reaches = draft.reaches and len(head) < LONGEST_LINE
        head += b"".join(b"%b: %b\r\n" % header for header in headers.items())
        draft.reaches = draft.reaches and len(head) < LONGEST_HEAD
        if draft.frame:
            return head + draft.frame[0] + b"Connection: close\r\n\r\n" + draft.frame[1]
        if draft.body is not None or draft.operation.method != "GET":
            head += b"Content-Length: %d\r\n" % len(draft.body or b"")
        return head + (b"" if draft.reaches else b"Connection: close\r\n") + b"\r\n" + (draft.body or b"")
