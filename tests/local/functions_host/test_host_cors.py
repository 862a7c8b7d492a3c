"""Pages of other origins: preflights, and answers that such a page may read."""

import json
import shutil
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local.functions_host.cors import Cors
from local.functions_host.settings import allowed_origins
from tests.local.functions_host.running import APPS, Host
from tests.local.test_gateway import Gateway

SHOP, OFFICE, STRANGER = "https://shop.example", "http://localhost:3000", "https://stranger.example"


async def _answer(request: Request) -> Response:
    return PlainTextResponse("hello", headers={"ETag": '"1"'})


async def _ask(cors: Cors, method: str, origin: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Origin": origin}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cors), base_url="http://host") as client:
        return await client.request(method, "/api/hello", headers=sent)


def _host(*origins: str, credentials: bool = False) -> Cors:
    return Cors(Starlette(routes=[Route("/api/hello", _answer)]), [*origins], credentials=credentials)


async def _preflight(cors: Cors, origin: str) -> httpx.Response:
    asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "authorization,x-any"}
    return await _ask(cors, "OPTIONS", origin, **asked)


async def test_a_preflight_of_a_listed_origin_may_use_whatever_it_asks_for() -> None:
    answer = await _preflight(_host(SHOP), SHOP)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "authorization,x-any"


async def test_a_preflight_of_another_origin_is_granted_nothing() -> None:
    answer = await _preflight(_host(SHOP), STRANGER)

    assert (answer.status_code, [name for name in answer.headers if name.startswith("access-control")]) == (204, [])


async def test_an_answer_says_whether_the_page_may_read_it() -> None:
    cors = _host(SHOP, OFFICE)

    mine, foreign = [await _ask(cors, "GET", origin) for origin in (OFFICE, STRANGER)]

    assert (mine.text, mine.headers["access-control-allow-origin"], mine.headers["vary"]) == ("hello", OFFICE, "Origin")
    assert (foreign.text, "access-control-allow-origin" in foreign.headers) == ("hello", False)
    assert "access-control-expose-headers" not in mine.headers


async def test_any_origin_may_be_let_in_and_cookies_with_listed_ones() -> None:
    anybody = await _ask(_host("*"), "GET", STRANGER)
    known = await _ask(_host(SHOP, credentials=True), "GET", SHOP)

    assert anybody.headers["access-control-allow-origin"] == "*"
    assert known.headers["access-control-allow-credentials"] == "true"


async def test_an_options_request_that_asks_for_no_leave_reaches_the_functions() -> None:
    answer = await _ask(_host(SHOP), "OPTIONS", SHOP)

    assert answer.status_code == 405
    assert answer.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ({"CORS": f"{SHOP},{OFFICE}", "CORSCredentials": True}, ([SHOP, OFFICE], True)),
        ({"CORS": "*"}, (["*"], False)),
        ({"LocalHttpPort": 7071}, ([], False)),
    ],
)
def test_local_settings_list_the_origins(tmp_path: Path, host: object, found: object) -> None:
    (tmp_path / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": {}, "Host": host}))

    assert allowed_origins(tmp_path) == found


def test_a_preflight_is_answered_through_a_gateway_by_the_host_that_has_the_method(tmp_path: Path) -> None:
    app = shutil.copytree(APPS / "left", tmp_path / "left")
    (app / "local.settings.json").write_text(json.dumps({"Host": {"CORS": SHOP}}))
    host = Host(app, tmp_path).ready()
    gateway = Gateway(tmp_path, host)
    gateway.ready()
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}

    answers = [httpx.options(f"{part.address}/api/left/a", headers=asked) for part in (host, gateway)]
    answer = httpx.get(f"{gateway.address}/api/left/a", headers={"Origin": SHOP})

    assert [each.status_code for each in answers] == [204, 204]
    assert [each.headers["access-control-allow-methods"] for each in answers] == ["POST", "POST"]
    assert answer.headers.get_list("access-control-allow-origin") == [SHOP]
    assert httpx.options(f"{gateway.address}/api/left/a").status_code == 404
    assert (gateway.stop(), host.stop()) == (0, 0)
