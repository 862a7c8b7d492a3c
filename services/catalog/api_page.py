"""The API's description, and a page on which to read and try it: files of the package, open to all, since they hold no
data. What the page calls takes a token as everywhere."""

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from shared.access import OPEN
from shared.errors import not_found
from shared.http import UNCHANGED, Call, File, HttpFunctions, Reply

DESCRIPTION = Path(__file__).parents[2] / "openapi.json"
FILES = Path(__file__).with_name("static")
_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json"}


@dataclass(frozen=True, slots=True)
class SigningIn:
    """How the page's reader gets a token: from this issuer, as this client, for this scope. Without a client they paste
    one."""

    issuer: str
    client_id: str
    scope: str


def serve_api_page(http: HttpFunctions, signing_in: SigningIn) -> None:
    """Register the page and what it is made of."""
    issuer = urlsplit(signing_in.issuer)
    page = {"issuer": signing_in.issuer, "clientId": signing_in.client_id, "scope": signing_in.scope}
    told = File(json.dumps(page).encode(), _MEDIA_TYPES[".json"])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {issuer.scheme}://{issuer.netloc}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

    def reply(file: File) -> Reply:
        headers = {"ETag": _etag(file)}
        if file.media_type == _MEDIA_TYPES[".html"]:
            headers["Content-Security-Policy"] = policy
        return Reply(file, headers=headers)

    @http.function(
        operation="api_description",
        method="GET",
        route="openapi.json",
        roles=OPEN,
        summary="The API's description, in OpenAPI 3.1",
        response=None,
        statuses={200: "The document, with its ETag", 304: UNCHANGED},
    )
    async def api_description(call: Call[None]) -> Reply:
        return reply(_read(DESCRIPTION))

    @http.function(
        operation="api_page",
        method="GET",
        route="docs",
        roles=OPEN,
        summary="A page on which to read and try the API",
        response=None,
        statuses={200: "The page, with its ETag", 304: UNCHANGED},
    )
    async def api_page(call: Call[None]) -> Reply:
        return reply(_read(FILES / "docs.html"))

    @http.function(
        operation="api_page_file",
        method="GET",
        route="docs/{file}",
        roles=OPEN,
        summary="What the page is made of",
        response=None,
        statuses={200: "The file, with its ETag", 304: UNCHANGED, 404: "No such file"},
    )
    async def api_page_file(call: Call[None]) -> Reply:
        name = call.route["file"]
        if name == "page.json":
            return reply(told)
        if name not in _known():
            raise not_found(f"file {name[:100]}")
        return reply(_read(FILES / name))


@cache
def _known() -> frozenset[str]:
    return frozenset(each.name for each in FILES.iterdir() if each.suffix in _MEDIA_TYPES)


@cache
def _read(path: Path) -> File:
    return File(path.read_bytes(), _MEDIA_TYPES[path.suffix])


@cache
def _etag(file: File) -> str:
    return f'"{sha256(file.content).hexdigest()[:32]}"'
