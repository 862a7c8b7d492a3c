"""Whose token it is, and whether it is good: every rule of the check of bearer tokens, and how it is got around."""

import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.access import Caller, Role
from shared.errors import InvalidToken
from tests.unit.tokens import ALGORITHMS, AUDIENCE, ISSUER, Issuer, encoded, private_key, public_jwk

CANARY = "canary-7f3a"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def accepted(issuer: Issuer, token: str, **rules: str) -> Caller:
    return await issuer.authenticator(**rules).authenticate(token)


async def refused(issuer: Issuer, token: str, **rules: str) -> str:
    """Why."""
    with pytest.raises(InvalidToken) as error:
        await issuer.authenticator(**rules).authenticate(token)
    return str(error.value)


@pytest.mark.parametrize(("key", "algorithm"), [(key, each) for key, found in ALGORITHMS.items() for each in found])
async def test_a_token_signed_by_one_of_the_issuers_keys_says_who_calls(key: str, algorithm: str) -> None:
    issuer = Issuer(key)
    caller = await issuer.authenticator().authenticate(issuer.token(key, algorithm))
    assert caller == Caller("ada", frozenset({Role.CUSTOMER}))


async def test_the_audience_may_be_one_of_several(issuer: Issuer) -> None:
    await accepted(issuer, issuer.token(aud=["another", AUDIENCE]))


@pytest.mark.parametrize("aud", ["another", ["another"], [], "", None, [AUDIENCE, 7], {AUDIENCE: 1}, 7, [[AUDIENCE]]])
async def test_a_token_for_others_is_refused(issuer: Issuer, aud: Any) -> None:
    assert await refused(issuer, issuer.token(aud=aud)) in (
        "the token is for another audience",
        "the token lacks iss, aud or exp",
    )


@pytest.mark.parametrize(
    "iss", ["https://id.example", "https://id.example//", "https://ID.example/", "", None, [ISSUER]]
)
async def test_another_issuers_token_is_refused(issuer: Issuer, iss: Any) -> None:
    assert await refused(issuer, issuer.token(iss=iss)) in (
        "the token is another issuer's",
        "the token lacks iss, aud or exp",
    )


async def test_a_token_expires_with_thirty_seconds_to_spare(issuer: Issuer) -> None:
    check, token = issuer.authenticator(), issuer.token(exp=issuer.now() + 60)
    await issuer.system.sleep(89)
    await check.authenticate(token)

    await issuer.system.sleep(1)

    with pytest.raises(InvalidToken, match="has expired"):
        await check.authenticate(token)


async def test_a_token_is_good_from_its_time_on_with_thirty_seconds_to_spare(issuer: Issuer) -> None:
    check, token = issuer.authenticator(), issuer.token(nbf=issuer.now() + 60)
    await issuer.system.sleep(29)
    with pytest.raises(InvalidToken, match="isn't valid yet"):
        await check.authenticate(token)

    await issuer.system.sleep(1)

    await check.authenticate(token)


async def test_a_time_may_have_fractions(issuer: Issuer) -> None:
    await accepted(issuer, issuer.token(exp=issuer.now() + 0.5, nbf=issuer.now() - 0.5))


@pytest.mark.parametrize("claim", ["exp", "nbf"])
@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "-1", "1e400", "1" + "0" * 400, "true", '"4102444800"', "[]", "{}", "1e12"],
)
async def test_what_is_no_time_is_refused(issuer: Issuer, claim: str, value: str) -> None:
    claims = issuer.claims()
    claims.pop(claim, None)
    payload = f'{json.dumps(claims)[:-1]}, "{claim}": {value}}}'
    token = issuer.signed(encoded({"alg": "RS256", "kid": "rsa"}), encoded(payload.encode()))

    assert await refused(issuer, token) == f"the token's {claim} is no time in seconds since 1970"


