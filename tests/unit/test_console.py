"""The console's files, as a browser gets them; tests/e2e/test_console.py has it used."""

import re
from hashlib import sha256

import pytest

from services.operations.console import FILES
from simulation.world import ENVIRONMENT, Answer
from tests.unit.world import World

STRANGER = {"authorization": ""}
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
SERVED = {each.name: TYPES[each.suffix] for each in FILES.iterdir() if each.suffix in TYPES}
OURS = [name for name in SERVED if name.endswith(".js") and not name.startswith("uPlot")]


async def of_console(file: str, world: World | None = None) -> Answer:
    return await (world or World()).call("console_file", route={"file": file}, headers=STRANGER)


@pytest.mark.parametrize("file", SERVED)
async def test_each_file_says_what_it_is_and_whether_it_has_changed(file: str) -> None:
    world = World()
    answer = await of_console(file, world)
    known = STRANGER | {"if-none-match": answer.headers["ETag"]}
    again = await world.call("console_file", route={"file": file}, headers=known)

    assert (answer.status, answer.mimetype, again.status) == (200, SERVED[file], 304)


async def test_the_page_may_do_just_what_it_needs() -> None:
    page = await World().call("console", headers=STRANGER)

    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self' https://id.example; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert not re.search(r"<script(?![^>]*src=)| on\w+=|<style| style=", page.content.decode())


async def test_all_that_it_loads_is_there_and_comes_from_here() -> None:
    page = (await World().call("console", headers=STRANGER)).content.decode()
    loaded = re.findall(r'(?:src|href)="(?!#)([^"]+)"', page)
    imported = [found for name in OURS for found in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', text_of(name))]

    assert len(loaded) >= 4
    assert {each.removeprefix("/api/console/") for each in loaded} <= SERVED.keys()
    assert {each.removeprefix("./") for each in imported} <= SERVED.keys()


@pytest.mark.parametrize("file", OURS)
def test_what_comes_from_elsewhere_goes_into_the_page_as_text(file: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text_of(file))


async def test_the_page_knows_where_its_reader_signs_in() -> None:
    named = World(environment=ENVIRONMENT | {"CONSOLE_CLIENT_ID": "page", "CONSOLE_SCOPE": "openid api://orders/use"})

    assert (await of_console("page.json", named)).body == {
        "issuer": "https://id.example",
        "clientId": "page",
        "scope": "openid api://orders/use",
        "rolesClaim": "roles",
    }


def test_the_charts_are_those_that_were_taken_and_came_with_their_licence() -> None:
    assert sha256((FILES / "uPlot.esm.js").read_bytes()).hexdigest() in text_of("README.md")
    assert "MIT License" in text_of("LICENSE.uPlot")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    palettes = re.findall(r":root \{(.+?)\}", text_of("console.css"), re.DOTALL)
    assert len(palettes) == 2
    colours = dict(re.findall(r"--([\w-]+): #(\w{6})", palettes[scheme == "dark"]))
    texts = {"text", "quiet", "accent", "good", "warn", "bad", "orders", "inventory", "payments", "shipping"}
    pairs = [(text, ground) for text in sorted(texts) for ground in ("ground", "raised")]

    for text, ground in [*pairs, ("on-accent", "accent"), ("bad", "bad-ground")]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def text_of(file: str) -> str:
    return (FILES / file).read_text()
