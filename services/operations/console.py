"""The console: a page for people who would rather look than read."""

from pathlib import Path

from shared.http import HttpFunctions
from shared.pages import Page, SigningIn, serve_page

FILES = Path(__file__).with_name("static")


def serve_console(http: HttpFunctions, signing_in: SigningIn) -> None:
    """Register the page and what it is made of."""
    summary = "A page that shows where every order is, what is stuck, and what to do about it"
    serve_page(http, Page("console", "console", summary, FILES, signing_in))
