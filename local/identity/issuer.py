"""What the issuer is, in a file of the state folder that only its owner may read; and the tokens that it signs."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.jwk import RSAKey

from local.state import read_kept, write_private

AUDIENCE = "orderflow"
"""Whom tokens are for: the API."""

LIFETIME = 3600
"""How long a token is good, in seconds, unless told."""

GUEST = "guest-"
"""How the subjects of guests begin, and no customer's."""

_RENEWED = 900.0
_FILE = "identity/issuer.json"


class Role(StrEnum):
    """What a token may say of its bearer."""

    CUSTOMER = "customer"
    WAREHOUSE = "warehouse"
    OPERATIONS = "operations"
    SUPPORT = "support"
    ADMIN = "admin"


class Caller(NamedTuple):
    """Whom a token speaks for, and what it lets them do."""

    role: Role
    subject: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """Its address, and its keys: the first one signs, all of them are published."""

    address: str
    keys: Sequence[RSAKey]


def read(state: Path) -> Issuer:
    """The issuer of a stack that runs, or has run, with this state folder; NoStackError where none has."""
    kept = read_kept(state, _FILE, "address", "keys")
    return Issuer(kept["address"], [RSAKey.import_key(key) for key in kept["keys"]])


def write(state: Path, issuer: Issuer) -> None:
    """Keep it in the state folder."""
    (state / _FILE).parent.mkdir(exist_ok=True)
    keys = [key.as_dict(private=True) for key in issuer.keys]
    write_private(state / _FILE, {"address": issuer.address, "keys": keys})


def new_key() -> RSAKey:
    """A key that nobody has seen before, with an id."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def mint(state: Path, caller: Caller, lifetime: int = LIFETIME, nonce: str | None = None) -> str:
    """A token, signed with the issuer's key as the state folder has it now: nobody is asked.

    It is good for `lifetime` seconds; with none, or fewer, it has expired.
    """
    issuer, now = read(state), int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer.address,
        "aud": AUDIENCE,
        "sub": caller.subject,
        "roles": [caller.role.value],
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "jti": secrets.token_hex(16),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    key = issuer.keys[0]
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


class Tokens:
    """Mints tokens for whoever speaks for many callers, and keeps each until shortly before it expires."""

    def __init__(self, state: Path) -> None:
        self._state, self._kept = state, dict[Caller, tuple[str, float]]()

    def of(self, caller: Caller) -> str:
        """A token that is good for a quarter of an hour at least: a patient client sends it again for ten minutes."""
        token, renewed = self._kept.get(caller, ("", 0.0))
        if time.monotonic() >= renewed:
            token, renewed = mint(self._state, caller), time.monotonic() + LIFETIME - _RENEWED
            self._kept[caller] = token, renewed
        return token