@pytest.mark.parametrize("exp", [None, "null"])
async def test_a_token_that_never_expires_is_refused(issuer: Issuer, exp: str | None) -> None:
    claims = issuer.claims(exp=None) | ({"exp": None} if exp else {})
    token = issuer.signed(encoded({"alg": "RS256", "kid": "rsa"}), encoded(claims))
    assert await refused(issuer, token) == "the token lacks iss, aud or exp"


async def test_a_token_signed_by_another_key_is_refused(issuer: Issuer) -> None:
    token = issuer.token("rsa-2", header={"kid": "rsa"})
    assert await refused(issuer, token) == "the token isn't signed by the key that it names"


async def test_a_token_that_was_changed_is_refused(issuer: Issuer) -> None:
    header, _, signature = issuer.token().split(".")
    assert "isn't signed by" in await refused(issuer, f"{header}.{encoded(issuer.claims(sub='eve'))}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, "HS256", 7, ["RS256"], {"RS256": 1}])
async def test_an_algorithm_that_is_none_of_the_keys_is_refused(issuer: Issuer, algorithm: Any) -> None:
    for signature in ("", encoded(b"x")):
        token = f"{encoded({'alg': algorithm, 'kid': 'rsa'})}.{encoded(issuer.claims())}.{signature}"
        assert await refused(issuer, token) == "the token's algorithm isn't one of the key that it names"


async def test_a_token_without_an_algorithm_is_refused(issuer: Issuer) -> None:
    token = issuer.signed(encoded({"kid": "rsa"}), encoded(issuer.claims()))
    assert await refused(issuer, token) == "the token's algorithm isn't one of the key that it names"


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
async def test_the_public_key_is_no_secret_to_sign_with(issuer: Issuer, digest: str) -> None:
    public = private_key("rsa").public_key()
    known = [
        public.public_bytes(encoding, form)
        for encoding, form in (
            (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.PEM, PublicFormat.PKCS1),
        )
    ]
    for secret in (*known, json.dumps(public_jwk("rsa")).encode(), public_jwk("rsa")["n"].encode()):
        text = f"{encoded({'alg': f'HS{digest[3:]}', 'kid': 'rsa'})}.{encoded(issuer.claims())}"
        signature = hmac.digest(secret, text.encode(), getattr(hashlib, digest))
        assert "algorithm" in await refused(issuer, f"{text}.{encoded(signature)}")


@pytest.mark.parametrize(
    ("key", "algorithm"), [("rsa", "ES256"), ("p256", "RS256"), ("p256", "ES384"), ("p384", "ES256"), ("p521", "EdDSA")]
)
async def test_a_key_is_used_with_its_own_algorithms_alone(key: str, algorithm: str) -> None:
    issuer = Issuer(key)
    token = issuer.token(key, header={"alg": algorithm})
    assert await refused(issuer, token) == "the token's algorithm isn't one of the key that it names"


async def test_a_key_declared_for_one_algorithm_checks_no_other(issuer: Issuer) -> None:
    issuer.listed = [public_jwk("rsa", alg="PS256")]
    await accepted(issuer, issuer.token(algorithm="PS256"))
    assert "algorithm" in await refused(issuer, issuer.token(algorithm="RS256"))


@pytest.mark.parametrize("size", [16 * 1024 + 1, 100_000, 1_000_000])
async def test_a_token_of_more_than_sixteen_kilobytes_is_refused_unread(issuer: Issuer, size: int) -> None:
    token = issuer.token(more="x" * size)
    assert await refused(issuer, token) == "the token is longer than 16384 bytes"
    assert issuer.asked == 0


async def test_a_token_of_just_below_that_is_taken(issuer: Issuer) -> None:
    token = issuer.token(more="x" * 11_700)
    assert 16_000 < len(token) <= 16_384
    await accepted(issuer, token)


@pytest.mark.parametrize("crit", [["b64"], ["exp"], [], "b64", None, ["http://example"]])
@pytest.mark.parametrize("b64", [True, False, None])
async def test_a_header_with_extensions_is_refused(issuer: Issuer, crit: Any, b64: bool | None) -> None:
    header = {"crit": crit} | ({} if b64 is None else {"b64": b64})
    assert await refused(issuer, issuer.token(header=header))


@pytest.mark.parametrize(
    "kid",
    [
        "rsa ",
        "RSA",
        "../../dev/null",
        "rsa' OR '1'='1",
        "https://evil.example/jwks.json",
        "rsa\0",
        "\ud800",
        "__class__",
        "0",
        "*",
    ],
)
async def test_a_key_is_looked_for_by_its_name_and_nowhere_else(issuer: Issuer, kid: str) -> None:
    assert await refused(issuer, issuer.token(header={"kid": kid})) == (
        "the token is signed by a key that its issuer doesn't list"
    )


@pytest.mark.parametrize("kid", ["", None, 7, ["rsa"], {"rsa": 1}, True])
async def test_a_token_that_names_no_key_is_refused(issuer: Issuer, kid: Any) -> None:
    assert await refused(issuer, issuer.token(header={"kid": kid}))
    assert issuer.asked == 0


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "x5c"])
async def test_a_key_that_the_token_brings_along_is_not_looked_at(issuer: Issuer, header: str) -> None:
    brought = public_jwk("rsa-2", kid="rsa") if header == "jwk" else "https://evil.example/keys"
    token = issuer.token("rsa-2", header={"kid": "rsa", header: brought})
    assert await refused(issuer, token) == "the token isn't signed by the key that it names"


