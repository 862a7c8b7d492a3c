"""The keys that an issuer signs its tokens with, by their ids: read over the network, kept, and read anew in time.

- Known keys are read anew after five minutes, behind the requests' backs. Where no request came for so long that this
  was not done, the first waits for it: a key that the issuer no longer lists is refused within ten minutes.
- While the list can't be read, known keys serve for a day from when it was last.
- An unknown key has the list read anew, for all made-up ones together once a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import InvalidToken, Unavailable
from shared.ports import System
from shared.telemetry import log

FRESH = timedelta(minutes=5)
"""From then on a list is read anew."""
TRUSTED = timedelta(minutes=9)
"""From then on requests wait for that, unless it has just failed. With the time that reading takes, below ten."""
KEPT = timedelta(hours=24)
"""How long keys serve while the list can't be read."""
PAUSE = timedelta(minutes=1)
"""Between two readings, after one that failed and for unknown keys."""
PAUSE_WITHOUT = timedelta(seconds=3)
"""Between two readings while there is no key at all."""

_ALGORITHMS = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What a key of a type and curve may sign with, by PyJWT's names. Asymmetric ones alone: what the issuer lists is known
to everybody."""
_RSA_BITS = range(2048, 8192 + 1)
_MEMBERS = ("kid", "kty", "crv", "use", "alg", "n", "e", "x", "y")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the algorithms that it may be used with."""

    public: Any
    algorithms: tuple[str, ...]


class SigningKeys:
    """One issuer's keys. `published` reads what it lists, as JSON Web Keys (RFC 7517), and may raise Unavailable."""

    def __init__(self, published: Callable[[], Awaitable[Sequence[object]]], system: System) -> None:
        self._published = published
        self._system = system
        self._keys: dict[str, SigningKey] = {}
        self._passed_over: list[str] = []
        self._fault: str | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at: datetime | None = None  # when the last reading that succeeded began
        self._tried_at: datetime | None = None  # when the last one ended
        self._searched_at: datetime | None = None  # when an unknown key last began one

    async def named(self, kid: str) -> SigningKey:
        """The key of this id. Raises InvalidToken where the issuer lists none, Unavailable where that can't be told."""
        age, since = self._since(self._read_at), self._since(self._tried_at)
        if age >= KEPT:
            if self._is_reading() or since >= PAUSE_WITHOUT:
                await self._read()
        elif kid not in self._keys:
            await self._search()
        elif age >= FRESH and since >= PAUSE:
            reading = self._read()
            if age >= TRUSTED and since >= 2 * PAUSE:
                await reading
        if key := self._keys.get(kid) if self._since(self._read_at) < KEPT else None:
            return key
        if self._fault:
            raise Unavailable(self._fault)
        raise InvalidToken("the token is signed by a key that its issuer doesn't list")

    async def _search(self) -> None:
        if not self._is_reading():
            if self._since(self._searched_at) < PAUSE:
                return
            self._searched_at = self._system.now()
        await self._read()

    def _since(self, moment: datetime | None) -> timedelta:
        return self._system.now() - moment if moment else timedelta.max

    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _read(self) -> Awaitable[None]:
        """Join the reading that is under way, or begin one. It goes on when whoever waits for it gives up."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_anew())
        return asyncio.shield(self._reading)

    async def _read_anew(self) -> None:
        began = self._system.now()
        try:
            listed = await self._published()
        except Unavailable as fault:
            self._fault = str(fault)
            log.warning("the keys of the tokens' issuer can't be read: %s", fault)
        else:
            self._fault, self._read_at = None, began
            self._keys, passed_over = _usable(listed)
            if passed_over != self._passed_over:
                log.warning("of the issuer's keys these are passed over: %s", ", ".join(passed_over) or "none any more")
            self._passed_over = passed_over
        finally:
            self._tried_at = self._system.now()


def _usable(listed: Sequence[object]) -> tuple[dict[str, SigningKey], list[str]]:
    """The keys that can check a signature, by id, the first of each; and why each other entry can't."""
    keys: dict[str, SigningKey] = {}
    passed_over = []
    for number, entry in enumerate(listed, 1):
        try:
            kid, key = _key(entry)
            if kid in keys:
                raise ValueError("its kid is another's")
            keys[kid] = key
        except ValueError as reason:
            passed_over.append(f"key {number} ({reason})")
    return keys, passed_over


def _key(entry: object) -> tuple[str, SigningKey]:
    """Raises ValueError with what is wrong with the entry, without its content."""
    if not isinstance(entry, Mapping) or not all(isinstance(entry.get(name, ""), str) for name in _MEMBERS):
        raise ValueError("it is no JSON Web Key")
    if not entry.get("kid"):
        raise ValueError("it has no kid")
    if entry.get("use", "sig") != "sig":
        raise ValueError("its use is another")
    of_type = _ALGORITHMS.get((entry.get("kty", ""), entry.get("crv", "")), ())
    algorithms = tuple(each for each in of_type if entry.get("alg", each) == each)
    if not algorithms:
        raise ValueError("its algorithm or type is none of those that are taken")
    if "d" in entry:
        raise ValueError("it is a private key")
    try:
        public = jwt.PyJWK(dict(entry), algorithms[0]).key
    except jwt.PyJWTError:
        raise ValueError("its numbers are no key") from None
    if isinstance(public, RSAPublicKey) and public.key_size not in _RSA_BITS:
        raise ValueError("its length is below 2048 bits, or above 8192")
    return entry["kid"], SigningKey(public, algorithms)
