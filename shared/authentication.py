"""The check of bearer tokens: JSON Web Tokens (RFC 7519) that an OpenID issuer signed for this shop.

Every text that an InvalidToken says is about the token's form, never its content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from shared.access import Caller, Role
from shared.errors import InvalidToken
from shared.ports import System
from shared.signing_keys import SigningKey, SigningKeys
from shared.texts import parse_subject

LEEWAY = timedelta(seconds=30)
"""How far the issuer's clock may be off."""
LONGEST_TOKEN = 16 * 1024
"""In bytes."""
MOST_REMEMBERED = 1000
"""Tokens that were found good, of those who call again with the same one."""
_LAST_SECOND = 253_402_300_799  # of the year 9999

_FAULTS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidSignatureError, "the token isn't signed by the key that it names"),
    (jwt.InvalidAlgorithmError, "the token's algorithm isn't one of the key that it names"),
    (jwt.InvalidIssuerError, "the token is another issuer's"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.MissingRequiredClaimError, "the token lacks iss, aud or exp"),
    (jwt.PyJWTError, "the token is no JSON Web Token of a form that is taken"),
)
"""What to say of each error, the first that fits: PyJWT's own texts quote the token."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens are taken, and which of their claims say who calls."""

    issuer: str
    audience: str
    subject_claim: str = "sub"
    roles_claim: str = "roles"


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a token says, as a key has proved it. Whether the key is still listed, and the token in time, is asked of
    each request anew."""

    key_id: str
    key: SigningKey
    caller: Caller
    expires: float
    not_before: float


class TokenAuthenticator:
    """shared.access.Authenticator of tokens that the issuer's keys have signed.

    A signature is checked once and remembered, for as long as the same key is known by its name: that is most of the
    work, and callers show one token many times.
    """

    def __init__(self, rules: TokenRules, keys: SigningKeys, system: System) -> None:
        self._rules = rules
        self._keys = keys
        self._system = system
        self._checked: dict[str, _Checked] = {}

    async def authenticate(self, token: str) -> Caller:
        """Whom the token speaks for. Raises InvalidToken, or Unavailable where the issuer's keys can't be had."""
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken(f"the token is longer than {LONGEST_TOKEN} bytes")
        checked = self._checked.get(token)
        key_id = checked.key_id if checked else _key_id(token)
        key = await self._keys.named(key_id)
        if checked is None or checked.key is not key:
            checked = self._check(token, key_id, key)
        self._check_times(checked)
        return checked.caller

    def _check(self, token: str, key_id: str, key: SigningKey) -> _Checked:
        claims = self._claims(token, key)
        times = _seconds(claims, "exp"), _seconds(claims, "nbf") if "nbf" in claims else 0.0
        caller = Caller(_subject(claims, self._rules.subject_claim), _roles(claims, self._rules.roles_claim))
        checked = self._checked[token] = _Checked(key_id, key, caller, *times)
        if len(self._checked) > MOST_REMEMBERED:
            del self._checked[next(iter(self._checked))]
        return checked

    def _claims(self, token: str, key: SigningKey) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key.public,
                algorithms=key.algorithms,
                issuer=self._rules.issuer,
                audience=self._rules.audience,
                # Its times are checked by our clock, not PyJWT's.
                options={
                    "require": ["iss", "aud", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise _invalid(error) from None

    def _check_times(self, token: _Checked) -> None:
        now, leeway = self._system.now().timestamp(), LEEWAY.total_seconds()
        if token.expires <= now - leeway:
            raise InvalidToken("the token has expired")
        if token.not_before > now + leeway:
            raise InvalidToken("the token isn't valid yet")


def _key_id(token: str) -> str:
    """The id of the key that the token says it is signed by; OpenID Connect wants it where an issuer has several."""
    if not token.isascii():
        raise InvalidToken("the token has other characters than ASCII")
    try:
        # PyJWT would look at the rest, too, which it does when the signature is checked.
        header = jwt.get_unverified_header(token.partition(".")[0] + "..")
    except jwt.PyJWTError as error:
        raise _invalid(error) from None
    if "crit" in header:
        raise InvalidToken("the token's header has extensions that aren't known")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise InvalidToken("the token's header names no key (kid)")
    return kid


def _invalid(error: jwt.PyJWTError) -> InvalidToken:
    return InvalidToken(next(said for kind, said in _FAULTS if isinstance(error, kind)))


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _LAST_SECOND:
        raise InvalidToken(f"the token's {name} is no time in seconds since 1970")
    return float(value)


def _subject(claims: Mapping[str, Any], claim: str) -> str:
    subject = claims.get(claim)
    if not isinstance(subject, str):
        raise InvalidToken(f"the token's claim {claim} isn't a text")
    try:
        return parse_subject(subject)
    except ValueError as fault:
        raise InvalidToken(f"the token's claim {claim} {fault}") from None


def _roles(claims: Mapping[str, Any], claim: str) -> frozenset[Role]:
    named = claims.get(claim, [])
    if isinstance(named, str):
        named = [named]
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise InvalidToken(f"the token's claim {claim} is neither a text nor a list of texts")
    return frozenset(role for role in Role if role.value in named)
