"""A page in a browser signs in: authorisation code with PKCE."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.local.identity.running import Identity

PAGE = "http://127.0.0.1:7071"
REDIRECT = f"{PAGE}/api/docs/oauth2-redirect.html"
VERIFIER = "a-verifier-of-forty-three-characters-or-more"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "orderflow",
    "redirect_uri": REDIRECT,
    "scope": "openid",
    "state": 'a "state" & more',
    "nonce": "once",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def shown(identity: Identity, **changes: str) -> httpx.Response:
    """What the browser gets that comes to sign in."""
    return identity.http.get("/authorize", params=ASKED | changes)


def sign_in(identity: Identity, role: str = "customer", subject: str = "ada", **changes: str) -> dict[str, list[str]]:
    """Fill in the page's form; what the page that asked is told."""
    page = shown(identity, **changes)
    hidden = re.findall('<input type="hidden" name="([^"]*)" value="([^"]*)">', page.raise_for_status().text)
    form = {unescape(name): unescape(value) for name, value in hidden}
    answer = identity.http.post("/authorize", data=form | {"role": role, "subject": subject})
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, form["redirect_uri"])
    return parse_qs(urlsplit(answer.headers["location"]).query)


def redeem(identity: Identity, code: str, /, **changes: str) -> httpx.Response:
    """The page's own request for its token."""
    form = {"grant_type": "authorization_code", "client_id": "orderflow", "code": code}
    form |= {"redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return identity.http.post("/token", data=form | changes, headers={"Origin": PAGE})


def test_a_page_gets_a_token_for_whom_was_chosen(identity: Identity) -> None:
    told = sign_in(identity)
    answer = redeem(identity, told["code"][0])

    assert told["state"] == [ASKED["state"]]
    assert answer.headers["access-control-allow-origin"] in (PAGE, "*")
    assert answer.headers["cache-control"] == "no-store"
    granted = answer.raise_for_status().json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    claims = identity.claims(granted["access_token"])
    assert (claims["sub"], claims["roles"]) == ("ada", ["customer"])
    assert identity.claims(granted["id_token"])["nonce"] == "once"


def test_staff_without_a_name_have_their_roles(identity: Identity) -> None:
    granted = redeem(identity, sign_in(identity, "support", "")["code"][0]).json()

    assert identity.claims(granted["access_token"])["sub"] == "support"


def test_a_code_is_good_once(identity: Identity) -> None:
    (code,) = sign_in(identity)["code"]

    first, second = redeem(identity, code), redeem(identity, code)

    assert (first.status_code, second.status_code, second.json()["error"]) == (200, 400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": f"{PAGE}/another"}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_good_for_the_page_alone_that_asked(identity: Identity, changes: dict[str, str], error: str) -> None:
    refused = redeem(identity, sign_in(identity)["code"][0], **changes)

    assert (refused.status_code, refused.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "foreign",
    [
        "https://shop.example/callback",
        "http://127.0.0.1.shop.example/",
        "http://127.0.0.1:7071@shop.example/",
        "http://localhost\\@shop.example/",
        "//127.0.0.1/",
        "javascript:alert(1)//127.0.0.1",
        f"{REDIRECT}#fragment",
        "",
    ],
)
def test_nobody_is_sent_to_another_machine(identity: Identity, foreign: str) -> None:
    refused = shown(identity, redirect_uri=foreign)
    posted = identity.http.post("/authorize", data=ASKED | {"redirect_uri": foreign, "role": "admin", "subject": ""})

    assert [each.status_code for each in (refused, posted)] == [400, 400]
    assert "redirect_uri must be" in refused.text
    assert "location" not in posted.headers


@pytest.mark.parametrize("own", ["http://localhost:3000", "http://[::1]:1/a?b=c", "http://127.0.0.1/"])
def test_any_page_of_this_machine_may_ask(identity: Identity, own: str) -> None:
    assert shown(identity, redirect_uri=own).status_code == 200


def test_a_page_may_have_its_code_where_no_server_sees_it(identity: Identity) -> None:
    form = ASKED | {"response_mode": "fragment", "role": "admin", "subject": ""}

    to = urlsplit(identity.http.post("/authorize", data=form).headers["location"])

    assert (to.query, to.path) == ("", urlsplit(REDIRECT).path)
    told = parse_qs(to.fragment)
    assert told["state"] == [ASKED["state"]]
    assert redeem(identity, told["code"][0]).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_a_page_is_told_what_it_asked_wrongly(identity: Identity, changes: dict[str, str], error: str) -> None:
    answer = shown(identity, **changes)

    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status_code, told["error"], told["state"]) == (303, [error], [ASKED["state"]])


def test_an_unknown_role_gets_no_code(identity: Identity) -> None:
    told = sign_in(identity, role="owner")

    assert (told["error"], "code" in told) == (["access_denied"], False)


def test_what_a_page_asks_for_is_no_markup_of_the_sign_in_page(identity: Identity) -> None:
    page = shown(identity, state='"><script>alert(1)</script>')

    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_page_of_another_site_may_not_read_an_answer(identity: Identity) -> None:
    answer = identity.http.get("/keys", headers={"Origin": "https://shop.example"})
    preflight = identity.http.options(
        "/token", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    )

    assert "access-control-allow-origin" not in answer.headers
    assert preflight.status_code == 400
