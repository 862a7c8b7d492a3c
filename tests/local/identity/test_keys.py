"""Discovery, keys and tokens: what an application needs to know who calls."""

import stat
import time
from pathlib import Path

import jwt
import pytest

from local.identity.issuer import Caller, Role, Tokens, mint
from local.state import NoStackError
from tests.local.identity.running import Identity

ADMIN = Caller(Role.ADMIN, "admin")
ADA = Caller(Role.CUSTOMER, "ada")


def test_discovery_names_the_issuer_its_endpoints_and_what_it_can_do(identity: Identity) -> None:
    told = identity.configuration()

    assert told["issuer"] == identity.address
    assert (told["jwks_uri"], told["token_endpoint"]) == (f"{identity.address}/keys", f"{identity.address}/token")
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["id_token_signing_alg_values_supported"] == ["RS256"]


def test_a_token_holds_against_the_published_keys(identity: Identity) -> None:
    now = time.time()

    claims = identity.claims(mint(identity.state, Caller(Role.WAREHOUSE, "olga")))

    assert (claims["sub"], claims["roles"]) == ("olga", ["warehouse"])
    assert now - 2 < claims["iat"] == claims["nbf"] == claims["exp"] - 3600 < now + 2


def test_no_two_tokens_have_the_same_id(identity: Identity) -> None:
    ids = {identity.claims(mint(identity.state, ADMIN))["jti"] for _ in range(3)}

    assert len(ids) == 3


def test_a_token_may_have_expired(identity: Identity) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        identity.claims(mint(identity.state, ADMIN, lifetime=-1))


def test_the_published_keys_are_the_public_halves(identity: Identity) -> None:
    (key,) = identity.http.get("/keys").json()["keys"]

    assert {key[name] for name in ("kty", "use", "alg")} == {"RSA", "sig", "RS256"}
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}


def test_the_keys_are_for_their_owners_eyes_and_outlive_the_process(identity: Identity) -> None:
    (kept,) = (identity.state / "identity").iterdir()
    token = mint(identity.state, Caller(Role.SUPPORT, "support"))

    identity.stop()
    identity.start()

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert identity.claims(token)["sub"] == "support"


def test_after_a_rotation_a_new_key_signs_and_old_tokens_hold_until_it_is_forgotten(identity: Identity) -> None:
    before = mint(identity.state, ADMIN)
    first, second = identity.http.post("/_rotate").raise_for_status().json()["kids"]
    after = mint(identity.state, ADMIN)

    assert (jwt.get_unverified_header(after)["kid"], jwt.get_unverified_header(before)["kid"]) == (first, second)
    assert identity.claims(before)["sub"] == identity.claims(after)["sub"] == "admin"

    assert identity.http.post("/_forget").json()["kids"] == [first]
    assert identity.claims(after)["sub"] == "admin"
    with pytest.raises(KeyError):
        identity.claims(before)


def test_an_issuer_can_be_told_to_fail(identity: Identity) -> None:
    identity.http.post("/_faults", json={"kind": "status", "operation": "keys", "count": 1}).raise_for_status()

    assert [identity.http.get("/keys").status_code for _ in range(2)] == [503, 200]
    assert identity.configuration()["issuer"] == identity.address


def test_a_caller_keeps_a_token_until_shortly_before_it_expires(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, began = Tokens(identity.state), time.monotonic()
    monkeypatch.setattr("local.identity.issuer.time.monotonic", lambda: began)
    first, other = tokens.of(ADA), tokens.of(Caller(Role.CUSTOMER, "13047"))

    monkeypatch.setattr("local.identity.issuer.time.monotonic", lambda: began + 2699)
    assert tokens.of(ADA) == first != other
    monkeypatch.setattr("local.identity.issuer.time.monotonic", lambda: began + 2700)
    assert tokens.of(ADA) != first


def test_without_a_stack_there_are_no_tokens(tmp_path: Path) -> None:
    with pytest.raises(NoStackError, match=f"state folder {tmp_path}: start one with scripts/run"):
        mint(tmp_path, ADMIN)
