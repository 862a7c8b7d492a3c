"""Pages for people: files of the package, open to all, since they hold no data. What a page calls takes a token as
everywhere."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from shared.access import OPEN
from shared.errors import not_found
from shared.http import UNCHANGED, Call, File, HttpFunctions, Reply, entity_tag

_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class SigningIn:
    """How a page's reader gets a token: from this issuer, as this client, for this scope; and the claim in which the
    token names their roles. Without a client nobody can sign in on the page."""

    issuer: str
    client_id: str
    scope: str
    roles_claim: str = "roles"


@dataclass(frozen=True, slots=True)
class Page:
    """One at `route`, which is `<route>.html` of the folder, and loads the folder's other files from below it; the
    functions are `name` and `<name>_file`. `images` is whence its images come, besides this host."""

    name: str
    route: str
    summary: str
    folder: Path
    signing_in: SigningIn
    images: str = ""

    @property
    def policy(self) -> str:
        """Its own scripts and styles alone, from files; and it calls nobody but this host and the issuer."""
        issuer = urlsplit(self.signing_in.issuer)
        return (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {f"'self' {self.images}".strip()}; "
            f"connect-src 'self' {issuer.scheme}://{issuer.netloc}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def reply(self, name: str) -> Reply[File]:
        """The file of this name; `page.json` tells the page's scripts how its reader signs in. Refused with 404."""
        if name == "page.json":
            return file_reply(self._told())
        if name not in _known(self.folder):
            raise not_found(f"file {name[:100]}")
        policy = {"Content-Security-Policy": self.policy} if name.endswith(".html") else {}
        return file_reply(file(self.folder / name), policy)

    def _told(self) -> File:
        of = self.signing_in
        told = {"issuer": of.issuer, "clientId": of.client_id, "scope": of.scope, "rolesClaim": of.roles_claim}
        return File(json.dumps(told).encode(), _MEDIA_TYPES[".json"])


def serve_page(http: HttpFunctions, page: Page) -> None:
    """Register a page and what it is made of."""

    @http.function(
        f"GET {page.route}",
        operation=page.name,
        roles=OPEN,
        summary=page.summary,
        statuses={200: "The page, with its ETag", 304: UNCHANGED},
    )
    async def itself(call: Call[None]) -> Reply[File]:
        return page.reply(f"{page.route}.html")

    @http.function(
        f"GET {page.route}/{{file}}",
        operation=f"{page.name}_file",
        roles=OPEN,
        summary="What the page is made of",
        statuses={200: "The file, with its ETag", 304: UNCHANGED, 404: "No such file"},
    )
    async def one_of_its_files(call: Call[None]) -> Reply[File]:
        return page.reply(call.route["file"])


def file_reply(answered: File, headers: dict[str, str] | None = None) -> Reply[File]:
    """A file with its ETag."""
    return Reply(answered, headers={"ETag": _etag(answered), **(headers or {})})


@cache
def file(path: Path) -> File:
    """A file of the package, read once."""
    return File(path.read_bytes(), _MEDIA_TYPES[path.suffix])


@cache
def _known(folder: Path) -> frozenset[str]:
    return frozenset(each.name for each in folder.iterdir() if each.suffix in _MEDIA_TYPES)


@cache
def _etag(answered: File) -> str:
    return entity_tag(answered.content)
