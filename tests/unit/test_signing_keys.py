"""The issuer's keys: how long each is trusted, how often the issuer is asked, and who waits for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from shared.access import Caller
from shared.authentication import TokenAuthenticator
from shared.errors import InvalidToken, Unavailable
from tests.unit.tokens import Issuer, encoded, private_key, public_jwk

MINUTE, HOUR = 60, 3600


async def idle() -> None:
    """Until nothing more happens by itself."""
    for _ in range(10):
        await asyncio.sleep(0)


async def known(check: TokenAuthenticator, issuer: Issuer, key: str = "rsa") -> bool:
    """Whether a token that this key has just signed is good; nothing that this began goes on."""
    try:
        await check.authenticate(issuer.token(key))
    except InvalidToken:
        return False
    finally:
        await idle()
    return True


async def opened(*keys: str) -> tuple[Issuer, TokenAuthenticator]:
    issuer = Issuer(*keys)
    check = issuer.authenticator()
    assert await known(check, issuer, keys[0] if keys else "rsa")
    assert issuer.asked == 1
    return issuer, check


async def test_the_issuer_is_asked_at_the_first_token_and_no_more_for_five_minutes() -> None:
    issuer, check = await opened()
    for _ in range(4):
        await issuer.system.sleep(74)
        assert await known(check, issuer)
    assert issuer.asked == 1

    await issuer.system.sleep(4)
    assert await known(check, issuer)

    assert issuer.asked == 2


async def test_a_key_that_is_no_longer_listed_is_refused_within_ten_minutes_by_requests_that_never_stop() -> None:
    issuer, check = await opened()
    issuer.listed = [public_jwk("p256")]

    minutes = 0
    while await known(check, issuer):
        await issuer.system.sleep(MINUTE)
        minutes += 1

    assert minutes <= 6
    assert issuer.asked <= 3


async def test_a_key_that_is_no_longer_listed_is_refused_within_ten_minutes_by_the_first_request_in_hours() -> None:
    issuer, check = await opened()
    issuer.listed = [public_jwk("p256")]
    await issuer.system.sleep(9 * MINUTE)

    assert not await known(check, issuer)


async def test_a_key_that_is_no_longer_listed_is_refused_when_two_requests_are_nine_minutes_apart() -> None:
    issuer, check = await opened()
    issuer.listed = [public_jwk("p256")]
    await issuer.system.sleep(8 * MINUTE)
    assert await known(check, issuer)

    await issuer.system.sleep(MINUTE)

    assert not await known(check, issuer)


async def test_an_issuer_too_slow_to_be_waited_for_delays_nobody_whose_key_is_known() -> None:
    issuer, check = await opened()
    issuer.away = True
    await issuer.system.sleep(5 * MINUTE)

    for _ in range(60):
        issuer.answers.clear()
        for _ in range(5):
            async with asyncio.timeout(1):
                await check.authenticate(issuer.token())
            await issuer.system.sleep(1)
        issuer.answers.set()
        await idle()
        await issuer.system.sleep(MINUTE)

    assert issuer.asked == 1 + 60


async def test_while_the_issuer_is_away_known_keys_serve_for_a_day_and_it_is_asked_once_a_minute() -> None:
    issuer, check = await opened()
    issuer.away = True
    await issuer.system.sleep(5 * MINUTE)

    for _ in range(23 * 60):
        assert await known(check, issuer)
        assert await known(check, issuer)
        await issuer.system.sleep(MINUTE)
    assert issuer.asked == 1 + 23 * 60

    await issuer.system.sleep(55 * MINUTE)
    with pytest.raises(Unavailable, match="the issuer is away"):
        await known(check, issuer)

    issuer.away = False
    await issuer.system.sleep(3)
    assert await known(check, issuer)


async def test_an_issuer_that_is_back_is_noticed_within_a_minute_though_its_keys_are_known() -> None:
    issuer, check = await opened()
    issuer.away = True
    await issuer.system.sleep(5 * MINUTE)
    assert await known(check, issuer)
    issuer.away = False
    issuer.listed = [public_jwk("p256")]

    await issuer.system.sleep(MINUTE)

    assert await known(check, issuer)
    assert not await known(check, issuer)


async def test_without_any_key_an_issuer_that_is_back_is_noticed_within_seconds_and_asked_no_more_often() -> None:
    issuer = Issuer()
    issuer.away = True
    check = issuer.authenticator()
    for _ in range(6):
        for _ in range(10):
            with pytest.raises(Unavailable, match="the issuer is away"):
                await known(check, issuer)
        await issuer.system.sleep(1)
    assert issuer.asked == 2

    issuer.away = False

    assert await known(check, issuer)


async def test_a_new_key_is_known_with_its_first_token() -> None:
    issuer, check = await opened()
    issuer.listed.append(public_jwk("p256"))

    assert await known(check, issuer, "p256")
    assert issuer.asked == 2


async def test_a_flood_of_made_up_keys_asks_the_issuer_once_a_minute() -> None:
    issuer, check = await opened()
    for second in range(300):
        for n in range(5):
            with pytest.raises(InvalidToken, match="a key that its issuer doesn't list"):
                await check.authenticate(issuer.token(header={"kid": f"made-up-{second}-{n}"}))
        await issuer.system.sleep(1)
    assert issuer.asked == 1 + 5

    issuer.listed.append(public_jwk("p256"))
    assert await known(check, issuer, "p256")


async def test_while_the_issuer_is_away_an_unknown_key_is_not_said_to_be_wrong() -> None:
    issuer, check = await opened()
    issuer.away = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await known(check, issuer, "p256")
    assert issuer.asked == 2
    assert await known(check, issuer)


async def waiting(*calls: Coroutine[Any, Any, Caller]) -> list[asyncio.Task[Caller]]:
    tasks = [asyncio.create_task(each) for each in calls]
    await idle()
    return tasks


@pytest.mark.parametrize("at_start", [True, False])
async def test_whoever_waits_for_a_key_shares_one_reading(at_start: bool) -> None:
    issuer = Issuer()
    check = issuer.authenticator()
    if not at_start:
        assert await known(check, issuer)
        issuer.listed.append(public_jwk("p256"))
    asked, key = issuer.asked, "rsa" if at_start else "p256"
    issuer.answers.clear()

    calls = await waiting(*(check.authenticate(issuer.token(key)) for _ in range(50)))
    assert not any(each.done() for each in calls)
    issuer.answers.set()

    assert len({(await each).subject for each in calls}) == 1
    assert issuer.asked == asked + 1


async def test_known_keys_are_served_while_others_wait() -> None:
    issuer, check = await opened()
    issuer.answers.clear()
    [waits] = await waiting(check.authenticate(issuer.token(header={"kid": "made-up"})))

    async with asyncio.timeout(1):
        await check.authenticate(issuer.token())

    assert not waits.done()
    issuer.answers.set()
    with pytest.raises(InvalidToken):
        await waits


async def test_whoever_gives_up_ends_the_reading_for_nobody_else() -> None:
    issuer = Issuer()
    check = issuer.authenticator()
    issuer.answers.clear()
    first, second = await waiting(check.authenticate(issuer.token()), check.authenticate(issuer.token()))

    first.cancel()
    await idle()
    issuer.answers.set()

    assert (await second).subject == "ada"
    assert first.cancelled()
    assert issuer.asked == 1


async def test_a_fault_that_nobody_foresaw_is_no_answer_and_the_next_request_asks_again() -> None:
    issuer = Issuer()
    check = issuer.authenticator()
    good, issuer.listed = issuer.listed, None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        await known(check, issuer)
    issuer.listed = good
    await issuer.system.sleep(3)

    assert await known(check, issuer)


PASSED_OVER: dict[str, tuple[object, str]] = {
    "text": ("rsa", "it is no JSON Web Key"),
    "null": (None, "it is no JSON Web Key"),
    "kid of another type": (public_jwk("rsa-2", kid=["rsa-2"]), "it is no JSON Web Key"),
    "no kid": (public_jwk("rsa-2", kid=""), "it has no kid"),
    "encryption": (public_jwk("rsa-2", use="enc", alg="RSA-OAEP"), "its use is another"),
    "of encryption by its algorithm": (public_jwk("rsa-2", alg="RSA-OAEP"), "its algorithm or type"),
    "symmetric": ({"kty": "oct", "kid": "oct", "k": "c2VjcmV0", "alg": "HS256"}, "its algorithm or type"),
    "symmetric, as if it weren't": ({"kty": "oct", "kid": "oct", "k": "c2VjcmV0", "alg": "RS256"}, "its algorithm or"),
    "RSA as HMAC's": (public_jwk("rsa-2", alg="HS256"), "its algorithm or type"),
    "unknown curve": (public_jwk("p256", crv="secp256k1"), "its algorithm or type"),
    "another's curve": (public_jwk("p256", crv="P-384"), "its numbers are no key"),
    "off the curve": (public_jwk("p256", y=public_jwk("p256")["x"]), "its numbers are no key"),
    "no numbers": ({"kty": "RSA", "kid": "x"}, "its numbers are no key"),
    "numbers that are none": (public_jwk("rsa-2", n="%%%", e=""), "its numbers are no key"),
    "an even exponent": (public_jwk("rsa-2", e="Ag"), "its numbers are no key"),
    "short": (public_jwk("short"), "its length"),
    "long": (public_jwk("rsa-2", n=encoded(b"\xff" * 3000)), "its length"),
    "private": (public_jwk("rsa-2", d="AQAB"), "it is a private key"),
    "twice": (public_jwk("rsa-2", kid="rsa"), "its kid is another's"),
}


@pytest.mark.parametrize("junk", PASSED_OVER)
async def test_what_checks_no_signature_is_passed_over_and_said_once(
    caplog: pytest.LogCaptureFixture, junk: str
) -> None:
    entry, reason = PASSED_OVER[junk]
    issuer = Issuer()
    check = issuer.authenticator()
    issuer.listed.append(entry)

    for _ in range(3):
        assert await known(check, issuer)
        await issuer.system.sleep(5 * MINUTE)

    assert issuer.asked == 3
    [line] = caplog.messages
    assert line.startswith(f"of the issuer's keys these are passed over: key 2 ({reason}")


@pytest.mark.parametrize("junk", [each for each in PASSED_OVER if each != "twice"])
async def test_a_list_without_any_key_is_a_list(junk: str) -> None:
    issuer, check = await opened()
    issuer.listed = [PASSED_OVER[junk][0]]
    await issuer.system.sleep(10 * MINUTE)

    assert not await known(check, issuer)
    issuer.listed = [public_jwk("rsa")]
    await issuer.system.sleep(MINUTE)
    assert await known(check, issuer)


async def test_a_key_that_another_entry_names_too_is_the_first_ones() -> None:
    issuer = Issuer()
    issuer.listed.append(public_jwk("rsa-2", kid="rsa"))
    check = issuer.authenticator()

    assert await known(check, issuer)
    with pytest.raises(InvalidToken):
        await check.authenticate(issuer.token("rsa-2", header={"kid": "rsa"}))


async def test_an_issuer_that_is_away_is_logged_without_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    issuer = Issuer()
    issuer.away = True
    with pytest.raises(Unavailable):
        await issuer.authenticator().authenticate(issuer.token())
    assert caplog.messages == ["the keys of the tokens' issuer can't be read: the issuer is away"]


def test_the_tests_keys_are_not_each_others() -> None:
    assert private_key("rsa") is private_key("rsa")
    assert public_jwk("rsa")["n"] != public_jwk("rsa-2")["n"]
