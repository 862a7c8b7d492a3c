"""The API's description, and a page on which to read and try it."""

from pathlib import Path

from shared.access import OPEN
from shared.http import UNCHANGED, Call, File, HttpFunctions, Reply
from shared.pages import Page, SigningIn, file, file_reply, serve_page

DESCRIPTION = Path(__file__).parents[2] / "openapi.json"
FILES = Path(__file__).with_name("static")


def serve_api_page(http: HttpFunctions, signing_in: SigningIn) -> None:
    """Register the page and what it is made of."""

    @http.function(
        "GET openapi.json",
        roles=OPEN,
        summary="The API's description, in OpenAPI 3.1",
        statuses={200: "The document, with its ETag", 304: UNCHANGED},
    )
    async def api_description(call: Call[None]) -> Reply[File]:
        return file_reply(file(DESCRIPTION))

    summary = "A page on which to read and try the API"
    serve_page(http, Page("api_page", "docs", summary, FILES, signing_in, images="data:"))
