"""The API's page and description, as a browser gets them."""

import json
import re

import pytest

from services.catalog.api_page import DESCRIPTION, FILES
from simulation.world import ENVIRONMENT, Answer
from tests.unit.world import World

STRANGER = {"authorization": ""}
SERVED = {"page.json": "application/json"} | {
    each.name: {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}[each.suffix]
    for each in FILES.iterdir()
    if each.suffix in {".css", ".html", ".js"}
}


async def of_page(file: str, world: World | None = None) -> Answer:
    return await (world or World()).call("api_page_file", route={"file": file}, headers=STRANGER)


async def test_the_description_is_the_document_as_it_is_committed() -> None:
    answer = await World().call("api_description", headers=STRANGER)

    assert (answer.status, answer.mimetype, answer.content) == (200, "application/json", DESCRIPTION.read_bytes())


async def test_a_browser_that_has_it_is_told_so() -> None:
    world = World()
    first = await world.call("api_page", headers=STRANGER)

    again = await world.call("api_page", headers=STRANGER | {"if-none-match": first.headers["ETag"]})

    assert (first.status, first.headers["Cache-Control"]) == (200, "private, no-cache")
    assert (again.status, again.content) == (304, b"")


@pytest.mark.parametrize("file", SERVED)
async def test_each_file_of_the_page_says_what_it_is(file: str) -> None:
    answer = await of_page(file)

    assert (answer.status, answer.mimetype) == (200, SERVED[file])


async def test_all_that_the_page_loads_is_there_and_comes_from_here() -> None:
    page = await World().call("api_page", headers=STRANGER)
    redirect = await of_page("oauth2-redirect.html")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode() + redirect.content.decode())
    loaded += re.findall(r'"(/api/docs/[^"`]+)"', (await of_page("docs.js")).content.decode())

    assert len(loaded) >= 6
    for address in loaded:
        assert address == "data:," or address.removeprefix("/api/docs/") in SERVED


async def test_a_page_runs_its_own_scripts_alone_and_asks_nobody_but_this_host_and_the_issuer() -> None:
    for answer in (await World().call("api_page", headers=STRANGER), await of_page("oauth2-redirect.html")):
        rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split(";"))

        assert rules["default-src"] == "'none'"
        assert (rules["script-src"], rules["style-src"]) == ("'self'", "'self'")
        assert rules["connect-src"] == "'self' https://id.example"
        assert not re.search(r"<script(?![^>]*src=)| on\w+=|<style", answer.content.decode())


@pytest.mark.parametrize("file", ["", ".", "..", "../functions.py", "LICENSE", "README.md", "none.js", "x" * 3000])
async def test_there_are_no_other_files(file: str) -> None:
    answer = await of_page(file)

    assert (answer.status, answer.body["type"]) == (404, "urn:orderflow:problem:not-found")
    assert len(answer.content) < 400


async def test_the_page_knows_where_its_reader_signs_in() -> None:
    named = World(environment=ENVIRONMENT | {"API_PAGE_CLIENT_ID": "page", "API_PAGE_SCOPE": "openid api://orders/use"})

    assert (await of_page("page.json")).body == {
        "issuer": "https://id.example",
        "clientId": "",
        "scope": "openid",
        "rolesClaim": "roles",
    }
    assert json.loads((await of_page("page.json", named)).content) == {
        "issuer": "https://id.example",
        "clientId": "page",
        "scope": "openid api://orders/use",
        "rolesClaim": "roles",
    }


async def test_what_was_taken_from_swagger_ui_came_with_its_licence() -> None:
    assert "Apache License" in (FILES / "LICENSE").read_text()
    assert "SmartBear" in (FILES / "NOTICE").read_text()
    assert (
        "For license information please see swagger-ui-bundle.js.LICENSE.txt"
        in (FILES / "swagger-ui-bundle.js").read_text()[:200]
    )
