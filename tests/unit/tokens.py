"""An issuer for tests: keys of every kind, tokens signed by them, and what may be wrong with either."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from shared.authentication import TokenAuthenticator, TokenRules
from shared.errors import Unavailable
from shared.signing_keys import SigningKeys
from simulation.clock import VirtualSystem

ISSUER, AUDIENCE = "https://id.example/", "orderflow"
ALGORITHMS = {
    "rsa": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "p256": ("ES256",),
    "p384": ("ES384",),
    "p521": ("ES512",),
    "ed25519": ("EdDSA",),
}
CURVES: Mapping[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}


@cache
def private_key(name: str) -> Any:
    """A key of the kind that the name begins with (`rsa`, `rsa-2`), the same at each call."""
    kind = name.partition("-")[0]
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    return rsa.generate_private_key(65537, 1024 if kind == "short" else 2048)


def public_jwk(name: str, **members: Any) -> dict[str, Any]:
    """A key as an issuer lists it."""
    kind = name.partition("-")[0]
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS.get(kind, ("RS256",))[0])
    listed: dict[str, Any] = json.loads(algorithm.to_jwk(private_key(name).public_key()))
    listed.pop("key_ops", None)
    return listed | {"kid": name, "use": "sig"} | members


def encoded(part: object) -> str:
    """A part of a token: bytes as they are, all else as JSON."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Lists keys, as often as it is asked; or is away, or lets whoever asks wait."""

    def __init__(self, *names: str) -> None:
        self.system = VirtualSystem()
        self.listed: list[object] = [public_jwk(name) for name in names or ("rsa",)]
        self.asked = 0
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def published(self) -> Sequence[object]:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise Unavailable("the issuer is away")
        return list(self.listed)

    def authenticator(self, **rules: str) -> TokenAuthenticator:
        """Whoever checks its tokens, with no key read yet."""
        keys = SigningKeys(self.published, self.system)
        return TokenAuthenticator(TokenRules(ISSUER, AUDIENCE, **rules), keys, self.system)

    def now(self) -> int:
        return int(datetime.timestamp(self.system.now()))

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Good ones, but for those given; None leaves one out."""
        good = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": self.now() + 3600,
            "iat": self.now(),
            "sub": "ada",
            "roles": ["customer"],
        }
        return {name: value for name, value in (good | claims).items() if value is not None}

    def token(
        self, key: str = "rsa", algorithm: str = "", header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that is good but for what is given."""
        algorithm = algorithm or ALGORITHMS[key.partition("-")[0]][0]
        headers = {"alg": algorithm, "typ": "JWT", "kid": key} | dict(header or {})
        return self.signed(encoded(headers), encoded(self.claims(**claims)), key, algorithm)

    def signed(self, header: str, payload: str, key: str = "rsa", algorithm: str = "RS256") -> str:
        """The parts and the signature over them."""
        signature = jwt.get_algorithm_by_name(algorithm).sign(f"{header}.{payload}".encode(), private_key(key))
        return f"{header}.{payload}.{encoded(signature)}"