def _deep(depth: int) -> bytes:
    return b'{"alg": "RS256", "kid": "rsa", "x": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "\ud800",
        f"{encoded(b'[]')}.e30.x",
        f"{encoded(b'null')}.e30.x",
        f"{encoded(b'1')}.e30.x",
        f"{encoded(b'{')}.e30.x",
        f"{encoded(bytes([255, 254]))}.e30.x",
        f"{encoded(_deep(5000))}.e30.x",
        f"{encoded(b'1' * 8000)}.e30.x",
        f"{encoded({'alg': 'RS256', 'kid': 'rsa'})}.%%%.x",
    ],
    ids=range(16),
)
async def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    assert await refused(issuer, token)


@pytest.mark.parametrize("payload", [b"[]", b"null", b"1", b"{", b"", b"\xff", b"[" * 5000, b"1" * 8000])
async def test_claims_that_are_no_object_are_refused_though_they_are_signed(issuer: Issuer, payload: bytes) -> None:
    token = issuer.signed(encoded({"alg": "RS256", "kid": "rsa"}), encoded(payload))
    assert await refused(issuer, token)


@pytest.mark.parametrize(
    ("subject", "fault"),
    [
        ("", "should not be empty"),
        (" ", "should not be empty"),
        ("a\nb", "should be one line"),
        ("a\0b", "should be one line"),
        ("a\u202eb", "should be one line"),
        ("\ud800", "should be printable"),
        ("x" * 201, "should have 200 characters at most"),
        *((unnameable, "should be what a path can name: ") for unnameable in (".", "..", "v%2Fw", "%2f")),
        (None, "isn't a text"),
        (7, "isn't a text"),
        (True, "isn't a text"),
        (["ada"], "isn't a text"),
        ({}, "isn't a text"),
    ],
)
async def test_a_subject_that_names_nobody_is_refused(issuer: Issuer, subject: Any, fault: str) -> None:
    assert await refused(issuer, issuer.token(sub=subject))
    told = await refused(issuer, issuer.token(oid=subject), subject_claim="oid")
    assert told.startswith(f"the token's claim oid {fault}")


@pytest.mark.parametrize(
    "subject", ["a", "guest-1", "x" * 200, "Ada Byron", "ада", "auth0|5f7c", "v/w", "v%252Fw", "...", "é", "e\u0301"]
)
async def test_a_subject_is_taken_as_it_is(issuer: Issuer, subject: str) -> None:
    assert (await issuer.authenticator().authenticate(issuer.token(sub=subject))).subject == subject


