"""The issuer over HTTP: discovery, keys, the authorisation code with PKCE by which a page in a browser signs in, and
client credentials for the one context that asks others.

Follows https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 6749 (sections 4.1 and 4.4), RFC 7636, and
https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html (section 2.1). The client `orderflow` is
public, and lives on this machine: other pages get neither a code nor an answer that they may read. `operations` has
a secret, in the state folder's `keys.json`.
"""

import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from local.faults import FaultMiddleware, Faults, Stats, control_routes
from local.identity import issuer
from local.identity.issuer import LIFETIME, Caller, Issuer, Role
from local.identity.page import sign_in_page
from local.state import read_kept

CLIENT = "orderflow"
_LOOPBACK = r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?"
_REDIRECT = re.compile(_LOOPBACK + r"(/[^#\s]*)?")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CODE_LIFETIME = 60.0


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a code stands for, until it is redeemed once or `ends`."""

    redirect_uri: str
    challenge: str
    caller: Caller
    nonce: str | None
    ends: float


class _Identity:
    """Answers pages and applications. Codes are only in memory: they end with the process."""

    def __init__(self, state: Path) -> None:
        self._state, self._grants = state, dict[str, _Grant]()

    async def configuration(self, _: Request) -> Response:
        at = issuer.read(self._state).address
        told = {
            "issuer": at,
            "jwks_uri": f"{at}/keys",
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return JSONResponse(told)

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict() for key in issuer.read(self._state).keys]})

    async def authorize(self, request: Request) -> Response:
        """Ask who it is; then send the page back with a code. It is sent nowhere that isn't this machine."""
        asked = await _parameters(request)
        if asked.get("client_id") != CLIENT:
            return PlainTextResponse(f"client_id must be {CLIENT}.", 400)
        if not _REDIRECT.fullmatch(asked.get("redirect_uri", "")):
            return PlainTextResponse("redirect_uri must be an http address of this machine, without a fragment.", 400)
        if asked.get("response_type") != "code":
            return _back(asked, error="unsupported_response_type", error_description="response_type must be code")
        if asked.get("response_mode", "query") not in ("query", "fragment"):
            return _back(asked, error="invalid_request", error_description="response_mode must be query or fragment")
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
            return _back(asked, error="invalid_request", error_description="PKCE with S256 is required")
        if request.method == "GET":
            return sign_in_page(asked)
        if asked.get("role") not in Role:
            return _back(asked, error="access_denied", error_description="there is no such role")
        return _back(asked, code=self._code(asked))

    def _code(self, asked: Mapping[str, str]) -> str:
        now, role = time.monotonic(), Role(asked["role"])
        self._grants = {code: grant for code, grant in self._grants.items() if grant.ends > now}
        code, caller = secrets.token_urlsafe(24), Caller(role, asked.get("subject") or role.value)
        ends = now + _CODE_LIFETIME
        self._grants[code] = _Grant(asked["redirect_uri"], asked["code_challenge"], caller, asked.get("nonce"), ends)
        return code

    async def token(self, request: Request) -> Response:
        """Redeem a code, once: a wrong attempt uses it up, too. Or a secret."""
        asked = await _parameters(request)
        if asked.get("grant_type") == "client_credentials":
            return self._own_token(asked)
        if asked.get("client_id") != CLIENT:
            return _refused("invalid_client", f"client_id must be {CLIENT}")
        if asked.get("grant_type") != "authorization_code":
            return _refused("unsupported_grant_type", "grant_type must be authorization_code")
        grant = self._grants.pop(asked.get("code", ""), None)
        if grant is None or grant.ends <= time.monotonic():
            return _refused("invalid_grant", "the code is unknown, used or over a minute old")
        if grant.redirect_uri != asked.get("redirect_uri"):
            return _refused("invalid_grant", "redirect_uri is not the one that the code was sent to")
        digest = sha256(asked.get("code_verifier", "").encode()).digest()
        if urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
            return _refused("invalid_grant", "code_verifier does not match the code_challenge")
        token = issuer.mint(self._state, grant.caller, nonce=grant.nonce)
        # One token is both: its audience is the API, whose own page the client is.
        return _granted(access_token=token, id_token=token)

    def _own_token(self, asked: Mapping[str, str]) -> Response:
        secret = str(read_kept(self._state, "keys.json")["operationsClient"])
        known = secrets.compare_digest(asked.get("client_secret", "").encode(), secret.encode())
        if asked.get("client_id") != Role.OPERATIONS or not known:
            return _refused("invalid_client", "client_id must be operations, and client_secret its own")
        return _granted(access_token=issuer.mint(self._state, Caller(Role.OPERATIONS, Role.OPERATIONS.value)))

    async def rotate(self, _: Request) -> Response:
        known = issuer.read(self._state)
        return self._keep(Issuer(known.address, [issuer.new_key(), *known.keys]))

    async def forget(self, _: Request) -> Response:
        known = issuer.read(self._state)
        return self._keep(Issuer(known.address, known.keys[:1]))

    def _keep(self, changed: Issuer) -> Response:
        issuer.write(self._state, changed)
        return JSONResponse({"kids": [key.kid for key in changed.keys]})


async def _parameters(request: Request) -> dict[str, str]:
    """Those of the address and of a form; what isn't UTF-8 is replaced, and fits nothing then."""
    body = (await request.body()).decode(errors="replace")
    return dict(parse_qsl(request.url.query) + parse_qsl(body))


def _back(asked: Mapping[str, str], **told: str) -> Response:
    """Send the browser back to the page that asked."""
    query = urlencode(told | ({"state": asked["state"]} if "state" in asked else {}))
    to = asked["redirect_uri"]
    between = "#" if asked.get("response_mode") == "fragment" else "&" if "?" in to else "?"
    return RedirectResponse(f"{to}{between}{query}", 303)


def _granted(**tokens: str) -> Response:
    granted = {**tokens, "token_type": "Bearer", "expires_in": LIFETIME}
    return JSONResponse(granted, headers={"Cache-Control": "no-store"})


def _refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400, {"Cache-Control": "no-store"})


def build(state: Path) -> ASGIApp:
    """The issuer of a state folder as an application, and its control, which is open.

    `POST /_rotate` makes a new key, which signs from now on; `POST /_forget` ends the listing of all but that one.
    """
    faults, stats, identity = Faults(), Stats(), _Identity(state)
    routes = [
        *control_routes(faults, stats),
        Route("/_rotate", identity.rotate, methods=["POST"]),
        Route("/_forget", identity.forget, methods=["POST"]),
        Route("/.well-known/openid-configuration", identity.configuration),
        Route("/keys", identity.keys),
        Route("/authorize", identity.authorize, methods=["GET", "POST"]),
        Route("/token", identity.token, methods=["POST"]),
    ]
    app = FaultMiddleware(Starlette(routes=routes), faults, stats, lambda of: of["path"].rpartition("/")[2])
    return CORSMiddleware(app, allow_origin_regex=_LOOPBACK, allow_methods=["GET", "POST"], allow_headers=["*"])
