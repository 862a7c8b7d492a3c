"""The real process, and what a client of it knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt

from tests.processes import Process, free_port


class Identity:
    """An issuer on a port and a state folder of its own, which can be ended and started again."""

    def __init__(self, state: Path) -> None:
        self.state, self.port = state, free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process and wait until it serves."""
        arguments = ["--state", str(self.state), "--port", str(self.port)]
        self._process = Process("local.identity", arguments, f"{self.address}/_health").ready()
        self.http = httpx.Client(base_url=self.address, timeout=10, trust_env=False)

    def stop(self) -> None:
        """End it as the supervisor does."""
        self.http.close()
        assert self._process.stop() == 0

    def configuration(self) -> dict[str, Any]:
        """What it says of itself where every client looks first."""
        found: dict[str, Any] = self.http.get("/.well-known/openid-configuration").raise_for_status().json()
        return found

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says, as a client finds it that knows nothing but the issuer's address."""
        keys = self.http.get(self.configuration()["jwks_uri"]).raise_for_status().json()
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        found: dict[str, Any] = jwt.decode(
            token, key, algorithms=["RS256"], audience="orderflow", issuer=self.address,
            options={"require": ["exp", "nbf", "iat", "sub", "jti"]},
        )  # fmt: skip
        return found