async def test_subject_and_roles_may_be_in_other_claims(issuer: Issuer) -> None:
    check = issuer.authenticator(subject_claim="oid", roles_claim="https://shop.example/roles")
    claims: dict[str, Any] = {"oid": "o-1", "https://shop.example/roles": "warehouse"}
    caller = await check.authenticate(issuer.token(**claims))
    assert caller == Caller("o-1", frozenset({Role.WAREHOUSE}))


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        (["support", "admin"], {Role.SUPPORT, Role.ADMIN}),
        ("support", {Role.SUPPORT}),
        (["Support", "owner", "admin "], set()),
        (["admin", "owner"], {Role.ADMIN}),
        ([], set()),
        (None, set()),
        ("", set()),
        ("admin support", set()),
    ],
)
async def test_roles_that_are_known_count_and_others_are_passed_over(
    issuer: Issuer, roles: Any, found: set[Role]
) -> None:
    assert (await issuer.authenticator().authenticate(issuer.token(roles=roles))).roles == found


@pytest.mark.parametrize("roles", [7, True, {"admin": True}, [["admin"]], ["admin", None], [{"admin": 1}]])
async def test_roles_of_another_form_are_refused(issuer: Issuer, roles: Any) -> None:
    assert await refused(issuer, issuer.token(roles=roles)) == (
        "the token's claim roles is neither a text nor a list of texts"
    )


async def test_a_signature_is_checked_once_while_its_key_is_the_same(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = jwt.decode

    def counted(token: str, key: Any, **how: Any) -> Any:
        decoded.append(token)
        return decode(token, key, **how)

    monkeypatch.setattr(jwt, "decode", counted)
    check, ada, grace = issuer.authenticator(), issuer.token(), issuer.token(sub="grace")

    callers = [(await check.authenticate(token)).subject for token in (ada, grace, ada, grace)]

    assert callers == ["ada", "grace", "ada", "grace"]
    assert decoded == [ada, grace]


@pytest.mark.parametrize(
    ("listed", "why"),
    [("rsa-2", "is signed by a key that its issuer doesn't list"), ("rsa", "isn't signed by the key that it names")],
    ids=["its key is listed no more", "another key has the name of its own"],
)
async def test_a_token_that_was_good_before_is_refused_within_ten_minutes_of_losing_its_key(
    issuer: Issuer, listed: str, why: str
) -> None:
    check, token = issuer.authenticator(), issuer.token()
    await check.authenticate(token)

    issuer.listed = [public_jwk("rsa-2", kid=listed)]
    await issuer.system.sleep(600)

    with pytest.raises(InvalidToken, match=why):
        await check.authenticate(token)


async def test_of_tokens_that_were_good_only_so_many_are_remembered(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.authentication.MOST_REMEMBERED", 2)
    check = issuer.authenticator()
    for name in ("ada", "grace", "joan", "ada"):
        assert (await check.authenticate(issuer.token(sub=name))).subject == name
        assert len(check._checked) <= 2


async def test_no_refusal_repeats_what_the_token_holds(issuer: Issuer) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"aud": CANARY},
        {"iss": CANARY},
        {"exp": CANARY},
        {"nbf": CANARY},
        {"sub": f"{CANARY}\n"},
        {"roles": {CANARY: 1}},
        {"header": {"kid": CANARY}},
        {"header": {"alg": CANARY}},
        {"header": {"crit": [CANARY]}},
        {"header": {"b64": False}},
        {"jti": [CANARY]},
    )
    for each in wrong:
        assert CANARY not in await refused(issuer, issuer.token(**each))
    for part in (f'{{"{CANARY}', f'{{"alg": "{CANARY}\\q"}}', CANARY):
        assert CANARY not in await refused(issuer, f"{encoded(part.encode())}.{encoded(part.encode())}.{CANARY}")
